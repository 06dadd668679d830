// Pruner: drops payloads that are older than the network's operator keeps them.
//
// Works on finished segments of the journal, one at a time, and only where every block is old
// enough: the segment is copied without payloads and the copy takes its name (ledger/storage/
// journal_rewrite). Leaves, headers, signatures and the hashes of events stay, so that the chain
// verifies, state can be executed again, and an event can be proven by whoever has its bytes.
//
// Age is measured against the time of the newest executed block, which a quorum agreed on: a wrong
// clock here prunes nothing.
//
// What is never pruned: blocks that are not final, and those from which the detector would read its
// windows again after a restart.
#ifndef VIGIL_NODE_DRIVER_PRUNER_H_
#define VIGIL_NODE_DRIVER_PRUNER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/base/strong_id.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_rewrite.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/counters.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/log.h"

namespace vigil::node {

struct PrunePlace {
  ledger::FileSystem* files = nullptr;
  std::string directory;  // Of the journal.
  ledger::JournalId journal_id;
  const ledger::JournalReader* reader = nullptr;
  Mutex* rewriting = nullptr;  // Held while a segment is replaced; null: nobody else does that.
};
struct PruneLimits {
  int64_t before_unix_millis = 0;  // Blocks of an earlier time,
  Height height_max;               // up to this height,
  Height base;                     // above this one: what the journal begins above.
};
struct PrunedSegment {
  uint64_t start = 0;
  ledger::CompactOutcome outcome;
};

// Prunes the first segment that may be pruned and is not in `finished`, which receives those that
// need not be looked at again. nullopt: there is none. Errors: kDataLoss when the journal is
// damaged; of the disk. After an error the journal is whole.
absl::StatusOr<std::optional<PrunedSegment>> PruneOneSegment(const PrunePlace& place,
                                                             const PruneLimits& limits,
                                                             std::set<uint64_t>* finished);

class Pruner final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const Clock* clock = nullptr;
    const ChainAccess* chain = nullptr;
    NodeCounters* counters = nullptr;
    FatalLatch* fatal = nullptr;
    const LogFunction* log = nullptr;
    std::function<Height()> final_height;
    // From which height on the detector must be able to read again, on disk; nullopt: not known
    // yet, ask again later. Empty: there is no detector.
    std::function<std::optional<Height>()> detector_from;
  };
  struct Options {
    PrunePlace place;
    Height base;                      // Of the journal; what lies below it is left alone.
    uint64_t payload_age_millis = 0;  // At least 1.
    int64_t pause_micros = 60'000'000;
  };
  Pruner(Ports ports, Options options) : ports_(std::move(ports)), options_(std::move(options)) {}

  absl::string_view name() const override { return "prune"; }
  // Prunes at most one segment.
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override { return next_micros_; }

 private:
  std::optional<PruneLimits> Limits() const;

  const Ports ports_;
  const Options options_;
  std::set<uint64_t> finished_;
  int64_t next_micros_ = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_PRUNER_H_
