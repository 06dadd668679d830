#include "node/driver/transfer_desk.h"

#include <utility>

namespace vigil::node {
namespace {

ServiceError BusyError() {
  return MakeError(absl::StatusCode::kFailedPrecondition, "transfer.busy",
                   "leadership is being handed over already",
                   "see who leads: vigil status; then ask again if need be");
}

}  // namespace

void TransferDesk::Ask(std::optional<ValidatorIndex> to, TransferDone done) {
  TransferOutcome refused;
  {
    MutexLock lock(&mutex_);
    if (!closed_.has_value() && !done_) {
      question_ = {.to = to};
      done_ = std::move(done);
      asked_ = true;
      return;
    }
    refused.error = closed_.has_value() ? *closed_ : BusyError();
  }
  done(refused);
}

std::optional<TransferDesk::Question> TransferDesk::Take() {
  if (!asked_) return std::nullopt;
  MutexLock lock(&mutex_);
  if (!asked_.exchange(false)) return std::nullopt;
  return question_;
}

void TransferDesk::Answer(const TransferOutcome& outcome) {
  TransferDone done;
  {
    MutexLock lock(&mutex_);
    done = std::exchange(done_, nullptr);
  }
  if (done) done(outcome);
}

void TransferDesk::Close(const ServiceError& error) {
  {
    MutexLock lock(&mutex_);
    if (!closed_.has_value()) closed_ = error;
    asked_ = false;
  }
  Answer({.error = error, .leader = ValidatorIndex()});
}

}  // namespace vigil::node
