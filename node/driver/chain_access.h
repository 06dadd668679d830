// ChainAccess: what any thread may ask about executed blocks, and the commit feed's memory.
//
// The applier publishes; everybody else reads. A consumer of the feed keeps the height it wants
// next and loads it when tip() has reached it: from memory while it is recent, else from store and
// journal. So a consumer may lag as it likes, nothing is skipped, and no queue grows. Thread-safe.
#ifndef VIGIL_NODE_DRIVER_CHAIN_ACCESS_H_
#define VIGIL_NODE_DRIVER_CHAIN_ACCESS_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/block.h"
#include "ledger/log/merkle.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/chain_state.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"
#include "node/driver/block_cache.h"

namespace vigil::node {

// Shared by all consumers of the feed; the last one frees it.
using ExecutedPtr = std::shared_ptr<const ledger::ExecutedBlock>;

class ChainAccess {
 public:
  // A tip, and a reader whose snapshot is of that height or above.
  struct View {
    std::shared_ptr<const ledger::ChainReader> reader;  // Shared by whoever asks at this height.
    ledger::Tip tip;
  };

  // `store`, `cache` and `journal` must outlive the object. `journal` may be null when there is
  // none to read; then only cached blocks are found.
  ChainAccess(const ledger::Store* store, std::shared_ptr<const ledger::JournalReader> journal,
              BlockCache* cache, const ledger::Tip& tip, size_t recent_bytes_max);

  // A block was executed and written. Called by the applier, in order of height.
  void Publish(ExecutedPtr executed) VIGIL_EXCLUDES(mutex_);

  Height tip() const { return Height(tip_height_.load(std::memory_order_acquire)); }
  View CurrentView() const VIGIL_EXCLUDES(mutex_);

  // An executed block with its results. `tip` in it is set only for recent ones, otherwise just its
  // height, view, hash, time and state digest.
  // Errors: kNotFound above the tip, and for a block whose bytes are not here (any more); kDataLoss
  // naming where; disk errors.
  absl::StatusOr<ExecutedPtr> LoadExecuted(Height height) const VIGIL_EXCLUDES(mutex_);
  // The executed block whose bytes came from elsewhere. Errors: kInvalidArgument when it is not the
  // one that was executed at its height; those of LoadExecuted().
  absl::StatusOr<ExecutedPtr> Attach(ledger::BlockPtr block) const;
  // An executed block. Errors: as LoadExecuted.
  absl::StatusOr<ledger::BlockPtr> LoadBlock(Height height) const;
  // A block that lies at `position` of the journal. Errors: kNotFound when its segment was
  // archived; kDataLoss when another block lies there; those of the journal.
  absl::StatusOr<ledger::BlockPtr> LoadAt(const Hash& hash, ledger::JournalPosition position) const;

  // The log's tree after an executed block, if it was executed a short while ago.
  std::optional<ledger::MerkleFrontier> RecentTree(Height height) const VIGIL_EXCLUDES(mutex_);

  // Calls `listener` after each Publish() with the executed height, on the applier's thread; it
  // must only wake somebody, and must not call back into these two. After RemoveListener returns,
  // the listener is never called again.
  uint64_t AddListener(std::function<void(Height)> listener) VIGIL_EXCLUDES(listeners_mutex_);
  void RemoveListener(uint64_t token) VIGIL_EXCLUDES(listeners_mutex_);

 private:
  static absl::StatusOr<ExecutedPtr> WithResults(const ledger::ChainReader& reader,
                                                 const ledger::BlockInfo& info,
                                                 ledger::BlockPtr block);
  absl::StatusOr<ExecutedPtr> LoadStored(Height height) const;

  const ledger::Store* const store_;
  // Shared with the node and its query threads; outlives the journal.
  const std::shared_ptr<const ledger::JournalReader> journal_;
  BlockCache* const cache_;
  const size_t recent_bytes_max_;
  std::atomic<uint64_t> tip_height_;

  mutable Mutex mutex_;
  ledger::Tip tip_ VIGIL_GUARDED_BY(mutex_);
  mutable std::shared_ptr<const ledger::ChainReader> reader_ VIGIL_GUARDED_BY(mutex_);
  std::deque<ExecutedPtr> recent_ VIGIL_GUARDED_BY(mutex_);  // Without a gap, up to the tip.
  size_t recent_bytes_ VIGIL_GUARDED_BY(mutex_) = 0;

  // Held while listeners are called, so that none is running when RemoveListener returns.
  Mutex listeners_mutex_;
  std::map<uint64_t, std::function<void(Height)>> listeners_ VIGIL_GUARDED_BY(listeners_mutex_);
  uint64_t next_token_ VIGIL_GUARDED_BY(listeners_mutex_) = 1;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_CHAIN_ACCESS_H_
