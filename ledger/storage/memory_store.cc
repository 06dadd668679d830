#include "ledger/storage/memory_store.h"

#include <map>
#include <utility>

#include "ledger/base/mutex.h"

namespace vigil::ledger {
namespace {

using Map = std::map<std::string, std::string>;

// One version of the map. While leased it does not change.
struct Version {
  Map map;
  int lease_count = 0;
};

void ScanMap(const Map& map, absl::string_view from, absl::string_view to, bool reverse,
             const std::function<bool(absl::string_view, absl::string_view)>& visit) {
  if (!to.empty() && to <= from) return;
  const auto first = map.lower_bound(std::string(from));
  const auto last = to.empty() ? map.end() : map.lower_bound(std::string(to));
  if (reverse) {
    for (auto it = last; it != first;) {
      --it;
      if (!visit(it->first, it->second)) return;
    }
  } else {
    for (auto it = first; it != last; ++it) {
      if (!visit(it->first, it->second)) return;
    }
  }
}

std::optional<std::string> GetFrom(const Map& map, absl::string_view key) {
  const auto found = map.find(std::string(key));
  if (found == map.end()) return std::nullopt;
  return found->second;
}

}  // namespace

class MemoryStore::Shared {
 public:
  std::optional<std::string> Get(absl::string_view key) {
    MutexLock lock(&mutex_);
    return GetFrom(version_->map, key);
  }

  void Write(const StoreBatch& batch) {
    MutexLock lock(&mutex_);
    if (version_->lease_count > 0) {
      version_ = std::make_shared<Version>(Version{.map = version_->map, .lease_count = 0});
    }
    for (const StoreBatch::Operation& operation : batch.operations()) {
      if (operation.value.has_value()) {
        version_->map[operation.key] = *operation.value;
      } else {
        version_->map.erase(operation.key);
      }
    }
  }

  std::shared_ptr<Version> Acquire() {
    MutexLock lock(&mutex_);
    ++version_->lease_count;
    return version_;
  }

  void Release(Version* version) {
    MutexLock lock(&mutex_);
    --version->lease_count;
  }

 private:
  Mutex mutex_;
  // Owned by the store while current and by the leases on it.
  std::shared_ptr<Version> version_ VIGIL_GUARDED_BY(mutex_) = std::make_shared<Version>();
};

// Holds one version for reading, without a lock.
class MemoryStore::Lease final : public StoreReader {
 public:
  explicit Lease(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)), version_(shared_->Acquire()) {}
  ~Lease() override { shared_->Release(version_.get()); }

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return GetFrom(version_->map, key);
  }
  absl::Status Scan(absl::string_view from, absl::string_view to, bool reverse,
                    const std::function<bool(absl::string_view key, absl::string_view value)>&
                        visit) const override {
    ScanMap(version_->map, from, to, reverse, visit);
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<Version> version_;
};

MemoryStore::MemoryStore() : shared_(std::make_shared<Shared>()) {}
MemoryStore::~MemoryStore() = default;

absl::StatusOr<std::optional<std::string>> MemoryStore::Get(absl::string_view key) const {
  return shared_->Get(key);
}

absl::Status MemoryStore::Scan(
    absl::string_view from, absl::string_view to, bool reverse,
    const std::function<bool(absl::string_view key, absl::string_view value)>& visit) const {
  return Lease(shared_).Scan(from, to, reverse, visit);
}

absl::Status MemoryStore::Write(const StoreBatch& batch) {
  shared_->Write(batch);
  return absl::OkStatus();
}

std::unique_ptr<StoreReader> MemoryStore::Snapshot() const {
  return std::make_unique<Lease>(shared_);
}

}  // namespace vigil::ledger
