#include "ledger/storage/store.h"

#include "absl/strings/cord.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kDamageUrl = "vigil/store-damage";

}  // namespace

bool IsStoreDamage(const absl::Status& status) { return status.GetPayload(kDamageUrl).has_value(); }

absl::Status StoreDamage(absl::string_view message) {
  absl::Status status = absl::DataLossError(message);
  status.SetPayload(kDamageUrl, absl::Cord());
  return status;
}

void StoreBatch::Put(absl::string_view key, absl::string_view value) {
  operations_.push_back({.key = std::string(key), .value = std::string(value)});
  bytes_ += key.size() + value.size();
}

void StoreBatch::Delete(absl::string_view key) {
  operations_.push_back({.key = std::string(key), .value = std::nullopt});
  bytes_ += key.size();
}

}  // namespace vigil::ledger
