// What the data folder of a validator whose journal begins above genesis needs besides that
// journal, because nobody can make it from there: a snapshot at or above the journal's base, and
// the log up to the base.
//
// One thread; the functions keep nothing between calls.
#ifndef VIGIL_NODE_KEEP_BASE_PART_H_
#define VIGIL_NODE_KEEP_BASE_PART_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/strong_id.h"
#include "ledger/state/base_frame.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_copy.h"
#include "node/driver/snapshot_folder.h"

namespace vigil::node {

// The base frame that counts; nullopt: the journal begins at genesis. Errors: those of the reader.
absl::StatusOr<std::optional<ledger::BaseFrame>> ReadBase(const ledger::JournalReader& journal);

// A folder's snapshots, held open: a running validator removes old ones while its journal is
// copied, and which of them is of use is known only then.
class HeldSnapshots {
 public:
  // A folder that is not there holds none. Errors: of the disk.
  static absl::StatusOr<HeldSnapshots> Open(const ledger::FileSystem& files,
                                            const std::string& directory);
  // Copies those from height `from` on into the folder `to`, which is made; of the copies only
  // sound ones stay. Returns what was wrong with the others; empty: nothing. Errors: of the disk.
  absl::StatusOr<std::string> CopyTo(ledger::FileSystem* files, const std::string& to,
                                     Height from) const;

 private:
  std::vector<std::pair<Height, std::unique_ptr<ledger::ReadFile>>> open_;
};

// Makes the log in the folder `to` up to the base, from the leaves of the log in `from`; what `to`
// holds of an earlier attempt is made anew. Nothing of `from` is believed: the root is the base's.
// Errors: kDataLoss naming the file, or when the leaves give another root; kFailedPrecondition when
// leaves are not there; of the disk.
absl::Status CopyLog(ledger::FileSystem* files, const std::string& from, const std::string& to,
                     const ledger::BaseFrame& base);

// The newest sound snapshot; unlike SnapshotFolder::Newest() it changes nothing.
// Errors: kFailedPrecondition saying of each what is wrong; of the disk, but damage.
absl::StatusOr<ledger::SnapshotMark> NewestSound(const ledger::FileSystem& files,
                                                 const std::string& directory,
                                                 const SnapshotFolder& folder);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_BASE_PART_H_
