// The time seam: production reads the machine's clocks, the simulator its own.
#ifndef VIGIL_LEDGER_BASE_CLOCK_H_
#define VIGIL_LEDGER_BASE_CLOCK_H_

#include <cstdint>

namespace vigil {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, milliseconds since 1970-01-01 UTC. May jump; never decides safety.
  virtual int64_t UnixMillis() const = 0;
  // Monotonic, microseconds from an arbitrary start.
  virtual int64_t MonotonicMicros() const = 0;
};

// The machine's clocks. Lives for the whole process; thread-safe.
const Clock* SystemClock();

// A clock that moves only when told. Belongs to one thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t unix_millis = 1'700'000'000'000)
      : unix_micros_(unix_millis * 1000) {}
  int64_t UnixMillis() const override { return (unix_micros_ + micros_) / 1000; }
  int64_t MonotonicMicros() const override { return micros_; }
  void AdvanceMicros(int64_t micros) { micros_ += micros; }
  // Shifts the wall clock only, as an operator or NTP would.
  void JumpWallMillis(int64_t millis) { unix_micros_ += millis * 1000; }

 private:
  int64_t unix_micros_;
  int64_t micros_ = 0;
};

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_CLOCK_H_
