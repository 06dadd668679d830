// TransferDesk: where somebody asks this node to hand leadership over, one at a time.
//
// Surfaces and the shutdown ask; the replica takes the question, drives the core and answers.
// Thread-safe; callbacks run outside the lock.
//
// Invariant: each callback is called exactly once.
#ifndef VIGIL_NODE_DRIVER_TRANSFER_DESK_H_
#define VIGIL_NODE_DRIVER_TRANSFER_DESK_H_

#include <atomic>
#include <functional>
#include <optional>

#include "ledger/base/mutex.h"
#include "ledger/base/strong_id.h"
#include "node/driver/submit.h"

namespace vigil::node {

struct TransferOutcome {
  ServiceError error;  // ok(): `leader` leads.
  ValidatorIndex leader;
};
using TransferDone = std::function<void(const TransferOutcome&)>;

class TransferDesk {
 public:
  // Whom to hand over to; nullopt: whoever is furthest.
  struct Question {
    std::optional<ValidatorIndex> to;
  };

  // Answers at once when another transfer is under way, or when it is closed.
  void Ask(std::optional<ValidatorIndex> to, TransferDone done) VIGIL_EXCLUDES(mutex_);
  // Of the replica: a question that was not taken yet. It must be answered.
  std::optional<Question> Take() VIGIL_EXCLUDES(mutex_);
  // Nothing happens when nobody waits any more.
  void Answer(const TransferOutcome& outcome) VIGIL_EXCLUDES(mutex_);
  // Answers whoever waits, and whoever comes, with `error`.
  void Close(const ServiceError& error) VIGIL_EXCLUDES(mutex_);

 private:
  std::atomic<bool> asked_{false};  // Not taken yet; lets the replica skip the lock.
  Mutex mutex_;
  Question question_ VIGIL_GUARDED_BY(mutex_);
  TransferDone done_ VIGIL_GUARDED_BY(mutex_);  // Empty: nobody waits.
  std::optional<ServiceError> closed_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_TRANSFER_DESK_H_
