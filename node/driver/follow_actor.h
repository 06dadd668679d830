// FollowActor: follows the chain without agreement, by blocks that prove themselves
// (final_blocks.h).
//
// It asks one validator after the other for what is final above its tip, so that all of them see
// how far it is and none is needed, holds the answer against the tree of its own executed state and
// a quorum's cosignatures, writes the blocks to the journal, syncs, and has them executed before it
// asks again. An answer that does not hold is counted and told, and whoever gave it is not asked
// for a while.
//
// Step() belongs to one thread at a time; OnAnswer() and bad_answers() are thread-safe.
#ifndef VIGIL_NODE_DRIVER_FOLLOW_ACTOR_H_
#define VIGIL_NODE_DRIVER_FOLLOW_ACTOR_H_

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/journal.h"
#include "node/driver/actor.h"
#include "node/driver/applier.h"
#include "node/driver/chain_access.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/log.h"
#include "node/driver/transport.h"

namespace vigil::node {

class FollowActor final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    ValidatorIndex self;  // Never asked.
    const Clock* clock = nullptr;
    Transport* transport = nullptr;
    const ChainAccess* chain = nullptr;
    BlockCache* cache = nullptr;
    Applier* applier = nullptr;
    FatalLatch* fatal = nullptr;
    const LogFunction* log = nullptr;
  };
  // `last`: the last block in the journal; it is executed before anything is asked.
  FollowActor(const Ports& ports, std::unique_ptr<ledger::Journal> journal, Height last);

  // Errors: kInvalidArgument when it answers nothing that was asked.
  absl::Status OnAnswer(ValidatorIndex from, FetchAnswer answer) VIGIL_EXCLUDES(mutex_);
  uint64_t bad_answers() const { return bad_answers_.load(std::memory_order_relaxed); }

  absl::string_view name() const override { return "follow"; }
  bool Step() override VIGIL_EXCLUDES(mutex_);
  std::optional<int64_t> DeadlineMicros() const override VIGIL_EXCLUDES(mutex_);

 private:
  int64_t Now() const { return ports_.clock->MonotonicMicros(); }
  absl::Status Take(ValidatorIndex from, const FetchAnswer& answer);
  absl::Status Keep(const std::vector<ledger::BlockPtr>& blocks);
  bool AskNext() VIGIL_EXCLUDES(mutex_);

  const Ports ports_;
  const ledger::LogKeys keys_;
  const std::unique_ptr<ledger::Journal> journal_;
  Height last_;  // In the journal.
  uint32_t turn_ = 0;
  uint32_t last_id_;
  uint32_t without_news_ = 0;  // Validators in a row that had nothing.
  int64_t resume_micros_ = 0;
  std::map<ValidatorIndex, int64_t> passed_over_;  // Until when.
  std::atomic<uint64_t> bad_answers_{0};

  struct Asked {
    ValidatorIndex peer;
    uint32_t id = 0;
    int64_t until_micros = 0;
    std::optional<FetchAnswer> answer;
  };
  mutable Mutex mutex_;
  std::optional<Asked> asked_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_FOLLOW_ACTOR_H_
