// base::Mutex: std::mutex with the annotations that clang's -Wthread-safety checks.
//
// absl::Mutex is banned: Debian's Abseil is not instrumented, so TSan reports false races on it.
#ifndef VIGIL_LEDGER_BASE_MUTEX_H_
#define VIGIL_LEDGER_BASE_MUTEX_H_

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define VIGIL_ANNOTATE(x) __attribute__((x))
#else
#define VIGIL_ANNOTATE(x)
#endif

#define VIGIL_CAPABILITY(name) VIGIL_ANNOTATE(capability(name))
#define VIGIL_SCOPED_CAPABILITY VIGIL_ANNOTATE(scoped_lockable)
#define VIGIL_GUARDED_BY(mutex) VIGIL_ANNOTATE(guarded_by(mutex))
#define VIGIL_REQUIRES(...) VIGIL_ANNOTATE(requires_capability(__VA_ARGS__))
#define VIGIL_EXCLUDES(...) VIGIL_ANNOTATE(locks_excluded(__VA_ARGS__))
#define VIGIL_ACQUIRE(...) VIGIL_ANNOTATE(acquire_capability(__VA_ARGS__))
#define VIGIL_RELEASE(...) VIGIL_ANNOTATE(release_capability(__VA_ARGS__))
#define VIGIL_NO_THREAD_SAFETY_ANALYSIS VIGIL_ANNOTATE(no_thread_safety_analysis)

namespace vigil {

class VIGIL_CAPABILITY("mutex") Mutex {
 public:
  void Lock() VIGIL_ACQUIRE() { mutex_.lock(); }
  void Unlock() VIGIL_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class VIGIL_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) VIGIL_ACQUIRE(mutex) : mutex_(mutex) { mutex_->Lock(); }
  ~MutexLock() VIGIL_RELEASE() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// Waits may wake without cause: loop on the condition.
class CondVar {
 public:
  void Wait(Mutex* mutex) VIGIL_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns false when `timeout` passed first.
  template <typename Duration>
  bool WaitFor(Mutex* mutex, Duration timeout) VIGIL_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    const std::cv_status status = condition_.wait_for(lock, timeout);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void SignalOne() { condition_.notify_one(); }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_MUTEX_H_
