#include "node/driver/block_cache.h"

namespace vigil::node {

void BlockCache::Add(const ledger::BlockPtr& block) {
  MutexLock lock(&mutex_);
  if (!blocks_.emplace(block->hash(), block).second) return;
  order_.push_back(block->hash());
  bytes_ += block->frame().size();
  while (bytes_ > bytes_max_ && !order_.empty()) {
    const auto oldest = blocks_.find(order_.front());
    bytes_ -= oldest->second->frame().size();
    blocks_.erase(oldest);
    order_.pop_front();
  }
}

ledger::BlockPtr BlockCache::Find(const Hash& hash) const {
  MutexLock lock(&mutex_);
  const auto found = blocks_.find(hash);
  return found == blocks_.end() ? nullptr : found->second;
}

size_t BlockCache::bytes() const {
  MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace vigil::node
