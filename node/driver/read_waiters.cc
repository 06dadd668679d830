#include "node/driver/read_waiters.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace vigil::node {
namespace {

constexpr uint32_t kRetryMillis = 500;

ServiceError ReadError(absl::StatusCode status, absl::string_view code, std::string what) {
  return MakeError(
      status, code, std::move(what),
      "ask again, here or on another validator; --consistency local answers from what this one has",
      kRetryMillis);
}

ServiceError TooManyError() {
  return ReadError(absl::StatusCode::kResourceExhausted, "read.full",
                   absl::StrCat(kReadWaitersMax, " linearizable reads wait here already"));
}

ServiceError LeaderlessError() {
  return ReadError(
      absl::StatusCode::kUnavailable, "read.no_leader",
      "this validator knows no leader, who alone can say what a linearizable read must "
      "see");
}

ServiceError UnconfirmedError() {
  return ReadError(absl::StatusCode::kDeadlineExceeded, "read.unconfirmed",
                   "no leader that a quorum follows confirmed a read index in time");
}

ServiceError BehindError(Height wanted, Height executed) {
  return ReadError(absl::StatusCode::kDeadlineExceeded, "read.behind",
                   absl::StrCat("the read must see height ", wanted.value(),
                                ", this validator has executed ", executed.value()));
}

}  // namespace

void ReadWaiters::Answer(const Callers& callers, const ServiceError& error, Height height) {
  if (callers.empty()) return;
  count_.fetch_sub(callers.size());
  (error.ok() ? counters_->reads_answered : counters_->reads_failed)
      .fetch_add(callers.size(), std::memory_order_relaxed);
  for (const Caller& caller : callers) caller.done(error, height);
}

void ReadWaiters::Wait(int64_t until_micros, ReadDone done) {
  ServiceError error;
  {
    MutexLock lock(&mutex_);
    if (!closed_.has_value() && count_ < kReadWaitersMax) {
      new_.push_back({.until_micros = until_micros, .done = std::move(done)});
      ++count_;
      return;
    }
    error = closed_.has_value() ? *closed_ : TooManyError();
  }
  counters_->reads_failed.fetch_add(1, std::memory_order_relaxed);
  done(error, Height(0));
}

bool ReadWaiters::WantsRound() const {
  if (count_ == 0) return false;
  MutexLock lock(&mutex_);
  return !new_.empty() && rounds_.size() < kReadRoundsMax;
}

void ReadWaiters::Begin(uint64_t read_id) {
  MutexLock lock(&mutex_);
  rounds_[read_id] = std::exchange(new_, {});
}

void ReadWaiters::OnReady(uint64_t read_id, Height height) {
  Callers ready;
  {
    MutexLock lock(&mutex_);
    const auto round = rounds_.find(read_id);
    if (round == rounds_.end()) return;
    Callers& into = height == Height(0) ? new_ : height <= executed_ ? ready : executing_[height];
    std::move(round->second.begin(), round->second.end(), std::back_inserter(into));
    rounds_.erase(round);
  }
  Answer(ready, ServiceError(), height);
}

void ReadWaiters::Advance(Height height) {
  std::vector<std::pair<Height, Callers>> reached;
  {
    MutexLock lock(&mutex_);
    executed_ = std::max(executed_, height);
    const auto end = executing_.upper_bound(executed_);
    std::move(executing_.begin(), end, std::back_inserter(reached));
    executing_.erase(executing_.begin(), end);
  }
  for (const auto& [index, callers] : reached) Answer(callers, ServiceError(), index);
}

void ReadWaiters::TakeExpired(int64_t now_micros, Callers* from, Callers* expired) {
  const auto kept = std::stable_partition(
      from->begin(), from->end(),
      [now_micros](const Caller& caller) { return now_micros < caller.until_micros; });
  std::move(kept, from->end(), std::back_inserter(*expired));
  from->erase(kept, from->end());
}

void ReadWaiters::Expire(int64_t now_micros, bool leaderless) {
  if (count_ == 0) return;
  Callers unconfirmed;
  std::vector<std::pair<Height, Callers>> behind;
  Height executed;
  {
    MutexLock lock(&mutex_);
    executed = executed_;
    const int64_t confirmed_by = leaderless ? INT64_MAX : now_micros;
    TakeExpired(confirmed_by, &new_, &unconfirmed);
    // An empty round stays until it is answered, so that the rounds under way are counted.
    for (auto& [read_id, callers] : rounds_) TakeExpired(confirmed_by, &callers, &unconfirmed);
    for (auto waiting = executing_.begin(); waiting != executing_.end();) {
      Callers late;
      TakeExpired(now_micros, &waiting->second, &late);
      if (!late.empty()) behind.emplace_back(waiting->first, std::move(late));
      waiting = waiting->second.empty() ? executing_.erase(waiting) : std::next(waiting);
    }
  }
  Answer(unconfirmed, leaderless ? LeaderlessError() : UnconfirmedError(), Height(0));
  for (const auto& [wanted, callers] : behind) {
    Answer(callers, BehindError(wanted, executed), Height(0));
  }
}

void ReadWaiters::Close(const ServiceError& error) {
  Callers all;
  {
    MutexLock lock(&mutex_);
    if (!closed_.has_value()) closed_ = error;
    all = std::exchange(new_, {});
    for (auto& [read_id, callers] : std::exchange(rounds_, {})) {
      std::move(callers.begin(), callers.end(), std::back_inserter(all));
    }
    for (auto& [height, callers] : std::exchange(executing_, {})) {
      std::move(callers.begin(), callers.end(), std::back_inserter(all));
    }
  }
  Answer(all, error, Height(0));
}

}  // namespace vigil::node
