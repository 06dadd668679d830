#include "node/app/machine.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"
#include "ledger/storage/leveldb_store.h"

namespace vigil::node {

StoreFactory StoresIn(const std::string& data_dir, size_t cache_bytes, int files_max) {
  return [=](absl::string_view name, bool wipe) -> absl::StatusOr<std::unique_ptr<ledger::Store>> {
    const std::string directory = absl::StrCat(data_dir, "/", name);
    ledger::FileSystem* files = ledger::PosixFileSystem();
    if (wipe) RETURN_IF_ERROR(ledger::RemoveLevelDbStore(files, directory));
    return ledger::OpenLevelDbStore(files, directory,
                                    {.cache_bytes = cache_bytes, .open_files_max = files_max});
  };
}

absl::StatusOr<DescriptorShares> PrepareDescriptors(const LogFunction& log) {
  constexpr absl::string_view kRemedy =
      "raise it with `ulimit -n 65536` or LimitNOFILE= in the systemd unit";
  const uint64_t limit = RaiseDescriptorLimit();
  if (limit < kDescriptorsMin) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the limit of open files is ", limit, ", at least ", kDescriptorsMin, ": ", kRemedy));
  }
  if (limit < kDescriptorsWanted) {
    log(LogLevel::kWarning, "app",
        absl::StrCat("the limit of open files is ", limit, ", below ", kDescriptorsWanted,
                     ", so that few clients may connect at a time: ", kRemedy));
  }
  return ShareDescriptors(limit);
}

}  // namespace vigil::node
