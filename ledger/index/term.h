// Terms: what the index knows of an event, as 64-bit hashes of (kind, value).
//
// Hashes may collide; whoever uses them checks the event itself (Matches()). They are keyed, so
// that nobody can make an event collide on purpose and slow searches down.
#ifndef VIGIL_LEDGER_INDEX_TERM_H_
#define VIGIL_LEDGER_INDEX_TERM_H_

#include <cstdint>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/base/event_view.h"
#include "ledger/crypto/short_hash.h"
#include "ledger/index/event_query.h"

namespace vigil::ledger {

// Terms of one event: class, severity, source, actor, 3 addresses, 6 texts.
inline constexpr size_t kEventTermsMax = 13;

class TermHasher {
 public:
  // `bits` 1 to 64: how many of the hash's bits count.
  TermHasher(const ShortHashKey& key, uint32_t bits);

  // Appends the hashes of `event`'s terms, each once.
  void AppendEventTerms(const EventView& event, std::vector<uint64_t>* hashes) const;

  // One group for each filter that terms can answer. An event that matches `query` has at least one
  // hash of every group. Time is not among them. REQUIRES: CheckQuery(query) is OK.
  std::vector<std::vector<uint64_t>> QueryGroups(const EventQuery& query) const;

 private:
  // Stored: never renumber.
  enum class Kind : uint8_t {
    kClass = 1,
    kSeverity = 2,
    kSource = 3,
    kActor = 4,
    kAddress = 5,
    kText = 6,
  };
  uint64_t HashOf(Kind kind, ByteSpan value) const;
  uint64_t HashOfNumber(Kind kind, uint32_t number) const;
  std::vector<uint64_t> HashAll(Kind kind, const std::vector<std::string>& values) const;

  const ShortHashKey key_;
  const uint64_t mask_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_TERM_H_
