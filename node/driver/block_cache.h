// BlockCache: the blocks that were in hand last, by hash; what is not here is in the journal.
//
// Bounded in bytes of block frames; the oldest goes first. Thread-safe.
#ifndef VIGIL_NODE_DRIVER_BLOCK_CACHE_H_
#define VIGIL_NODE_DRIVER_BLOCK_CACHE_H_

#include <cstddef>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "ledger/base/bytes.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/block.h"

namespace vigil::node {

class BlockCache {
 public:
  explicit BlockCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  void Add(const ledger::BlockPtr& block) VIGIL_EXCLUDES(mutex_);
  // nullptr when it is not here.
  ledger::BlockPtr Find(const Hash& hash) const VIGIL_EXCLUDES(mutex_);
  size_t bytes() const VIGIL_EXCLUDES(mutex_);

 private:
  const size_t bytes_max_;
  mutable Mutex mutex_;
  absl::flat_hash_map<Hash, ledger::BlockPtr> blocks_ VIGIL_GUARDED_BY(mutex_);
  std::deque<Hash> order_ VIGIL_GUARDED_BY(mutex_);
  size_t bytes_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_BLOCK_CACHE_H_
