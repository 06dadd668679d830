#include "client/cli/outside_policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/keys.h"

namespace vigil::client {
namespace {

constexpr absl::string_view kOutside = "outside";
constexpr absl::string_view kBoth = "both";

bool HasName(const ledger::Policy& policy, absl::string_view name) {
  const auto named = [&](const auto& one) { return one.name == name; };
  return name == ledger::kQuorumNone || name == kOutside || name == kBoth ||
         std::any_of(policy.witnesses.begin(), policy.witnesses.end(), named) ||
         std::any_of(policy.groups.begin(), policy.groups.end(), named);
}

absl::StatusOr<ledger::PolicyWitness> ReadWitness(const ledger::Policy& policy,
                                                  const std::string& vkey) {
  const absl::StatusOr<ledger::NoteKey> key = ledger::DecodeNoteKey(vkey);
  if (!key.ok()) return key.status();
  if (key->type != ledger::NoteKeyType::kCosignatureV1)
    return absl::InvalidArgumentError("the key of a log, not of a witness");
  if (!ledger::IsValidPublicKey(key->key))
    return absl::InvalidArgumentError("a public key that may not be enrolled");
  if (HasName(policy, key->name))
    return absl::InvalidArgumentError("the policy has that name already");
  for (const ledger::PolicyWitness& other : policy.witnesses) {
    if (other.key.key == key->key)
      return absl::InvalidArgumentError(absl::StrCat("the same key as ", other.name));
  }
  return ledger::PolicyWitness{.name = key->name, .key = *key, .url = ""};
}

}  // namespace

absl::StatusOr<ledger::Policy> WithOutsideWitnesses(ledger::Policy policy,
                                                    std::span<const std::string> vkeys) {
  if (vkeys.empty()) return policy;
  ledger::PolicyGroup outside{.name = std::string(kOutside), .threshold = 1, .members = {}};
  for (const std::string& vkey : vkeys) {
    absl::StatusOr<ledger::PolicyWitness> witness = ReadWitness(policy, vkey);
    if (!witness.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--witness ", vkey, ": ", witness.status().message()));
    }
    outside.members.push_back(witness->name);
    policy.witnesses.push_back(*std::move(witness));
  }
  policy.groups.push_back(outside);
  policy.groups.push_back(
      {.name = std::string(kBoth), .threshold = 2, .members = {policy.quorum, outside.name}});
  policy.quorum = std::string(kBoth);
  return policy;
}

std::string WitnessName(const std::string& witness) {
  const absl::StatusOr<ledger::NoteKey> key = ledger::DecodeNoteKey(witness);
  return key.ok() ? key->name : witness;
}

}  // namespace vigil::client
