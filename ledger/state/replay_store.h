// The store that VerifyLedger executes on: in memory, bounded, and compared with a given store.
//
// Everything that is in a snapshot stays in memory (state, leaves, results, blocks, undo images),
// so that digests of snapshots can be computed again; marks and tip too. Keys of single blocks are
// compared as they are written. Belongs to one thread.
#ifndef VIGIL_LEDGER_STATE_REPLAY_STORE_H_
#define VIGIL_LEDGER_STATE_REPLAY_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/strong_id.h"
#include "ledger/state/tables.h"
#include "ledger/state/verify_report.h"
#include "ledger/storage/memory_store.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

class ReplayStore final : public Store {
 public:
  // `given` may be null; both must outlive the object. `given_height`: height of the given store's
  // tip; blocks above it are not compared.
  ReplayStore(const StoreReader* given, Height given_height, FindingSink* sink)
      : given_(given), given_height_(given_height), sink_(sink) {}

  // Says which block the next Write() belongs to.
  void BeginBlock(Height height) { height_ = height; }

  // The given store may hold blocks up to here without their place in the journal, as it does when
  // it was built from a snapshot while their bytes were in an archive.
  void AllowUnplacedUpTo(Height height) { unplaced_max_ = height; }

  // Forgets what was written; what was compared stays so.
  void Clear() { kept_.emplace(); }

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return kept_->Get(key);
  }
  absl::Status Scan(absl::string_view from, absl::string_view to, bool reverse,
                    const std::function<bool(absl::string_view key, absl::string_view value)>&
                        visit) const override {
    return kept_->Scan(from, to, reverse, visit);
  }
  absl::Status Write(const StoreBatch& batch) override;
  absl::Status Sync() override { return absl::OkStatus(); }
  std::unique_ptr<StoreReader> Snapshot() const override { return kept_->Snapshot(); }

  // Compares everything that is kept with the given store, both ways, and looks for keys
  // of blocks that are not there. To be called when the block at the given store's tip has been
  // written.
  void CompareAll(const std::function<void(uint64_t keys)>& progress);
  uint64_t compared_count() const { return compared_count_; }

 private:
  void CompareOne(absl::string_view key, absl::string_view expected);
  void CompareKept(Space space, const std::function<void(uint64_t keys)>& progress);
  void FindExtraBlockKeys(Space space);
  void Report(FindingType type, absl::string_view key, std::string what);

  const StoreReader* const given_;
  const Height given_height_;
  FindingSink* const sink_;
  std::optional<MemoryStore> kept_{std::in_place};
  Height height_;
  Height unplaced_max_;
  uint64_t compared_count_ = 0;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_REPLAY_STORE_H_
