#include "node/driver/actor.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <string>

namespace vigil::node {
namespace {

// How long a thread sleeps when its actor has no deadline.
constexpr int64_t kIdleMicrosMax = 1'000'000;

}  // namespace

void WakeSignal::Set() {
  {
    MutexLock lock(&mutex_);
    if (set_) return;
    set_ = true;
  }
  changed_.SignalOne();
}

void WakeSignal::WaitFor(std::chrono::microseconds timeout) {
  MutexLock lock(&mutex_);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!set_) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) break;
    changed_.WaitFor(&mutex_, deadline - now);
  }
  set_ = false;
}

struct ThreadRunner::Worker {
  Actor* actor = nullptr;
  std::atomic<bool> stopping{false};
  std::thread thread;

  void Run(const Clock* clock) {
    pthread_setname_np(pthread_self(), std::string(actor->name()).substr(0, 15).c_str());
    while (!stopping) {
      if (actor->Step()) continue;
      int64_t wait_micros = kIdleMicrosMax;
      if (const std::optional<int64_t> deadline = actor->DeadlineMicros()) {
        wait_micros = std::clamp<int64_t>(*deadline - clock->MonotonicMicros(), 0, kIdleMicrosMax);
      }
      actor->signal()->WaitFor(std::chrono::microseconds(wait_micros));
    }
  }
};

ThreadRunner::ThreadRunner(const Clock* clock) : clock_(clock) {}

ThreadRunner::~ThreadRunner() { Stop(); }

void ThreadRunner::Start(Actor* actor) {
  workers_.push_back(std::make_unique<Worker>());
  Worker* worker = workers_.back().get();
  worker->actor = actor;
  worker->thread = std::thread([worker, clock = clock_] { worker->Run(clock); });
}

void ThreadRunner::Stop() {
  for (const auto& worker : workers_) worker->stopping = true;
  for (const auto& worker : workers_) worker->actor->signal()->Set();
  for (const auto& worker : workers_) worker->thread.join();
  workers_.clear();
}

void StepRunner::Add(Actor* actor) { actors_.push_back(actor); }

void StepRunner::Remove(Actor* actor) { std::erase(actors_, actor); }

size_t StepRunner::RunUntilIdle(size_t steps_max) {
  size_t worked = 0;
  std::vector<Actor*> candidates = actors_;
  while (!candidates.empty() && worked < steps_max) {
    const size_t chosen = random_.Below(candidates.size());
    if (candidates[chosen]->Step()) {
      ++worked;
      candidates = actors_;  // Its outputs may have woken any other.
    } else {
      candidates.erase(candidates.begin() + static_cast<int64_t>(chosen));
    }
  }
  return worked;
}

}  // namespace vigil::node
