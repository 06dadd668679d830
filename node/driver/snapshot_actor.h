// SnapshotActor: makes the snapshots of executed state, behind execution, and knows their digests.
//
// The applier hands it a view of the store after each block that has a snapshot. The digest becomes
// known once the file is durable, so that a restart finds it again; when the disk has no room for
// the file, the digest is told all the same and only the file is missing. The newest two files are
// kept: the header that vouches for one is an interval younger than its state.
//
// At most one snapshot is under way: the applier executes no block that carries a digest which is
// not known yet, and that block is the next one that has a snapshot.
//
// Step() belongs to one thread at a time; everything else is thread-safe.
#ifndef VIGIL_NODE_DRIVER_SNAPSHOT_ACTOR_H_
#define VIGIL_NODE_DRIVER_SNAPSHOT_ACTOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/snapshot.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/file.h"
#include "ledger/storage/store.h"
#include "node/driver/actor.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/log.h"

namespace vigil::node {

inline constexpr size_t kSnapshotsKept = 2;

class SnapshotActor final : public Actor {
 public:
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    ledger::FileSystem* files = nullptr;
    FatalLatch* fatal = nullptr;
    const LogFunction* log = nullptr;
    std::function<void()> on_known;  // A digest became known. Must only wake somebody.
  };
  struct State {
    Height height;               // Of the newest snapshot on disk; 0: none.
    uint64_t bytes = 0;          // Size of its file.
    uint64_t failure_count = 0;  // Snapshots that could not be written since the start.
  };

  // `known` is the digest of a snapshot that recovery found on disk, or none. Everything in `ports`
  // must outlive the object.
  SnapshotActor(const Ports& ports, std::string directory,
                const std::optional<ledger::SnapshotMark>& known);

  // Makes a snapshot of what `store` holds: the state after the block at `height`.
  // REQUIRES: that of the one before is known.
  void Take(Height height, std::shared_ptr<const ledger::StoreReader> store) VIGIL_EXCLUDES(mutex_);

  // What this validator found to be the digest of the snapshot of `height`; nullopt: not known yet.
  std::optional<ledger::SnapshotMark> Find(Height height) const VIGIL_EXCLUDES(mutex_);
  State state() const VIGIL_EXCLUDES(mutex_);

  absl::string_view name() const override { return "snapshot"; }
  bool Step() override;

 private:
  bool Begin();
  absl::Status Continue();
  void Abandon(const absl::Status& why);
  void Finish();
  void DropOld(Height made);

  const Ports ports_;
  const std::string directory_;
  // Under way; null: none, or of the file: it could not be written.
  std::unique_ptr<ledger::SnapshotBuilder> builder_;
  std::unique_ptr<ledger::SnapshotFileWriter> writer_;

  mutable Mutex mutex_;
  // Shared with readers of the same view; freed when the snapshot is made.
  std::shared_ptr<const ledger::StoreReader> next_ VIGIL_GUARDED_BY(mutex_);
  Height last_taken_ VIGIL_GUARDED_BY(mutex_);
  std::optional<ledger::SnapshotMark> known_ VIGIL_GUARDED_BY(mutex_);
  State state_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_SNAPSHOT_ACTOR_H_
