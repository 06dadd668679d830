#include "node/driver/follow_actor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/base/status_macros.h"
#include "node/driver/final_blocks.h"

namespace vigil::node {
namespace {

constexpr int64_t kAnswerMicros = 30'000'000;
constexpr int64_t kPauseMicros = 200'000;        // When nobody has anything new.
constexpr int64_t kPassOverMicros = 60'000'000;  // Whoever answered what does not hold.

}  // namespace

FollowActor::FollowActor(const Ports& ports, std::unique_ptr<ledger::Journal> journal, Height last)
    : ports_(ports),
      keys_(ledger::LogKeysOf(*ports.genesis)),
      journal_(std::move(journal)),
      last_(last),
      // Above those of an earlier start, whose late answers are no fault.
      last_id_(static_cast<uint32_t>(Now() / 1000 & 0x3fff'ffff)) {}

absl::Status FollowActor::OnAnswer(ValidatorIndex from, FetchAnswer answer) {
  {
    MutexLock lock(&mutex_);
    const bool fits = asked_.has_value() && asked_->peer == from && asked_->id == answer.id &&
                      !asked_->answer.has_value();
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat("answer to fetch ", answer.id, ", which is not waited for"));
    }
    asked_->answer = std::move(answer);
  }
  signal()->Set();
  return absl::OkStatus();
}

bool FollowActor::Step() {
  // What is judged next continues executed state.
  if (ports_.fatal->failed() || ports_.chain->tip() < last_) return false;
  std::optional<Asked> done;
  {
    MutexLock lock(&mutex_);
    if (asked_.has_value()) {
      if (!asked_->answer.has_value() && Now() < asked_->until_micros) return false;
      done = std::move(asked_);
      asked_.reset();
    }
  }
  if (!done.has_value()) return Now() >= resume_micros_ && AskNext();
  if (!done->answer.has_value()) {
    passed_over_[done->peer] = Now() + kPassOverMicros;
    return true;
  }
  const absl::Status taken = Take(done->peer, *done->answer);
  if (!taken.ok()) ports_.fatal->Fail(Annotate(taken, "follow"));
  return true;
}

// Errors are our own: what does not hold is its sender's.
absl::Status FollowActor::Take(ValidatorIndex from, const FetchAnswer& answer) {
  if (absl::IsResourceExhausted(answer.status)) {
    resume_micros_ = Now() + std::clamp<int64_t>(answer.retry_after_millis, 100, 60'000) * 1000;
    return absl::OkStatus();
  }
  if (!answer.status.ok()) {
    // Nothing new there, or what it lacks: once round, then a pause.
    if (++without_news_ < ports_.genesis->validators.size()) return absl::OkStatus();
    without_news_ = 0;
    resume_micros_ = Now() + kPauseMicros;
    return absl::OkStatus();
  }
  without_news_ = 0;
  const ChainAccess::View view = ports_.chain->CurrentView();
  const absl::StatusOr<std::vector<ledger::BlockPtr>> blocks =
      CheckFinalBlocks(*ports_.genesis, keys_, view.tip, answer.body);
  if (blocks.ok()) return Keep(*blocks);
  bad_answers_.fetch_add(1, std::memory_order_relaxed);
  passed_over_[from] = Now() + kPassOverMicros;
  (*ports_.log)(LogLevel::kWarning, "follow",
                absl::StrCat(ports_.genesis->validators[from.value()].identity(),
                             " answered what does not hold, and is passed over: ",
                             blocks.status().message()));
  return absl::OkStatus();
}

absl::Status FollowActor::Keep(const std::vector<ledger::BlockPtr>& blocks) {
  std::vector<ApplyJob> jobs;
  for (const ledger::BlockPtr& block : blocks) {
    ASSIGN_OR_RETURN(const ledger::JournalPosition position,
                     journal_->Append(ledger::JournalType::kBlock, AsBytes(block->frame())));
    jobs.push_back({.block = block->id(), .position = position});
    ports_.cache->Add(block);
  }
  const std::string mark = consensus::EncodeRaftCommitRecord(
      {.epoch = ports_.genesis->epoch, .block = blocks.back()->id()});
  RETURN_IF_ERROR(journal_->Append(ledger::JournalType::kCommit, AsBytes(mark)).status());
  RETURN_IF_ERROR(journal_->Sync());
  last_ = blocks.back()->height();
  for (const ApplyJob& job : jobs) ports_.applier->Push(job);
  return absl::OkStatus();
}

bool FollowActor::AskNext() {
  const auto count = static_cast<uint32_t>(ports_.genesis->validators.size());
  for (uint32_t i = 0; i < count; ++i) {
    const ValidatorIndex peer(turn_++ % count);
    const auto passed = passed_over_.find(peer);
    if (passed != passed_over_.end() && Now() < passed->second) continue;
    if (peer == ports_.self || !ports_.transport->IsConnected(peer)) continue;
    FetchRequest request;
    request.id = ++last_id_;
    request.kind = FetchKind::kFinalBlocks;
    request.first = last_.Next();
    request.count_max = kFetchBlocksMax;
    {
      MutexLock lock(&mutex_);
      asked_ = Asked{.peer = peer,
                     .id = request.id,
                     .until_micros = Now() + kAnswerMicros,
                     .answer = std::nullopt};
    }
    OutFrame frame;
    frame.head = EncodeFetchRequest(request);
    if (ports_.transport->Send(peer, std::move(frame))) return true;
    MutexLock lock(&mutex_);
    asked_.reset();
  }
  resume_micros_ = Now() + kPauseMicros;
  return false;
}

std::optional<int64_t> FollowActor::DeadlineMicros() const {
  // Execution wakes it.
  if (ports_.chain->tip() < last_) return std::nullopt;
  MutexLock lock(&mutex_);
  return asked_.has_value() ? asked_->until_micros : resume_micros_;
}

}  // namespace vigil::node
