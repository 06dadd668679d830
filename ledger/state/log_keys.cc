#include "ledger/state/log_keys.h"

#include "absl/strings/str_cat.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/log/checkpoint.h"
#include "ledger/state/quorum.h"

namespace vigil::ledger {

LogKeys LogKeysOf(const Genesis& genesis) {
  LogKeys keys;
  keys.origin = CheckpointOrigin(genesis.network, genesis.genesis_hash);
  keys.quorum = ModelQuorum(genesis);
  for (const GenesisValidator& validator : genesis.validators) {
    keys.logs.push_back(
        {.name = keys.origin, .type = NoteKeyType::kEd25519, .key = validator.log_key});
    keys.cosigners.push_back(
        {.name = absl::StrCat(keys.origin, "/v/", validator.identity(), "/", genesis.epoch.value()),
         .type = NoteKeyType::kCosignatureV1,
         .key = validator.cosigner_key});
  }
  return keys;
}

Policy LogPolicyOf(const Genesis& genesis) {
  return EpochPolicy(CheckpointOrigin(genesis.network, genesis.genesis_hash), genesis.epoch,
                     genesis.validators, ModelQuorum(genesis));
}

}  // namespace vigil::ledger
