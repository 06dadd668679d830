#include "ledger/state/quorum.h"

#include <optional>
#include <string>

#include "ledger/crypto/keys.h"
#include "ledger/state/tables.h"

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

bool Counts(const Genesis& genesis, const StateView& view, absl::string_view identity,
            RecordIndex said) {
  const std::optional<ValidatorIndex> place = genesis.FindValidator(identity);
  if (!place.has_value()) return false;
  const KeyId key = KeyIdOf(genesis.validators[place->value()].record_key);
  const std::optional<KeyRow> row = ReadRow<KeyRow>(view, KeyKey(key));
  return row.has_value() && said >= row->enrolled_at;
}

uint32_t DisputeQuorum(const Genesis& genesis) { return FaultyMax(genesis) + 1; }

Voices VoicesOn(const Genesis& genesis, const StateView& view, RecordIndex alert) {
  Voices voices;
  for (const GenesisValidator& validator : genesis.validators) {
    const std::string identity = validator.identity();
    const std::optional<VerdictRow> said = ReadRow<VerdictRow>(view, VerdictKey(alert, identity));
    if (!said.has_value() || !Counts(genesis, view, identity, said->record_index)) continue;
    ++(said->verdict == Verdict::kConfirm ? voices.confirm : voices.dispute);
  }
  return voices;
}

bool Decide(const Genesis& genesis, const Voices& voices) {
  return voices.confirm >= ConfirmQuorum(genesis) || voices.dispute >= DisputeQuorum(genesis);
}

}  // namespace vigil::ledger
