// ReadWaiters: who waits for this node's state to contain everything that was acknowledged before
// he asked (protocol.md, R25).
//
// Callers wait first for a read index, then for execution to reach it. All who come before a round
// begins share it. The replica drives it: it begins rounds, hands in what the core answers, and
// says how far execution is. Bounded in callers, and each waits until his deadline at most.
// Thread-safe; callbacks run outside the lock.
//
// Invariant: each callback is called exactly once.
#ifndef VIGIL_NODE_DRIVER_READ_WAITERS_H_
#define VIGIL_NODE_DRIVER_READ_WAITERS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ledger/base/mutex.h"
#include "ledger/base/strong_id.h"
#include "node/driver/counters.h"
#include "node/driver/submit.h"

namespace vigil::node {

inline constexpr size_t kReadWaitersMax = 65'536;
// Rounds that were begun and not answered; who comes meanwhile shares the next.
inline constexpr size_t kReadRoundsMax = 4;

// Without error: state at `height` or above contains everything acknowledged before the question.
using ReadDone = std::function<void(const ServiceError& error, Height height)>;

class ReadWaiters {
 public:
  // `counters` must outlive it.
  explicit ReadWaiters(NodeCounters* counters) : counters_(counters) {}

  // Calls `done` once, at `until_micros` of the monotonic clock at the latest; at once when too
  // many wait or it is closed.
  void Wait(int64_t until_micros, ReadDone done) VIGIL_EXCLUDES(mutex_);

  // Of the replica. Whether somebody waits for a round and one more may begin.
  bool WantsRound() const VIGIL_EXCLUDES(mutex_);
  // Everybody who waits for a round waits for `read_id`, a new one, from now on.
  void Begin(uint64_t read_id) VIGIL_EXCLUDES(mutex_);
  // What the core said; `height` 0: it is lost, and its callers wait for the next round.
  void OnReady(uint64_t read_id, Height height) VIGIL_EXCLUDES(mutex_);
  // State is executed up to `height`.
  void Advance(Height height) VIGIL_EXCLUDES(mutex_);
  // Answers whoever waited long enough; with `leaderless`, everybody who has no read index.
  void Expire(int64_t now_micros, bool leaderless) VIGIL_EXCLUDES(mutex_);

  // Answers everybody who waits, and whoever comes, with `error`.
  void Close(const ServiceError& error) VIGIL_EXCLUDES(mutex_);
  size_t size() const { return count_; }

 private:
  struct Caller {
    int64_t until_micros = 0;
    ReadDone done;
  };
  using Callers = std::vector<Caller>;

  void Answer(const Callers& callers, const ServiceError& error, Height height);
  // Moves those out of `from` whose time is up.
  static void TakeExpired(int64_t now_micros, Callers* from, Callers* expired);

  NodeCounters* const counters_;
  std::atomic<size_t> count_{0};  // Of all callers; lets the replica skip the lock.
  mutable Mutex mutex_;
  Callers new_ VIGIL_GUARDED_BY(mutex_);                         // Wait for a round.
  std::map<uint64_t, Callers> rounds_ VIGIL_GUARDED_BY(mutex_);  // By read id.
  std::map<Height, Callers> executing_ VIGIL_GUARDED_BY(mutex_);
  Height executed_ VIGIL_GUARDED_BY(mutex_);
  std::optional<ServiceError> closed_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_READ_WAITERS_H_
