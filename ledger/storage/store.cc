#include "ledger/storage/store.h"

namespace vigil::ledger {

void StoreBatch::Put(absl::string_view key, absl::string_view value) {
  operations_.push_back({.key = std::string(key), .value = std::string(value)});
  bytes_ += key.size() + value.size();
}

void StoreBatch::Delete(absl::string_view key) {
  operations_.push_back({.key = std::string(key), .value = std::nullopt});
  bytes_ += key.size();
}

}  // namespace vigil::ledger
