#include "ledger/state/log_keys.h"

#include "absl/strings/str_cat.h"
#include "ledger/log/checkpoint.h"
#include "ledger/state/quorum.h"

namespace vigil::ledger {
namespace {

constexpr uint64_t kFirstEpoch = 1;
constexpr absl::string_view kGroupName = "validators";

}  // namespace

LogKeys LogKeysOf(const Genesis& genesis) {
  LogKeys keys;
  keys.origin = CheckpointOrigin(genesis.network, genesis.genesis_hash);
  keys.quorum = ModelQuorum(genesis);
  for (const GenesisValidator& validator : genesis.validators) {
    keys.logs.push_back(
        {.name = keys.origin, .type = NoteKeyType::kEd25519, .key = validator.log_key});
    keys.cosigners.push_back(
        {.name = absl::StrCat(keys.origin, "/v/", validator.identity(), "/", kFirstEpoch),
         .type = NoteKeyType::kCosignatureV1,
         .key = validator.cosigner_key});
  }
  return keys;
}

Policy LogPolicyOf(const Genesis& genesis) {
  const LogKeys keys = LogKeysOf(genesis);
  Policy policy;
  PolicyGroup group;
  group.name = std::string(kGroupName);
  group.threshold = keys.quorum;
  for (size_t i = 0; i < genesis.validators.size(); ++i) {
    const std::string name = genesis.validators[i].identity();
    policy.logs.push_back({.key = keys.logs[i], .url = ""});
    policy.witnesses.push_back({.name = name, .key = keys.cosigners[i], .url = ""});
    group.members.push_back(name);
  }
  policy.groups.push_back(group);
  policy.quorum = group.name;
  return policy;
}

}  // namespace vigil::ledger
