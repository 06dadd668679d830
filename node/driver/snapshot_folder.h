// SnapshotFolder: the snapshots that a validator finds on its disk, judged by its journal.
//
// A snapshot is sound when its bytes agree with its digest, its block lies on the journal's branch,
// and, when a committed header carries a digest of its height, that is the one. Any other is
// removed, with a line in the log: a validator makes them again. Belongs to one thread.
#ifndef VIGIL_NODE_DRIVER_SNAPSHOT_FOLDER_H_
#define VIGIL_NODE_DRIVER_SNAPSHOT_FOLDER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/snapshot.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/state/snapshot_loader.h"
#include "ledger/storage/file.h"
#include "ledger/storage/store.h"
#include "node/driver/log.h"

namespace vigil::node {

struct JournalScan;

class SnapshotFolder {
 public:
  // All must outlive the object.
  SnapshotFolder(ledger::FileSystem* files, std::string directory, const ledger::Genesis* genesis,
                 const JournalScan* scan, const LogFunction* log);

  // Reads every byte of the snapshot of `height`; changes nothing.
  // Errors: kNotFound; kDataLoss saying what is not sound; of the disk.
  absl::StatusOr<ledger::SnapshotMark> Judge(Height height) const;
  // As Judge(); nullopt: there is none that is sound. Errors: of the disk, but damage.
  absl::StatusOr<std::optional<ledger::SnapshotMark>> Check(Height height);
  // The highest one that is sound; nullopt: none. Errors: as Check().
  absl::StatusOr<std::optional<ledger::SnapshotMark>> Newest();
  // Fills `store`, which is empty, from the snapshot of `height`, which Check() found sound.
  absl::Status Load(Height height, ledger::Store* store) const;

  const JournalScan& scan() const { return scan_; }

 private:
  absl::Status CheckOnChain(const ledger::SnapshotFile& file) const;
  absl::StatusOr<ledger::BlockPlace> PlaceOf(const ledger::BlockInfo& info) const;

  ledger::FileSystem* const files_;
  const std::string directory_;
  const ledger::Genesis* const genesis_;
  const JournalScan& scan_;
  const LogFunction* const log_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_SNAPSHOT_FOLDER_H_
