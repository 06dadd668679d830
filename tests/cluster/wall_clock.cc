// A wall clock of one process that a test sets, without touching the machine's. Preloaded
// (LD_PRELOAD) into a validator, it adds the number of nanoseconds, 8 bytes in the machine's order,
// that stand at the beginning of the file VIGIL_WALL_CLOCK_FILE, now and whenever they change.
//
// Moments of the wall clock that are handed to waiting calls are turned back, as the kernel knows
// only the machine's clock. A wait that is under way when the clock jumps does not learn of it.
// Monotonic clocks are left alone. The variable's absence leaves everything alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

const std::atomic<int64_t>* MapOffset() {
  static const std::atomic<int64_t> nothing{0};
  const char* const path = std::getenv("VIGIL_WALL_CLOCK_FILE");
  if (path == nullptr) return &nothing;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) std::abort();  // A test that believes in a clock that is not there proves nothing.
  void* const page = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) std::abort();
  close(file);
  return static_cast<const std::atomic<int64_t>*>(page);
}

int64_t Offset() {
  static const std::atomic<int64_t>* const offset = MapOffset();
  return offset->load(std::memory_order_relaxed);
}

timespec Shifted(const timespec& time, int64_t nanos) {
  const int64_t total = time.tv_sec * kNanosPerSecond + time.tv_nsec + nanos;
  const int64_t whole = total > 0 ? total : 0;
  return {.tv_sec = whole / kNanosPerSecond, .tv_nsec = whole % kNanosPerSecond};
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto next = Next<int(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    *time = Shifted(*time, Offset());
  return result;
}

int gettimeofday(timeval* time, void* /*zone*/) noexcept {
  timespec now{};
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return result;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  static const auto next =
      Next<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  const timespec machine = Shifted(*until, -Offset());
  return next(condition, mutex, &machine);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
  static const auto next = Next<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>(
      "pthread_cond_clockwait");
  const timespec machine = Shifted(*until, clock == CLOCK_REALTIME ? -Offset() : 0);
  return next(condition, mutex, clock, &machine);
}

// Abseil waits by calling the kernel itself.
long syscall(long number, ...) noexcept {
  static const auto next = Next<long(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  timespec machine{};
  if (number == SYS_futex && (arguments[1] & FUTEX_CLOCK_REALTIME) != 0 && arguments[3] != 0) {
    machine = Shifted(*reinterpret_cast<const timespec*>(arguments[3]), -Offset());
    arguments[3] = reinterpret_cast<long>(&machine);
  }
  return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}

}  // extern "C"
