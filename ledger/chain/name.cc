#include "ledger/chain/name.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"

namespace vigil::ledger {

absl::Status CheckName(absl::string_view field, absl::string_view name, absl::string_view also) {
  if (name.empty() || name.size() > kNameBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("genesis: ", field, ": ", name.size(), " bytes, from 1 to ", kNameBytesMax));
  }
  for (char c : name) {
    const bool known =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != absl::string_view::npos;
    if (!known) {
      return absl::InvalidArgumentError(absl::StrCat(
          "genesis: ", field, ": \"", name, "\" may hold only a-z, 0-9 and \"", also, "\""));
    }
  }
  return absl::OkStatus();
}

bool IsName(absl::string_view name) { return CheckName("name", name, "-").ok(); }

}  // namespace vigil::ledger
