// A store in memory, for tests and offline verification: std::map and nothing durable.
//
// Thread-safe. A snapshot costs nothing until the next write, which then copies the map once.
#ifndef VIGIL_LEDGER_STORAGE_MEMORY_STORE_H_
#define VIGIL_LEDGER_STORAGE_MEMORY_STORE_H_

#include <memory>

#include "ledger/storage/store.h"

namespace vigil::ledger {

class MemoryStore final : public Store {
 public:
  MemoryStore();
  ~MemoryStore() override;

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override;
  absl::Status Scan(absl::string_view from, absl::string_view to, bool reverse,
                    const std::function<bool(absl::string_view key, absl::string_view value)>&
                        visit) const override;
  absl::Status Write(const StoreBatch& batch) override;
  absl::Status Sync() override { return absl::OkStatus(); }
  std::unique_ptr<StoreReader> Snapshot() const override;

 private:
  class Shared;
  class Lease;
  const std::shared_ptr<Shared> shared_;  // Owned by the store and its snapshots.
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_MEMORY_STORE_H_
