// Archiver: keeps a running validator's journal below a limit by moving its oldest segments to an
// archive directory, as `vigild data archive` does on a stopped one (node/driver/archive.h).
//
//   over the limit -> ArchiveOldest() -> base frame synced -> the core's log begins above it
//                  -> DropArchived() -> again
//
// What never leaves: blocks that are not final, those above the newest snapshot whose digest an
// executed block carries, those that the detector would read again, those whose tree is not on disk
// in the log's files, and the newest segment. Where these hold the journal above the limit, or the
// archive cannot be written, it says so once a minute, and the journal grows on: nothing is ever
// dropped that is not whole in the archive.
//
// Belongs to one thread; state() is thread-safe.
#ifndef VIGIL_NODE_DRIVER_ARCHIVER_H_
#define VIGIL_NODE_DRIVER_ARCHIVER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"
#include "ledger/log/tiles.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/snapshot.h"
#include "node/driver/actor.h"
#include "node/driver/archive.h"
#include "node/driver/chain_access.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/journal_writer.h"
#include "node/driver/log.h"

namespace vigil::node {

class Archiver final : public Actor {
 public:
  // All must outlive the actor.
  struct Ports {
    const Clock* clock = nullptr;
    const ChainAccess* chain = nullptr;
    JournalWriter* journal = nullptr;
    const ledger::TileSource* tiles = nullptr;
    FatalLatch* fatal = nullptr;
    const LogFunction* log = nullptr;
    // The newest final checkpoint. Errors: kNotFound while there is none.
    std::function<absl::StatusOr<std::string>()> checkpoint;
    std::function<Height()> final_height;
    // Up to which block the log's files are on disk for good; asks for more of it.
    std::function<Height()> tiles_saved;
    // As Pruner::Ports::detector_from.
    std::function<std::optional<Height>()> detector_from;
    // The log begins above this block; must only wake somebody.
    std::function<void(const ledger::BlockId&)> on_base;
  };
  struct Options {
    ArchivePlace place;
    std::string snapshot_directory;
    std::optional<ledger::BaseFrame> base;  // The journal's last one.
    uint64_t journal_bytes_max = 0;         // At least 1.
    int64_t pause_micros = 1'000'000;
  };
  struct State {
    uint64_t journal_bytes = 0;   // Of the journal's files, when they were looked at last.
    uint64_t archived_bytes = 0;  // That left the journal since the start.
    Height base;                  // The journal begins above this block; 0: at genesis.
    std::string
        held_back;  // Why the journal is above its limit; empty: it is not, or work goes on.
  };
  Archiver(Ports ports, Options options);

  State state() const VIGIL_EXCLUDES(mutex_);

  absl::string_view name() const override { return "archive"; }
  // At most one round of copying, or one of dropping.
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override { return next_micros_; }

 private:
  absl::StatusOr<bool> LookAround();
  absl::StatusOr<bool> Drop();
  absl::StatusOr<ArchiveLimit> Limit();
  // The newest snapshot that an executed block vouches for and whose file is sound; 0: none. Each
  // is read whole once: the scrub finds what rots later.
  absl::StatusOr<Height> AgreedSnapshot(Height executed);
  void HoldBack(const std::string& why) VIGIL_EXCLUDES(mutex_);
  Height base_height() const {
    return options_.base.has_value() ? options_.base->block.height : Height(0);
  }

  const Ports ports_;
  Options options_;
  // A base frame that is written: bases() of the journal writer when it is on disk.
  std::optional<uint64_t> base_written_;
  bool may_drop_ = false;  // The last base frame is on disk, and segments below it may be here.
  ledger::SnapshotMark sound_snapshot_;  // The last one that was read whole; height 0: none.
  int64_t next_micros_ = 0;
  int64_t told_micros_ = 0;

  mutable Mutex mutex_;
  State state_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_ARCHIVER_H_
