#include "client/cli/input_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"

namespace vigil::client {

absl::StatusOr<std::optional<std::string>> ReadInput(const std::string& path, size_t most) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  const absl::StatusOr<uint64_t> size = files->Size(path);
  if (!size.ok()) return absl::InvalidArgumentError(size.status().message());
  if (*size > most) return std::optional<std::string>();
  absl::StatusOr<std::string> bytes = files->ReadAll(path);
  if (!bytes.ok()) return absl::InvalidArgumentError(bytes.status().message());
  return std::optional<std::string>(*std::move(bytes));
}

absl::StatusOr<InputPolicy> ReadPolicy(const std::string& path) {
  ASSIGN_OR_RETURN(std::optional<std::string> text, ReadInput(path, ledger::kPolicyBytesMax));
  if (!text.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": no policy, which has at most ", ledger::kPolicyBytesMax, " bytes"));
  }
  absl::StatusOr<ledger::Policy> policy = ledger::ParsePolicy(*text);
  if (!policy.ok()) return Annotate(policy.status(), path);
  return InputPolicy{.text = *std::move(text), .policy = *std::move(policy)};
}

}  // namespace vigil::client
