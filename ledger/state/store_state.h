// Replicated state as it lies in a store.
#ifndef VIGIL_LEDGER_STATE_STORE_STATE_H_
#define VIGIL_LEDGER_STATE_STORE_STATE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/state/view.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

// Thread-safe as far as the reader is.
class StoreState final : public StateBase {
 public:
  // `reader` must outlive the object.
  explicit StoreState(const StoreReader* reader) : reader_(reader) {}

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override;
  absl::Status Scan(absl::string_view prefix, const StateVisitor& visit) const override;

 private:
  const StoreReader* const reader_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_STORE_STATE_H_
