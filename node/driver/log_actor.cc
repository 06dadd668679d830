#include "node/driver/log_actor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/proof/fork_evidence.h"
#include "ledger/storage/store.h"

namespace vigil::node {
namespace {

constexpr size_t kInboxBytesMax = 4u << 20;
constexpr size_t kNotesPerStepMax = 256;
constexpr int64_t kRewriteMicros = 200'000;  // Further cosignatures of a final checkpoint.
constexpr uint64_t kEvidenceFilesMax = 1'000;

}  // namespace

LogActor::LogActor(const Ports& ports, const Options& options)
    : ports_(ports),
      options_(options),
      keys_(ledger::LogKeysOf(*ports.genesis)),
      inbox_({kInboxBytesMax}),
      next_(1) {}

absl::StatusOr<std::unique_ptr<LogActor>> LogActor::Open(const Ports& ports,
                                                         const Options& options) {
  std::unique_ptr<LogActor> actor(new LogActor(ports, options));
  RETURN_IF_ERROR(actor->Load());
  return actor;
}

absl::Status LogActor::Load() {
  ASSIGN_OR_RETURN(tiles_, TileStore::Open(ports_.files, options_.directory));
  if (!tiles_->damage().empty()) {
    Say(LogLevel::kWarning,
        absl::StrCat("the tiles are made again from the journal: ", tiles_->damage()));
  }
  next_ = tiles_->saved().height.Next();
  made_here_ = tiles_->tree().size() == 0;
  resumes_ = !made_here_;

  Cosigner::Options cosigner{.keys = &keys_,
                             .log_key = ports_.log_key,
                             .cosigner_key = ports_.cosigner_key,
                             .self = ports_.self,
                             .guard = options_.guard,
                             .seed = options_.seed};
  if (options_.floor > cosigner.guard.floor) {
    cosigner.guard.floor = options_.floor;
    writing_floor_ = true;
    ports_.save_guard(EncodeCosignGuard(cosigner.guard));
  }
  cosigner_ = std::make_unique<Cosigner>(cosigner);

  const absl::StatusOr<std::string> note = tiles_->ReadCheckpoint();
  if (!note.ok() && !absl::IsNotFound(note.status())) return note.status();
  if (note.ok()) {
    absl::StatusOr<Cosigned> cosigned = CheckCosigned(keys_, WithoutOutsideLines(keys_, *note));
    if (cosigned.ok()) {
      loaded_ = *std::move(cosigned);
    } else {
      // Not synced, so a power loss may have torn it; others have it, and it comes anew.
      Say(LogLevel::kWarning,
          absl::StrCat("the stored checkpoint is ignored: ", cosigned.status().message()));
    }
  }
  const std::string evidence = options_.directory + "/evidence";
  if (ports_.files->Exists(evidence)) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, ports_.files->List(evidence));
    evidence_files_ = names.size();
  }
  ShareState();
  return absl::OkStatus();
}

absl::Status LogActor::OnCosignature(ValidatorIndex from, const CosignatureFrame& frame) {
  ASSIGN_OR_RETURN(SignedCheckpoint checkpoint, CheckSignedCheckpoint(keys_, from, frame.note));
  const size_t bytes = sizeof(Note) + frame.note.size();
  if (!inbox_.TryPush({.checkpoint = std::move(checkpoint), .asks = frame.asks}, bytes)) {
    return absl::ResourceExhaustedError("no room for a cosignature; it is sent again");
  }
  signal()->Set();
  return absl::OkStatus();
}

void LogActor::OnGuarded() {
  guarded_ = true;
  signal()->Set();
}

void LogActor::WantSaved() {
  saved_wanted_ = true;
  signal()->Set();
}

absl::Status LogActor::SaveIfWanted() {
  const Height held = next_.Previous();
  if (!saved_wanted_ || !unverified_.empty() || resumes_) return absl::OkStatus();
  saved_wanted_ = false;
  return held > tiles_->saved().height ? tiles_->SaveProgress(held) : absl::OkStatus();
}

void LogActor::OnWitnessed(const WitnessedCheckpoint& witnessed) {
  {
    MutexLock lock(&mutex_);
    outside_.Put(witnessed);
    notes_.PutLine(witnessed);
    if (witnessed.size != validators_note_size_) return;
    checkpoint_ = outside_.AddTo(validators_note_, validators_note_size_);
  }
  outside_is_new_ = true;
  signal()->Set();
}

Instant LogActor::Now() const {
  return {.micros = ports_.clock->MonotonicMicros(),
          .unix_seconds =
              static_cast<uint64_t>(std::max<int64_t>(ports_.clock->UnixMillis(), 0) / 1000)};
}

bool LogActor::Step() {
  if (ports_.fatal->failed()) return false;
  if (!refusing_.empty()) return !inbox_.TryPop(kNotesPerStepMax).empty();
  const Instant now = Now();
  LetVote();
  bool worked = TakeInputs(now);
  const absl::StatusOr<bool> followed = Follow(now);
  absl::Status status = followed.status();
  if (status.ok()) {
    worked = worked || *followed;
    cosigner_->OnTimer(now);
    status = Perform(now);
  }
  if (status.ok() && refusing_.empty()) status = SaveIfWanted();
  if (ledger::IsStoreDamage(status)) {
    // Not the log's fault: the next start builds the store anew, and the log goes on.
    ports_.fatal->Fail(Annotate(status, "log"));
  } else if (absl::IsDataLoss(status) || absl::IsNotFound(status)) {
    Refuse(absl::StrCat(status.message(), "; check with: vigil verify ledger"));
  } else if (!status.ok()) {
    ports_.fatal->Fail(Annotate(status, "log"));
  }
  ShareState();
  return worked;
}

std::optional<int64_t> LogActor::DeadlineMicros() const {
  if (!refusing_.empty()) return std::nullopt;
  std::optional<int64_t> due = cosigner_->Deadline();
  if (final_is_new_) {
    const int64_t rewrite = final_written_micros_ + kRewriteMicros;
    due = std::min(due.value_or(rewrite), rewrite);
  }
  return due;
}

// protocol.md, C5: a validator that may have forgotten what it signed waits until it votes again.
void LogActor::LetVote() {
  if (!may_vote_ && ports_.may_vote()) {
    may_vote_ = true;
    if (options_.floor_at_vote) {
      writing_floor_ = true;
      ports_.save_guard(EncodeCosignGuard(cosigner_->RaiseFloor(ports_.committed())));
    }
  }
  cosigner_->SetMaySign(may_vote_ && !writing_floor_);
}

bool LogActor::TakeInputs(const Instant& now) {
  bool worked = false;
  if (guarded_.exchange(false)) {
    worked = true;
    if (writing_floor_) {
      writing_floor_ = false;
      LetVote();
    } else {
      cosigner_->OnGuarded(now);
    }
  }
  for (const Note& note : inbox_.TryPop(kNotesPerStepMax)) {
    cosigner_->OnNote(note.checkpoint, note.asks, now);
    worked = true;
  }
  return worked;
}

absl::Status LogActor::Perform(const Instant& now) {
  const CosignerOutput output = cosigner_->Take();
  if (!refusing_.empty()) return absl::OkStatus();
  if (!output.contradiction.empty()) {
    Refuse(absl::StrCat(output.contradiction,
                        "; keep the data for examination and do not use these keys again"));
    return absl::OkStatus();
  }
  if (output.guard.has_value()) ports_.save_guard(EncodeCosignGuard(*output.guard));
  for (const CosignFrame& frame : output.frames) Send(frame);
  for (const ForkEvidence& evidence : output.evidence) RETURN_IF_ERROR(Keep(evidence));
  if (outside_is_new_.exchange(false) || output.final_changed) final_is_new_ = true;
  return PublishFinal(now);
}

void LogActor::Send(const CosignFrame& frame) {
  const std::string head = EncodeCosignature({.asks = frame.asks, .note = frame.note});
  for (uint32_t i = 0; i < keys_.logs.size(); ++i) {
    const ValidatorIndex to(i);
    if (to == ports_.self || (frame.to.has_value() && *frame.to != to)) continue;
    const bool sent = ports_.transport->Send(to, {.head = head, .blocks = {}});
    auto& counter = sent ? ports_.counters->frames_sent : ports_.counters->frames_unsent;
    counter.fetch_add(1, std::memory_order_relaxed);
  }
}

absl::Status LogActor::Keep(const ForkEvidence& evidence) {
  const std::string identity = ports_.genesis->validators[evidence.validator.value()].identity();
  const std::string folder = options_.directory + "/evidence";
  const std::string stem =
      absl::StrCat(folder, "/", evidence.size, "-", absl::StrReplaceAll(identity, {{"/", "."}}));
  // Two signed notes of one size convince a stranger; a lone note is a lead.
  const bool portable = ledger::DecodeSignedCheckpoint(evidence.ours).ok();
  const std::string path = stem + (portable ? ".fork-evidence" : ".txt");
  const std::string text =
      portable
          ? ledger::EncodeForkEvidence({.first = evidence.ours, .second = evidence.theirs})
          : absl::StrCat("# signed by ", identity, "\n", evidence.theirs,
                         "\n# known to this validator: ", evidence.reason, "\n", evidence.ours);
  Say(LogLevel::kError,
      absl::StrCat("FORK: ", identity, " signed a checkpoint of size ", evidence.size,
                   " that is not on our chain: ", evidence.reason, "; evidence: ", path));
  const bool is_new = !ports_.files->Exists(path);
  if (is_new && evidence_files_ >= kEvidenceFilesMax) return absl::OkStatus();
  RETURN_IF_ERROR(ports_.files->MakeDirs(folder));
  RETURN_IF_ERROR(ports_.files->WriteAtomically(path, AsBytes(text)));
  if (is_new) ++evidence_files_;
  return absl::OkStatus();
}

absl::Status LogActor::PublishFinal(const Instant& now) {
  if (!final_is_new_) return absl::OkStatus();
  const FinalCheckpoint& final = cosigner_->final();
  if (final.size == final_written_size_ && now.micros < final_written_micros_ + kRewriteMicros) {
    return absl::OkStatus();
  }
  // The tiles first: whoever sees the checkpoint finds what it speaks of.
  std::string note = cosigner_->final_note();
  RETURN_IF_ERROR(tiles_->Publish(final.size));
  std::string served;
  {
    MutexLock lock(&mutex_);
    served = outside_.AddTo(note, final.size);
  }
  RETURN_IF_ERROR(tiles_->PutCheckpoint(served));
  final_is_new_ = false;
  final_written_micros_ = now.micros;
  final_written_size_ = final.size;
  {
    MutexLock lock(&mutex_);
    notes_.PutFinal(final.size, note);
    validators_note_ = std::move(note);
    validators_note_size_ = final.size;
    checkpoint_ = outside_.AddTo(validators_note_, validators_note_size_);
    if (checkpoint_ != served) outside_is_new_ = true;
  }
  ShareState();
  ports_.waiters->Advance(final.height);
  return absl::OkStatus();
}

void LogActor::Refuse(std::string why) {
  refusing_ = std::move(why);
  Say(LogLevel::kError, absl::StrCat("signs nothing any more: ", refusing_));
  ports_.waiters->Close(MakeError(
      absl::StatusCode::kUnavailable, "log.refusing",
      absl::StrCat("the record is committed, but nothing becomes final here: ", refusing_),
      "send the same bytes to another validator", 5000));
}

void LogActor::ShareState() {
  MutexLock lock(&mutex_);
  shared_ = {.tree_size = tiles_->tree().size(),
             .cosigned_size = cosigner_->signed_size(),
             .final_size = final_written_size_,
             .saved = tiles_->saved().height,
             .fork_count = cosigner_->fork_count(),
             .refusing = refusing_};
}

LogActor::State LogActor::state() const {
  MutexLock lock(&mutex_);
  return shared_;
}

absl::StatusOr<std::string> LogActor::checkpoint() const {
  MutexLock lock(&mutex_);
  if (!checkpoint_.empty()) return checkpoint_;
  return absl::NotFoundError(
      "no checkpoint is final yet: a quorum of validators has to be up and to cosign it");
}

absl::StatusOr<std::string> LogActor::checkpoint_by(std::span<const std::string> witnesses) const {
  MutexLock lock(&mutex_);
  return notes_.CosignedBy(witnesses);
}

void LogActor::Close() {
  if (ports_.fatal->failed() || !refusing_.empty() || !unverified_.empty()) return;
  if (next_ == Height(1)) return;
  const absl::Status status = tiles_->SaveProgress(next_.Previous());
  if (!status.ok()) {
    Say(LogLevel::kWarning, absl::StrCat("progress is not saved: ", status.message()));
  }
}

}  // namespace vigil::node
