#include "ledger/state/identity.h"

#include <vector>

#include "absl/strings/str_join.h"
#include "ledger/crypto/keys.h"

namespace vigil::ledger {

void EnrolGenesisKeys(const Genesis& genesis, StateView* view) {
  for (const GenesisValidator& validator : genesis.first_validators()) {
    const KeyRow row{.identity = validator.identity(),
                     .org = validator.org,
                     .roles = static_cast<uint32_t>(Role::kValidator),
                     .key = validator.record_key,
                     .enrolled_at = RecordIndex(0)};
    WriteRow(view, KeyKey(KeyIdOf(validator.record_key)), row);
  }
  for (const GenesisIdentity& identity : genesis.identities) {
    const KeyRow row{.identity = identity.identity(),
                     .org = identity.org,
                     .roles = identity.roles,
                     .key = identity.key,
                     .enrolled_at = RecordIndex(0)};
    WriteRow(view, KeyKey(KeyIdOf(identity.key)), row);
  }
}

std::optional<KeyRow> FindKeyRow(const StateView& view, const KeyId& key) {
  return ReadRow<KeyRow>(view, KeyKey(key));
}

bool MaySign(const KeyRow& key, RecordKind kind) {
  return (key.roles & static_cast<uint32_t>(KindOf(kind).signer)) != 0;
}

absl::string_view OrgOf(absl::string_view identity) {
  const size_t slash = identity.find('/');
  return slash == absl::string_view::npos ? absl::string_view() : identity.substr(0, slash);
}

std::string RoleNames(uint32_t roles) {
  std::vector<absl::string_view> names;
  for (uint32_t bit = 1; bit != 0 && bit <= roles; bit <<= 1) {
    if ((roles & bit) != 0) names.push_back(RoleName(static_cast<Role>(bit)));
  }
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

}  // namespace vigil::ledger
