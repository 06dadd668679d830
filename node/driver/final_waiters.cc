#include "node/driver/final_waiters.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace vigil::node {
namespace {

ServiceError TooManyError() {
  return MakeError(absl::StatusCode::kResourceExhausted, "final.full",
                   absl::StrCat("the record is committed, but ", kFinalWaitersMax,
                                " submissions wait to become final"),
                   "send the same bytes again, or ask for its receipt and for the checkpoint", 500);
}

}  // namespace

void FinalWaiters::Wait(Height height, FinalDone done) {
  ServiceError error;
  {
    MutexLock lock(&mutex_);
    if (height > this->height()) {
      if (!closed_.has_value() && waiting_.size() < kFinalWaitersMax) {
        waiting_.emplace(height, std::move(done));
        return;
      }
      error = closed_.has_value() ? *closed_ : TooManyError();
    }
  }
  done(error);
}

void FinalWaiters::Advance(Height height) {
  std::vector<FinalDone> reached;
  {
    MutexLock lock(&mutex_);
    if (height <= this->height()) return;
    height_.store(height.value(), std::memory_order_release);
    const auto end = waiting_.upper_bound(height);
    for (auto waiter = waiting_.begin(); waiter != end; ++waiter) {
      reached.push_back(std::move(waiter->second));
    }
    waiting_.erase(waiting_.begin(), end);
  }
  for (const FinalDone& done : reached) done(ServiceError());
}

void FinalWaiters::Close(const ServiceError& error) {
  std::multimap<Height, FinalDone> waiting;
  {
    MutexLock lock(&mutex_);
    if (!closed_.has_value()) closed_ = error;
    waiting.swap(waiting_);
  }
  for (const auto& [height, done] : waiting) done(error);
}

}  // namespace vigil::node
