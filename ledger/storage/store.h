// The store seam: ordered keys and values with atomic batches and snapshots.
//
// LevelDbStore is production and the only place with LevelDB; MemoryStore serves tests and offline
// verification. Keys and values are bytes; order is lexicographic.
#ifndef VIGIL_LEDGER_STORAGE_STORE_H_
#define VIGIL_LEDGER_STORAGE_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vigil::ledger {

// Whether `status` says that what a store holds on disk is damaged, and not only that what was
// asked makes no sense.
bool IsStoreDamage(const absl::Status& status);
// A kDataLoss for which that holds.
absl::Status StoreDamage(absl::string_view message);

class StoreBatch {
 public:
  struct Operation {
    std::string key;
    std::optional<std::string> value;  // Empty: delete.
  };
  void Put(absl::string_view key, absl::string_view value);
  void Delete(absl::string_view key);
  const std::vector<Operation>& operations() const { return operations_; }
  size_t bytes() const { return bytes_; }

 private:
  std::vector<Operation> operations_;
  size_t bytes_ = 0;
};

// Reads of one moment. Thread-safe.
class StoreReader {
 public:
  virtual ~StoreReader() = default;
  // nullopt when the key is not there.
  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const = 0;
  // Calls `visit` for each key in [from, to) in order (descending when `reverse`) until it returns
  // false. `to` empty: no upper bound.
  virtual absl::Status Scan(
      absl::string_view from, absl::string_view to, bool reverse,
      const std::function<bool(absl::string_view key, absl::string_view value)>& visit) const = 0;
};

// Writers belong to one thread at a time; readers and snapshots may live on others.
class Store : public StoreReader {
 public:
  // All of the batch or nothing, also after a crash; not synced.
  virtual absl::Status Write(const StoreBatch& batch) = 0;
  // Everything written so far survives power loss when this returns.
  virtual absl::Status Sync() = 0;
  virtual std::unique_ptr<StoreReader> Snapshot() const = 0;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_STORE_H_
