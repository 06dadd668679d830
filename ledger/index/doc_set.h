// A set of documents: the numbers of events inside one index segment, as 65,536 bits.
#ifndef VIGIL_LEDGER_INDEX_DOC_SET_H_
#define VIGIL_LEDGER_INDEX_DOC_SET_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace vigil::ledger {

// Events of one segment. Stored: documents are 16-bit numbers; never change.
inline constexpr uint32_t kSegmentEvents = 65'536;

class DocSet {
 public:
  static constexpr size_t kWords = kSegmentEvents / 64;

  DocSet() : words_(std::make_unique<std::array<uint64_t, kWords>>()) {}

  // REQUIRES (all): doc < kSegmentEvents.
  void Add(uint32_t doc) { (*words_)[doc / 64] |= uint64_t{1} << (doc % 64); }
  bool Contains(uint32_t doc) const { return ((*words_)[doc / 64] >> (doc % 64) & 1) != 0; }
  void AddWord(size_t index, uint64_t bits) { (*words_)[index] |= bits; }

  // Puts all documents below `count` in.
  void AddFirst(uint32_t count);
  void IntersectWith(const DocSet& other);
  bool IsEmpty() const;

  // The nearest document >= `doc` or <= `doc`; nullopt when there is none.
  std::optional<uint32_t> AtOrAfter(uint32_t doc) const;
  std::optional<uint32_t> AtOrBefore(uint32_t doc) const;

 private:
  std::unique_ptr<std::array<uint64_t, kWords>> words_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_DOC_SET_H_
