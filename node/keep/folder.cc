#include "node/keep/folder.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {

absl::StatusOr<std::string> OwnerOf(const ledger::JournalId& id, const ledger::Genesis& genesis) {
  for (const ledger::GenesisValidator& validator : genesis.validators) {
    if (validator.journal_id.bytes == id.bytes) return validator.identity();
  }
  return absl::DataLossError(
      absl::StrCat("journal id ", id.ToHex(), ", which genesis gives to no validator"));
}

absl::Status CheckEmptyOrMissing(const ledger::FileSystem& files, const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> names = files.List(directory);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  RETURN_IF_ERROR(names.status());
  if (names->empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(directory, ": holds ", names->front(),
                   "; nothing is overwritten: name a new folder, or move this one away"));
}

absl::StatusOr<std::shared_ptr<void>> LockFolder(ledger::FileSystem* files,
                                                 const std::string& data_dir) {
  if (!files->Exists(data_dir + "/journal")) {
    return absl::NotFoundError(
        absl::StrCat(data_dir, " holds no journal/; name the data folder of a validator"));
  }
  absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(data_dir + "/LOCK");
  if (absl::IsAlreadyExists(lock.status())) {
    return Annotate(lock.status(), absl::StrCat(data_dir, " is in use; stop the validator first"));
  }
  return lock;
}

}  // namespace vigil::node
