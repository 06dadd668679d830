// EpochActor: sees an epoch to its end (ledger/chain/epoch.h).
//
// Once this validator has executed the block that seals the epoch, and a quorum's cosignatures make
// it final, the actor puts the anchor together, holds it against genesis as any stranger would,
// keeps it in the epoch chain on disk and says so: the node is then opened anew in the next epoch.
// Anchors that others send reach the same end sooner. Until then the epoch goes on: it votes,
// cosigns and answers.
#ifndef VIGIL_NODE_DRIVER_EPOCH_ACTOR_H_
#define VIGIL_NODE_DRIVER_EPOCH_ACTOR_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/tiles.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/storage/file.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/log.h"

namespace vigil::node {

class EpochActor final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;  // Restated for the epoch that runs.
    ledger::FileSystem* files = nullptr;
    std::string data_dir;
    const Clock* clock = nullptr;
    std::function<const ChainAccess*()> chain;
    std::function<const ledger::TileSource*()> tiles;
    FatalLatch* fatal = nullptr;
    const LogFunction* log = nullptr;
    std::function<absl::StatusOr<std::string>()> checkpoint;  // The newest final one.
    std::function<Height()> final_height;
    std::function<void()> on_ended;  // Once, on whatever thread found out.
  };
  // `chain`: the anchors on disk, up to the epoch that runs.
  EpochActor(Ports ports, std::vector<ledger::EpochAnchor> chain);

  absl::string_view name() const override { return "epoch"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override { return next_micros_; }

  // Anchors that somebody sent, oldest first; those of epochs before the one that runs are passed
  // over. Thread-safe, as are the next.
  // Errors: kInvalidArgument and kPermissionDenied when the first that counts is none; the disk's.
  absl::Status OnAnchors(const std::vector<ledger::EpochAnchor>& anchors) VIGIL_EXCLUDES(mutex_);
  bool ended() const VIGIL_EXCLUDES(mutex_);
  // Every anchor that is known, and the newest of them.
  std::vector<ledger::EpochAnchor> anchors() const VIGIL_EXCLUDES(mutex_);

 private:
  absl::StatusOr<std::optional<ledger::EpochAnchor>> MakeAnchor();
  absl::Status Keep(const ledger::EpochAnchor& anchor) VIGIL_EXCLUDES(mutex_);

  const Ports ports_;
  int64_t next_micros_ = 0;
  Height looked_at_;     // The tip whose state told of no next epoch.
  bool sealed_ = false;  // The sealing block is executed.

  mutable Mutex mutex_;
  std::vector<ledger::EpochAnchor> chain_ VIGIL_GUARDED_BY(mutex_);
  std::optional<ledger::Genesis> next_ VIGIL_GUARDED_BY(mutex_);  // The last epoch that is known.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_EPOCH_ACTOR_H_
