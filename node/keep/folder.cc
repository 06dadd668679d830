#include "node/keep/folder.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/overlay_file_system.h"
#include "node/detect/detect_driver.h"

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

absl::StatusOr<Height> StoredDetectorRestart(ledger::FileSystem* files, const std::string& data_dir,
                                             const ledger::Genesis& genesis) {
  const std::string directory = data_dir + "/detect";
  constexpr absl::string_view kRemedy =
      "; start the validator and let its detector catch up first (vigil_detector_height)";
  if (!files->Exists(directory)) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory, ": not there, so that the next start reads every event again", kRemedy));
  }
  ledger::OverlayFileSystem overlay(files);
  const absl::StatusOr<std::unique_ptr<ledger::Store>> store =
      ledger::OpenLevelDbStore(&overlay, directory, {});
  if (!store.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(store.status().message(), kRemedy));
  }
  const absl::StatusOr<Height> from = DetectDriver::StoredRestartHeight(genesis, store->get());
  if (!from.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(from.status().message(), kRemedy));
  }
  return from;
}

}  // namespace vigil::node
