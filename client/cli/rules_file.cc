#include "client/cli/rules_file.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/input_file.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/rules.h"

namespace vigil::client {

absl::StatusOr<std::string> ReadRuleFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::optional<std::string> file, ReadInput(path, ledger::kRuleFileBytesMax));
  if (!file.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a rule file has at most ", ledger::kRuleFileBytesMax, " bytes"));
  }
  const absl::Status checked = ledger::CheckRuleFile(*file);
  if (!checked.ok()) return Annotate(checked, path);
  return *std::move(file);
}

absl::StatusOr<v1::Rules> FetchRules(Client* client, const std::string& digest) {
  v1::GetRulesRequest request;
  request.set_digest(digest);
  ASSIGN_OR_RETURN(v1::Rules rules, client->GetRules(request));
  const Hash hash = ledger::RulesDigestOf(rules.file());
  const std::string own = hash.IsZero() ? std::string() : ToString(hash.span());
  const bool asked = digest.empty() || digest == own;
  if (asked && rules.rules().digest() == own) return rules;
  return absl::DataLossError(
      absl::StrCat("the validator gave a rule file with the digest ", hash.ToHex(), " for ",
                   HexEncode(AsBytes(asked ? rules.rules().digest() : digest))));
}

}  // namespace vigil::client
