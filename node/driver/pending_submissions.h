// PendingSubmissions: the clients of this node that wait for an answer, by leaf hash.
//
// Registered by Submit on the caller's thread, answered by the applier (a receipt) or the replica
// (a refusal). Bounded in bytes per lane: this is where overload reaches a client. Thread-safe;
// callbacks run outside the lock.
//
// Invariant: each registered callback is called exactly once, or not at all once it is withdrawn.
#ifndef VIGIL_NODE_DRIVER_PENDING_SUBMISSIONS_H_
#define VIGIL_NODE_DRIVER_PENDING_SUBMISSIONS_H_

#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ledger/base/bytes.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/kinds.h"
#include "node/driver/submit.h"

namespace vigil::node {

class PendingSubmissions {
 public:
  using LaneBytes = std::array<size_t, ledger::kLaneCount>;
  explicit PendingSubmissions(const LaneBytes& lane_bytes_max) : lane_bytes_max_(lane_bytes_max) {}

  enum class Registered : uint8_t {
    kNew,     // The record must be handed on.
    kJoined,  // The same record is under way; `done` is answered with it.
    kFull,    // Not taken: `done` was not called and never will be.
    kClosed,  // As kFull, because the node stops.
  };
  // `ticket` is set when `done` waits: kNew or kJoined.
  Registered Register(const Hash& leaf_hash, ledger::Lane lane, size_t bytes, SubmitDone done,
                      SubmitTicket* ticket) VIGIL_EXCLUDES(mutex_);

  // Waits with others for the same record. False when nobody waits for it, or too many do.
  bool Join(const Hash& leaf_hash, const SubmitDone& done, SubmitTicket* ticket)
      VIGIL_EXCLUDES(mutex_);

  // Drops one caller; a record for which nobody waits gives back its room.
  void Withdraw(const SubmitTicket& ticket) VIGIL_EXCLUDES(mutex_);

  // Answers everybody who waits for `leaf_hash`; nothing happens when nobody does.
  void Answer(const Hash& leaf_hash, const SubmitOutcome& outcome) VIGIL_EXCLUDES(mutex_);
  // Answers everybody who waits now.
  void AnswerAll(const SubmitOutcome& outcome) VIGIL_EXCLUDES(mutex_);
  // Answers everybody, and refuses from now on.
  void Close(const SubmitOutcome& outcome) VIGIL_EXCLUDES(mutex_);

  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  bool Contains(const Hash& leaf_hash) const VIGIL_EXCLUDES(mutex_);
  size_t lane_bytes(ledger::Lane lane) const VIGIL_EXCLUDES(mutex_);

 private:
  struct Waiting {
    ledger::Lane lane = ledger::Lane::kEvents;
    size_t bytes = 0;
    std::vector<std::pair<uint64_t, SubmitDone>> callers;  // By the number of their ticket.
  };

  void Erase(absl::flat_hash_map<Hash, Waiting>::iterator found) VIGIL_REQUIRES(mutex_);

  const LaneBytes lane_bytes_max_;
  std::atomic<size_t> count_{0};  // Of waiting_; lets the applier skip the lock.
  mutable Mutex mutex_;
  absl::flat_hash_map<Hash, Waiting> waiting_ VIGIL_GUARDED_BY(mutex_);
  LaneBytes lane_bytes_ VIGIL_GUARDED_BY(mutex_){};
  uint64_t last_ticket_ VIGIL_GUARDED_BY(mutex_) = 0;
  bool closed_ VIGIL_GUARDED_BY(mutex_) = false;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_PENDING_SUBMISSIONS_H_
