// What the commands on a data folder share.
#ifndef VIGIL_NODE_KEEP_FOLDER_H_
#define VIGIL_NODE_KEEP_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"

namespace vigil::node {

// The validator "org/name" to which genesis gives this journal. Errors: kDataLoss: none.
absl::StatusOr<std::string> OwnerOf(const ledger::JournalId& id, const ledger::Genesis& genesis);

// Errors: kAlreadyExists when `directory` holds anything.
absl::Status CheckEmptyOrMissing(const ledger::FileSystem& files, const std::string& directory);

// Holds the lock of a data folder that is there. Errors: kNotFound; kAlreadyExists while a
// validator runs on it, with the remedy.
absl::StatusOr<std::shared_ptr<void>> LockFolder(ledger::FileSystem* files,
                                                 const std::string& data_dir);

// From which height on the next start's detector must be able to read events. Errors:
// kFailedPrecondition when its bookkeeping is damaged or not there, so that it reads every event
// again.
absl::StatusOr<Height> StoredDetectorRestart(ledger::FileSystem* files, const std::string& data_dir,
                                             const ledger::Genesis& genesis);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_FOLDER_H_
