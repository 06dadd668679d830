// Inbox: the bounded queue between threads, and the only way they hand things over.
//
// Many producers, one consumer. Bounded by a byte budget: a full inbox refuses, it never drops or
// blocks. Each lane has its own budget, and lane 0 is served first.
#ifndef VIGIL_NODE_DRIVER_INBOX_H_
#define VIGIL_NODE_DRIVER_INBOX_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "ledger/base/check.h"
#include "ledger/base/mutex.h"

namespace vigil::node {

template <typename Item>
class Inbox {
 public:
  // One budget in bytes per lane, highest priority first.
  explicit Inbox(std::vector<size_t> lane_bytes_max) : lanes_(lane_bytes_max.size()) {
    for (size_t i = 0; i < lanes_.size(); ++i) lanes_[i].bytes_max = lane_bytes_max[i];
  }

  // False when the lane has no room for `bytes` or the inbox is closed: the item was not taken.
  [[nodiscard]] bool TryPush(Item item, size_t bytes, size_t lane = 0) VIGIL_EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      VIGIL_CHECK(lane < lanes_.size());
      Lane& queue = lanes_[lane];
      if (closed_ || queue.bytes + bytes > queue.bytes_max) return false;
      queue.bytes += bytes;
      queue.items.emplace_back(std::move(item), bytes);
    }
    ready_.SignalOne();
    return true;
  }

  // Up to `count_max` items, lane 0 first; empty when there is none right now. Takes only from the
  // first `lane_count_max` lanes, for a consumer that has no room yet for what the others bring.
  std::vector<Item> TryPop(size_t count_max, size_t lane_count_max = SIZE_MAX)
      VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return Take(count_max, lane_count_max);
  }

  // As TryPop, but waits up to `timeout` for the first item. Empty: timeout or closed.
  std::vector<Item> PopFor(size_t count_max, std::chrono::microseconds timeout)
      VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!closed_ && IsEmpty()) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) break;
      ready_.WaitFor(&mutex_, deadline - now);
    }
    return Take(count_max, SIZE_MAX);
  }

  // Refuses everything from now on and wakes the consumer; what is inside can still be taken.
  void Close() VIGIL_EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      closed_ = true;
    }
    ready_.SignalAll();
  }

  bool closed() const VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return closed_;
  }
  // Whether `bytes` would fit now; with one producer it still does when that producer pushes.
  bool HasRoom(size_t bytes, size_t lane = 0) const VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return lanes_[lane].bytes + bytes <= lanes_[lane].bytes_max;
  }
  bool empty() const VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return IsEmpty();
  }
  size_t bytes(size_t lane) const VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return lanes_[lane].bytes;
  }

 private:
  struct Lane {
    std::deque<std::pair<Item, size_t>> items;
    size_t bytes = 0;
    size_t bytes_max = 0;
  };

  bool IsEmpty() const VIGIL_REQUIRES(mutex_) {
    for (const Lane& lane : lanes_) {
      if (!lane.items.empty()) return false;
    }
    return true;
  }

  std::vector<Item> Take(size_t count_max, size_t lane_count_max) VIGIL_REQUIRES(mutex_) {
    std::vector<Item> taken;
    for (size_t i = 0; i < lanes_.size() && i < lane_count_max; ++i) {
      Lane& lane = lanes_[i];
      while (!lane.items.empty() && taken.size() < count_max) {
        lane.bytes -= lane.items.front().second;
        taken.push_back(std::move(lane.items.front().first));
        lane.items.pop_front();
      }
    }
    return taken;
  }

  mutable Mutex mutex_;
  CondVar ready_;
  std::vector<Lane> lanes_ VIGIL_GUARDED_BY(mutex_);
  bool closed_ VIGIL_GUARDED_BY(mutex_) = false;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_INBOX_H_
