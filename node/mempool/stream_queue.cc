#include "node/mempool/stream_queue.h"

#include "ledger/base/check.h"

namespace vigil::node {

bool StreamQueue::Add(uint64_t sequence, const Item& item) {
  VIGIL_CHECK(sequence > executed_.sequence, "sequence ", sequence, ", head ", executed_.sequence);
  return items_.emplace(sequence, item).second;
}

const StreamQueue::Item* StreamQueue::Find(uint64_t sequence) const {
  const auto found = items_.find(sequence);
  return found == items_.end() ? nullptr : &found->second;
}

const StreamQueue::Item* StreamQueue::Next() const {
  if (frozen_) return nullptr;
  const Item* next = Find(branch_.sequence + 1);
  return next != nullptr && next->previous == branch_.leaf_hash ? next : nullptr;
}

void StreamQueue::Advance() {
  const Item* next = Next();
  VIGIL_CHECK(next != nullptr, "nothing continues the stream at ", branch_.sequence);
  branch_ = {.sequence = branch_.sequence + 1, .leaf_hash = next->leaf_hash};
}

std::vector<StreamQueue::Item> StreamQueue::OnExecuted(const StreamHeadAt& head) {
  std::vector<Item> passed;
  const auto end = items_.upper_bound(head.sequence);
  for (auto it = items_.begin(); it != end; ++it) passed.push_back(it->second);
  items_.erase(items_.begin(), end);
  if (head.sequence > executed_.sequence) executed_ = head;
  if (branch_.sequence <= executed_.sequence) branch_ = executed_;
  return passed;
}

void StreamQueue::OnReset(const StreamHeadAt& head) {
  executed_ = head;
  branch_ = head;
  frozen_ = false;
}

}  // namespace vigil::node
