// Actors: workers without a thread of their own.
//
// An actor is a function from its inboxes to its outputs: Step() does what is at hand and returns.
// It never waits, starts no thread and reads no clock but the one handed to it. In production a
// ThreadRunner gives each actor a thread; tests and the simulator call them in turn on one thread
// (StepRunner), in an order that a seed decides.
#ifndef VIGIL_NODE_DRIVER_ACTOR_H_
#define VIGIL_NODE_DRIVER_ACTOR_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/base/random.h"

namespace vigil::node {

// "Something arrived for you": set by producers, waited for by the thread that runs the actor.
// Thread-safe. A signal that comes while nobody waits is kept.
class WakeSignal {
 public:
  void Set() VIGIL_EXCLUDES(mutex_);
  // Waits until the signal is set, at most `timeout`, and resets it.
  void WaitFor(std::chrono::microseconds timeout) VIGIL_EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ VIGIL_GUARDED_BY(mutex_) = false;
};

class Actor {
 public:
  virtual ~Actor() = default;
  // Name of its thread; at most 15 characters.
  virtual absl::string_view name() const = 0;
  // Does a bounded amount of what is at hand. False when there was nothing to do. Called by one
  // thread at a time.
  virtual bool Step() = 0;
  // Monotonic time at which Step() must be called even if nothing arrives; nullopt: never.
  virtual std::optional<int64_t> DeadlineMicros() const { return std::nullopt; }

  WakeSignal* signal() { return &signal_; }

 private:
  WakeSignal signal_;
};

// Runs actors on threads, one each, named after them. Start() and Stop() belong to one thread.
class ThreadRunner {
 public:
  // `clock` must outlive the runner.
  explicit ThreadRunner(const Clock* clock);
  ~ThreadRunner();
  // `actor` must outlive the runner or the next Stop().
  void Start(Actor* actor);
  // Ends and joins all threads; an actor is not called again afterwards.
  void Stop();

 private:
  struct Worker;
  const Clock* const clock_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// Calls actors in a seeded random order on the calling thread.
class StepRunner {
 public:
  explicit StepRunner(uint64_t seed) : random_(seed) {}
  // `actor` must outlive the runner or its Remove().
  void Add(Actor* actor);
  void Remove(Actor* actor);
  // Steps actors until none has anything to do, at most `steps_max` times. Returns the number of
  // steps that did something.
  size_t RunUntilIdle(size_t steps_max);

 private:
  SplitMix64 random_;
  std::vector<Actor*> actors_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_ACTOR_H_
