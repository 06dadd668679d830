// Moving a journal's oldest segments to an archive directory (docs/formats/archive.md).
//
// A segment leaves the data folder only after its copy was synced, read back and found equal and
// sound, the archive's manifest names it beside a checkpoint that a quorum cosigned over its
// blocks, and a base frame that says above which block the journal goes on is synced in the
// journal, with the validator's promises before it. Segments go one by one, the oldest first, each
// removal synced, so that what a crash leaves has no gap.
//
//   ArchiveOldest()  ->  write and sync the base frame  ->  DropArchived()
//
// A crash in between leaves segments in both places; the next DropArchived() goes on.
#ifndef VIGIL_NODE_DRIVER_ARCHIVE_H_
#define VIGIL_NODE_DRIVER_ARCHIVE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/mutex.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/tiles.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/chain_reader.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"

namespace vigil::node {

struct ArchivePlace {
  ledger::FileSystem* files = nullptr;
  std::string journal;       // Folder of the journal,
  std::string archive;       // and of its archive, which is made when it is not there.
  std::string genesis_file;  // The bytes of genesis.json.
  const ledger::Genesis* genesis = nullptr;
  ledger::JournalId journal_id;
  const ledger::JournalReader* reader = nullptr;
  // Whether an archive may begin where a journal does that was archived before; otherwise an empty
  // directory is taken for a volume that is not mounted.
  bool may_begin_anew = false;
  Mutex* rewriting = nullptr;  // Held while segments are read or removed; null: nobody else does.
};

// What was executed, and the log over it.
struct ArchiveSource {
  const ledger::ChainReader* chain = nullptr;
  const ledger::TileSource* tiles = nullptr;
  std::string checkpoint;  // The newest one that a quorum cosigned; `tiles` cover its size.
  std::function<absl::StatusOr<ledger::BlockPtr>(Height)> load_block;
};

// Up to which height blocks may leave, and what holds those above back.
struct ArchiveLimit {
  Height height{UINT64_MAX};
  std::string why;
  void Lower(Height other, absl::string_view because) {
    if (other >= height) return;
    height = other;
    why = std::string(because);
  }
};

struct ArchiveBounds {
  std::optional<ledger::BaseFrame> base;  // The journal's last one; nullopt: it begins at genesis.
  Height height_max;                      // Up to here blocks may leave.
  Height base_height() const { return base.has_value() ? base->block.height : Height(0); }
  uint64_t base_offset() const { return base.has_value() ? base->base_offset : 0; }
};

struct ArchivedStep {
  ledger::BaseFrame base;  // To be written behind the promises, and synced; then DropArchived().
  uint64_t segments = 0;
  uint64_t bytes = 0;  // Of files.
};

// Copies the oldest segments that can leave together, nearly always one. nullopt: none may yet.
// Errors: kFailedPrecondition when the directory is the archive of another journal, or segments
// between its end and the journal's beginning are in neither, or its genesis.json is of another
// network or none; kDataLoss when a segment of either
// place is damaged, or the log does not bear out the checkpoint; kResourceExhausted and others of
// the disk. After any of them nothing has left the journal.
absl::StatusOr<std::optional<ArchivedStep>> ArchiveOldest(const ArchivePlace& place,
                                                          const ArchiveSource& source,
                                                          const ArchiveBounds& bounds);

// Removes every segment that ends at or before `base_offset`, which the journal's last base frame
// on disk names, once it is found whole in the archive. Returns the bytes of what was removed.
// Errors: kAborted when removing from the journal's folder failed, so that what is on disk of it is
// unknown: latch it; kFailedPrecondition, kDataLoss when the archive has it not, or differently;
// those of the archive's disk.
absl::StatusOr<uint64_t> DropArchived(const ArchivePlace& place, uint64_t base_offset);

// Bytes of the files of all segments. Errors: of the disk.
absl::StatusOr<uint64_t> JournalFileBytes(const ledger::FileSystem& files,
                                          const std::string& directory);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_ARCHIVE_H_
