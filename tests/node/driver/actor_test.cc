#include "node/driver/actor.h"

#include <atomic>
#include <memory>
#include <vector>

#include "node/driver/inbox.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

// Hands numbers on to the next actor, one per step.
class Relay final : public Actor {
 public:
  Relay() : inbox_({1000}) {}
  absl::string_view name() const override { return "relay"; }
  bool Step() override {
    const std::vector<int> items = inbox_.TryPop(1);
    if (items.empty()) return false;
    if (next != nullptr) {
      next->Push(items[0] + 1);
    } else {
      last = items[0];
      ++seen;
    }
    return true;
  }
  void Push(int item) {
    while (!inbox_.TryPush(item, 1)) {
    }
    signal()->Set();
  }

  Relay* next = nullptr;
  std::atomic<int> last{0};
  std::atomic<int> seen{0};

 private:
  Inbox<int> inbox_;
};

// Counts how often its deadline was met.
class Ticker final : public Actor {
 public:
  absl::string_view name() const override { return "ticker"; }
  bool Step() override {
    const int64_t now = SystemClock()->MonotonicMicros();
    if (now < next_micros_) return false;
    next_micros_ = now + 1000;
    ++ticks;
    return true;
  }
  std::optional<int64_t> DeadlineMicros() const override { return next_micros_; }
  std::atomic<int> ticks{0};

 private:
  std::atomic<int64_t> next_micros_{0};
};

TEST_CASE("actor: a step runner runs everything to rest and in an order that the seed decides",
          "[actor]") {
  Relay first;
  Relay second;
  first.next = &second;
  StepRunner runner(/*seed=*/3);
  runner.Add(&first);
  runner.Add(&second);
  for (int i = 0; i < 10; ++i) first.Push(i);
  CHECK(runner.RunUntilIdle(1000) == 20);
  CHECK(second.seen == 10);
  CHECK(second.last == 10);
  CHECK(runner.RunUntilIdle(1000) == 0);
}

TEST_CASE("actor: a step runner stops where it is told", "[actor]") {
  Relay only;
  StepRunner runner(/*seed=*/3);
  runner.Add(&only);
  for (int i = 0; i < 10; ++i) only.Push(i);
  CHECK(runner.RunUntilIdle(4) == 4);
  runner.Remove(&only);
  CHECK(runner.RunUntilIdle(100) == 0);
  CHECK(only.seen == 4);
}

TEST_CASE("actor: threads hand over everything and are joined", "[actor]") {
  Relay first;
  Relay second;
  first.next = &second;
  ThreadRunner runner(SystemClock());
  runner.Start(&first);
  runner.Start(&second);
  for (int i = 0; i < 5000; ++i) first.Push(i);
  while (second.seen < 5000) std::this_thread::yield();
  runner.Stop();
  CHECK(second.last == 5000);
  first.Push(1);
  CHECK(second.seen == 5000);  // Nobody is called after Stop().
}

TEST_CASE("actor: a thread wakes for its actor's deadline", "[actor]") {
  Ticker ticker;
  ThreadRunner runner(SystemClock());
  runner.Start(&ticker);
  while (ticker.ticks < 3) std::this_thread::yield();
  runner.Stop();
  SUCCEED();
}

TEST_CASE("actor: a signal that comes before the wait is not lost", "[actor]") {
  WakeSignal signal;
  signal.Set();
  const int64_t before = SystemClock()->MonotonicMicros();
  signal.WaitFor(std::chrono::seconds(30));
  CHECK(SystemClock()->MonotonicMicros() - before < 20'000'000);
}

TEST_CASE("inbox: lanes have their own budgets and the first is served first", "[inbox]") {
  Inbox<int> inbox({10, 20});
  CHECK(inbox.TryPush(1, 20, 1));
  CHECK_FALSE(inbox.TryPush(2, 1, 1));
  CHECK_FALSE(inbox.HasRoom(1, 1));
  CHECK(inbox.TryPush(3, 10, 0));
  CHECK_FALSE(inbox.TryPush(4, 1, 0));
  CHECK(inbox.TryPop(10, /*lane_count_max=*/1) == std::vector<int>{3});
  CHECK(inbox.TryPop(10, /*lane_count_max=*/1).empty());
  CHECK(inbox.TryPop(10) == std::vector<int>{1});
  CHECK(inbox.TryPush(5, 20, 1));
  inbox.Close();
  CHECK_FALSE(inbox.TryPush(6, 1, 0));
  CHECK(inbox.TryPop(10) == std::vector<int>{5});
}

}  // namespace
}  // namespace vigil::node
