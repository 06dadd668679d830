// FinalWaiters: who waits for a height to become final, and which one is.
//
// The log's actor advances it; surfaces wait. Bounded: when too many wait, the next is told to come
// again. Thread-safe; callbacks run outside the lock.
//
// Invariant: each callback is called exactly once.
#ifndef VIGIL_NODE_DRIVER_FINAL_WAITERS_H_
#define VIGIL_NODE_DRIVER_FINAL_WAITERS_H_

#include <atomic>
#include <functional>
#include <map>
#include <optional>

#include "ledger/base/mutex.h"
#include "ledger/base/strong_id.h"
#include "node/driver/submit.h"

namespace vigil::node {

inline constexpr size_t kFinalWaitersMax = 65'536;

using FinalDone = std::function<void(const ServiceError&)>;

class FinalWaiters {
 public:
  // Calls `done` once: with no error when `height` is final, perhaps at once; with one when too
  // many wait, or nothing becomes final here any more.
  void Wait(Height height, FinalDone done) VIGIL_EXCLUDES(mutex_);
  // Everything up to `height` is final.
  void Advance(Height height) VIGIL_EXCLUDES(mutex_);
  // Answers everybody who waits, and whoever comes for what is not final, with `error`.
  void Close(const ServiceError& error) VIGIL_EXCLUDES(mutex_);

  Height height() const { return Height(height_.load(std::memory_order_acquire)); }

 private:
  std::atomic<uint64_t> height_{0};
  Mutex mutex_;
  std::multimap<Height, FinalDone> waiting_ VIGIL_GUARDED_BY(mutex_);
  std::optional<ServiceError> closed_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_FINAL_WAITERS_H_
