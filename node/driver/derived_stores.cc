#include "node/driver/derived_stores.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {

DerivedStores::DerivedStores(ledger::FileSystem* files, std::string data_dir, StoreFactory open,
                             const LogFunction* log)
    : files_(files), data_dir_(std::move(data_dir)), open_(std::move(open)), log_(log) {}

std::string DerivedStores::MarkerPath(absl::string_view name) const {
  return absl::StrCat(data_dir_, "/", name, ".rebuild");
}

absl::StatusOr<std::unique_ptr<ledger::Store>> DerivedStores::Open(absl::string_view name) {
  if (files_->Exists(MarkerPath(name))) return OpenEmpty(name, "it was found damaged before");
  return open_(name, /*wipe=*/false);
}

absl::StatusOr<std::unique_ptr<ledger::Store>> DerivedStores::OpenEmpty(absl::string_view name,
                                                                        absl::string_view why) {
  (*log_)(LogLevel::kWarning, "recovery",
          absl::StrCat(name, " is built anew from the journal: ", why));
  ASSIGN_OR_RETURN(std::unique_ptr<ledger::Store> store, open_(name, /*wipe=*/true));
  // Only now: a start that ends before this wipes once more.
  if (files_->Exists(MarkerPath(name))) RETURN_IF_ERROR(files_->Remove(MarkerPath(name)));
  return store;
}

void DerivedStores::MarkDamaged(absl::string_view name, absl::string_view why) const {
  const absl::Status marked = files_->WriteAtomically(MarkerPath(name), AsBytes(why));
  (*log_)(LogLevel::kError, "recovery",
          marked.ok()
              ? absl::StrCat(name, " is damaged; the next start builds it anew: ", why)
              : absl::StrCat(name, " is damaged; stop the validator, remove ", data_dir_, "/", name,
                             " and start it again: ", why, " (", marked.message(), ")"));
}

}  // namespace vigil::node
