#include "ledger/state/quorum.h"

namespace vigil::ledger {

namespace {

uint32_t ValidatorCount(const Genesis& genesis) {
  return static_cast<uint32_t>(genesis.validators.size());
}

bool IsBft(const Genesis& genesis) { return genesis.mode == "bft"; }

}  // namespace

uint32_t FaultyMax(const Genesis& genesis) {
  const uint32_t count = ValidatorCount(genesis);
  if (count == 0) return 0;
  return IsBft(genesis) ? (count - 1) / 3 : (count - 1) / 2;
}

uint32_t ModelQuorum(const Genesis& genesis) {
  const uint32_t count = ValidatorCount(genesis);
  return IsBft(genesis) ? 2 * count / 3 + 1 : count / 2 + 1;
}

uint32_t ConfirmQuorum(const Genesis& genesis) {
  return IsBft(genesis) ? 2 * FaultyMax(genesis) + 1 : ValidatorCount(genesis) / 2 + 1;
}

uint32_t DisputeQuorum(const Genesis& genesis) { return FaultyMax(genesis) + 1; }

}  // namespace vigil::ledger
