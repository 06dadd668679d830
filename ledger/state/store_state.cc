#include "ledger/state/store_state.h"

#include "ledger/state/tables.h"

namespace vigil::ledger {

absl::StatusOr<std::optional<std::string>> StoreState::Get(absl::string_view key) const {
  return reader_->Get(StoreStateKey(key));
}

absl::Status StoreState::Scan(absl::string_view prefix, const StateVisitor& visit) const {
  const std::string from = StoreStateKey(prefix);
  return reader_->Scan(
      from, PrefixEnd(from), /*reverse=*/false,
      [&](absl::string_view key, absl::string_view value) { return visit(key.substr(1), value); });
}

}  // namespace vigil::ledger
