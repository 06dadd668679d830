#include "node/driver/journal_writer.h"

#include "absl/status/status.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

using consensus::JournalAppend;
using ledger::JournalPosition;
using ledger::JournalType;

constexpr size_t kGroupJobsMax = 256;
constexpr int64_t kGuardMicrosMax = 1'000'000;
constexpr size_t kGuardBytesMax = 1024;
constexpr size_t kBaseBytesMax = 1024;
constexpr size_t kAppendBytes = 64;  // Bookkeeping of one append in the inbox's budget.

JournalType TypeOf(JournalAppend::Kind kind) {
  switch (kind) {
    case JournalAppend::Kind::kBlock:
      return JournalType::kBlock;
    case JournalAppend::Kind::kVote:
      return JournalType::kVote;
    case JournalAppend::Kind::kCommit:
      return JournalType::kCommit;
  }
  return JournalType::kVote;
}

ByteSpan BodyOf(const JournalAppend& append) {
  return AsBytes(append.block != nullptr ? append.block->frame() : append.body);
}

}  // namespace

size_t JournalJob::bytes() const {
  size_t total = kAppendBytes;
  for (const JournalAppend& one : append) total += kAppendBytes + BodyOf(one).size();
  return total;
}

JournalWriter::JournalWriter(const Ports& ports, std::unique_ptr<ledger::Journal> journal,
                             std::string guard_path, const ledger::RollbackGuard& guard,
                             size_t inbox_bytes_max)
    : ports_(ports),
      journal_(std::move(journal)),
      guard_path_(std::move(guard_path)),
      guard_(guard),
      guard_saved_micros_(ports.clock->MonotonicMicros()),
      inbox_({inbox_bytes_max}),
      guards_({kGuardBytesMax}),
      base_inbox_({kBaseBytesMax}) {}

bool JournalWriter::Push(JournalJob* job) {
  const size_t bytes = job->bytes();
  // A job larger than the whole budget still goes, alone.
  const bool fits = inbox_.HasRoom(bytes);
  if (!fits && inbox_.bytes(0) > 0) return false;
  const bool taken = inbox_.TryPush(std::move(*job), fits ? bytes : 0);
  VIGIL_CHECK(taken, "the journal's inbox has one producer and is never closed");
  signal()->Set();
  return true;
}

void JournalWriter::PushGuard(std::string body) {
  const size_t bytes = body.size();
  VIGIL_CHECK(guards_.TryPush(std::move(body), bytes), "a cosigner's guard before the last one");
  signal()->Set();
}

void JournalWriter::SetLast(std::string vote, std::string cosigned) {
  last_vote_ = std::move(vote);
  last_cosigned_ = std::move(cosigned);
  NotePromises();
}

void JournalWriter::NotePromises() {
  has_promises_.store(!last_vote_.empty() && !last_cosigned_.empty(), std::memory_order_release);
}

void JournalWriter::Renew() {
  renew_wanted_ = true;
  signal()->Set();
}

void JournalWriter::CloseSegment() {
  close_wanted_ = true;
  Renew();
}

void JournalWriter::RenewAbove(std::string body) {
  const size_t bytes = body.size();
  VIGIL_CHECK(has_promises() && base_inbox_.TryPush(std::move(body), bytes),
              "a base frame before the last one, or before any promise");
  Renew();
}

// The base comes last: what a crash leaves of the group has the promises if it has the base.
absl::Status JournalWriter::AppendLast(const std::vector<std::string>& bases) {
  if (close_wanted_.exchange(false)) {
    // A segment begins only where everything before it is durable.
    RETURN_IF_ERROR(journal_->Sync());
    journal_->CloseSegment();
  }
  if (!last_vote_.empty()) {
    RETURN_IF_ERROR(journal_->Append(JournalType::kVote, AsBytes(last_vote_)).status());
  }
  if (!last_cosigned_.empty()) {
    RETURN_IF_ERROR(journal_->Append(JournalType::kCosigned, AsBytes(last_cosigned_)).status());
  }
  for (const std::string& base : bases) {
    RETURN_IF_ERROR(journal_->Append(JournalType::kBase, AsBytes(base)).status());
  }
  RETURN_IF_ERROR(journal_->Sync());
  renewed_.fetch_add(1, std::memory_order_release);
  bases_.fetch_add(bases.size(), std::memory_order_release);
  return absl::OkStatus();
}

bool JournalWriter::Step() {
  if (ports_.fatal->failed()) return false;
  if (renew_wanted_.exchange(false)) {
    const absl::Status status = AppendLast(base_inbox_.TryPop(1));
    if (!status.ok()) ports_.fatal->Fail(Annotate(status, "journal"));
    return status.ok();
  }
  const std::vector<JournalJob> group = inbox_.TryPop(kGroupJobsMax);
  const std::vector<std::string> guards = guards_.TryPop(kGroupJobsMax);
  Durable durable;
  absl::Status status;
  if (!group.empty() || !guards.empty()) {
    status = WriteGroup(group, guards, &durable);
  } else if (ports_.clock->MonotonicMicros() >= guard_saved_micros_ + kGuardMicrosMax) {
    status = SaveGuard(Epoch(guard_.epoch), View(guard_.view));
  } else {
    return false;
  }
  if (!status.ok()) {
    ports_.fatal->Fail(Annotate(status, "journal"));
    return false;
  }
  if (!group.empty()) ports_.on_durable(std::move(durable));
  if (!guards.empty()) ports_.on_guarded();
  return true;
}

absl::Status JournalWriter::WriteGroup(const std::vector<JournalJob>& group,
                                       const std::vector<std::string>& guards, Durable* durable) {
  bool must_sync = !guards.empty();
  size_t bytes = 0;
  for (const JournalJob& job : group) {
    for (const JournalAppend& append : job.append) {
      const ByteSpan body = BodyOf(append);
      ASSIGN_OR_RETURN(const JournalPosition position, journal_->Append(TypeOf(append.kind), body));
      if (append.kind == JournalAppend::Kind::kVote) last_vote_ = ToString(body);
      if (append.block != nullptr) durable->blocks.emplace_back(append.block->id(), position);
      bytes += body.size();
    }
    must_sync = must_sync || job.must_sync;
    durable->sequence = job.sequence;
  }
  for (const std::string& guard : guards) {
    RETURN_IF_ERROR(journal_->Append(JournalType::kCosigned, AsBytes(guard)).status());
    last_cosigned_ = guard;
    bytes += guard.size();
  }
  NotePromises();
  ports_.counters->journal_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (must_sync) {
    RETURN_IF_ERROR(journal_->Sync());
    ports_.counters->journal_syncs.fetch_add(1, std::memory_order_relaxed);
  }
  if (group.empty()) return absl::OkStatus();
  const JournalJob& last = group.back();
  const bool moved_on = last.epoch.value() != guard_.epoch || last.view.value() != guard_.view;
  const bool is_due = ports_.clock->MonotonicMicros() >= guard_saved_micros_ + kGuardMicrosMax;
  if (moved_on || is_due) return SaveGuard(last.epoch, last.view);
  return absl::OkStatus();
}

absl::Status JournalWriter::SaveGuard(Epoch epoch, View view) {
  guard_saved_micros_ = ports_.clock->MonotonicMicros();
  ledger::RollbackGuard guard = guard_;
  guard.epoch = epoch.value();
  guard.view = view.value();
  guard.durable_offset = journal_->durable_offset();
  if (guard == guard_) return absl::OkStatus();
  RETURN_IF_ERROR(ledger::SaveRollbackGuard(ports_.files, guard_path_, guard));
  guard_ = guard;
  return absl::OkStatus();
}

std::optional<int64_t> JournalWriter::DeadlineMicros() const {
  return guard_saved_micros_ + kGuardMicrosMax;
}

}  // namespace vigil::node
