// FatalLatch: the one place that knows whether this node is dead.
//
// After a failed write or sync, a state divergence or damage found while running, nothing the node
// could say can be trusted. The first failure is kept; every actor asks before it acts, and
// node/app exits non-zero. Thread-safe.
#ifndef VIGIL_NODE_DRIVER_FATAL_LATCH_H_
#define VIGIL_NODE_DRIVER_FATAL_LATCH_H_

#include <atomic>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "ledger/base/mutex.h"

namespace vigil::node {

class FatalLatch {
 public:
  // `on_fatal` is called once, on the thread that failed; it must not block. May be empty.
  explicit FatalLatch(std::function<void(const absl::Status&)> on_fatal)
      : on_fatal_(std::move(on_fatal)) {}

  // Keeps the first error. REQUIRES: !error.ok().
  void Fail(const absl::Status& error) VIGIL_EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (failed_) return;
      status_ = error;
      failed_ = true;
    }
    if (on_fatal_) on_fatal_(error);
  }
  bool failed() const { return failed_; }
  // OK while alive.
  absl::Status status() const VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return status_;
  }

 private:
  const std::function<void(const absl::Status&)> on_fatal_;
  std::atomic<bool> failed_{false};
  mutable Mutex mutex_;
  absl::Status status_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_FATAL_LATCH_H_
