#include "node/driver/peer_fetcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

constexpr int64_t kRoundPauseMicros = 1'000'000;
constexpr int64_t kBusyPauseMicrosMin = 100'000;
constexpr int64_t kBusyPauseMillisMax = 60'000;

bool Same(const FetchRequest& a, const FetchRequest& b) {
  return a.kind == b.kind && a.first == b.first && a.count_max == b.count_max &&
         a.first_chunk == b.first_chunk && a.path == b.path && a.digest == b.digest;
}

bool ComesInParts(FetchKind kind) {
  switch (kind) {
    case FetchKind::kLogFile:
    case FetchKind::kManifest:
    case FetchKind::kCheckpoint:
    case FetchKind::kModel:
      return true;
    case FetchKind::kBlocks:
    case FetchKind::kFinalBlocks:
    case FetchKind::kOffers:
    case FetchKind::kChunks:
    case FetchKind::kKeptBlock:
      break;
  }
  return false;
}

}  // namespace

PeerFetcher::PeerFetcher(const Ports& ports, const Options& options)
    : ports_(ports), options_(options), next_id_(options.id_min) {}

void PeerFetcher::Begin(const FetchRequest& want) {
  want_ = want;
  file_.clear();
  peer_.reset();
  passed_over_.clear();
  anybody_said_ = false;
  MutexLock lock(&mutex_);
  asked_.reset();
}

absl::StatusOr<std::optional<std::string>> PeerFetcher::Fetch(const FetchRequest& want,
                                                              size_t bytes_max,
                                                              const Check& check) {
  if (!want_.has_value() || !Same(*want_, want)) Begin(want);
  std::optional<Asked> asked;
  {
    MutexLock lock(&mutex_);
    const bool over = asked_.has_value() && (asked_->answer.has_value() || Now() >= until_micros_);
    if (asked_.has_value() && !over) return std::optional<std::string>();
    asked = std::exchange(asked_, std::nullopt);
  }
  std::optional<std::string> done;
  if (asked.has_value()) Take(*asked, bytes_max, check, &done);
  if (done.has_value()) {
    want_.reset();
    return done;
  }
  if (Now() < resume_micros_ || AskNext()) return std::optional<std::string>();
  // Nobody is left.
  const bool in_vain = anybody_said_;
  Begin(want);
  if (!in_vain) {
    resume_micros_ = Now() + kRoundPauseMicros;
    return std::optional<std::string>();
  }
  want_.reset();
  return absl::NotFoundError("no validator that is connected has it");
}

void PeerFetcher::Take(const Asked& asked, size_t bytes_max, const Check& check,
                       std::optional<std::string>* done) {
  if (!asked.answer.has_value()) return PassOver(asked.peer);
  const absl::Status& refusal = asked.answer->status;
  if (absl::IsResourceExhausted(refusal)) {
    const int64_t millis = std::min<int64_t>(asked.answer->retry_after_millis, kBusyPauseMillisMax);
    resume_micros_ = Now() + std::max(millis * 1000, kBusyPauseMicrosMin);
    return;
  }
  anybody_said_ = true;
  if (!refusal.ok()) return PassOver(asked.peer);
  const absl::Status holds = TakeBody(asked.answer->body, bytes_max, check, done);
  {
    MutexLock lock(&mutex_);
    counts_.bytes += asked.answer->body.size();
    if (!holds.ok()) ++counts_.bad_answers;
  }
  if (holds.ok()) return;
  (*ports_.log)(
      LogLevel::kWarning, options_.name,
      absl::StrCat(ports_.genesis->validators[asked.peer.value()].identity(),
                   " answered what does not hold, and is passed over: ", holds.message()));
  PassOver(asked.peer);
}

absl::Status PeerFetcher::TakeBody(absl::string_view body, size_t bytes_max, const Check& check,
                                   std::optional<std::string>* done) {
  if (!ComesInParts(want_->kind)) {
    RETURN_IF_ERROR(check(AsBytes(body)));
    *done = std::string(body);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const FilePart part, DecodeFilePart(body));
  if (part.bytes.empty() || part.file_bytes > bytes_max ||
      file_.size() + part.bytes.size() > part.file_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("a file of ", part.file_bytes,
                                                   " bytes in parts that do not fit; at most ",
                                                   bytes_max, " are taken"));
  }
  file_ += part.bytes;
  if (file_.size() < part.file_bytes) return absl::OkStatus();
  RETURN_IF_ERROR(check(AsBytes(file_)));
  *done = std::exchange(file_, {});
  return absl::OkStatus();
}

void PeerFetcher::PassOver(ValidatorIndex peer) {
  passed_over_.insert(peer);
  if (peer_ != peer) return;
  peer_.reset();
  file_.clear();
}

bool PeerFetcher::AskNext() {
  const auto usable = [&](ValidatorIndex peer) {
    return peer != options_.self && !passed_over_.contains(peer) &&
           ports_.transport->IsConnected(peer);
  };
  if (peer_.has_value() && usable(*peer_) && Ask(*peer_)) return true;
  peer_.reset();
  file_.clear();
  const auto count = static_cast<uint32_t>(ports_.genesis->validators.size());
  for (uint32_t i = 0; i < count; ++i) {
    const ValidatorIndex peer(turn_++ % count);
    if (usable(peer) && Ask(peer)) return true;
  }
  return false;
}

bool PeerFetcher::Ask(ValidatorIndex peer) {
  FetchRequest request = *want_;
  request.id = next_id_;
  request.offset = file_.size();
  next_id_ = next_id_ == options_.id_max ? options_.id_min : next_id_ + 1;
  until_micros_ = Now() + options_.answer_micros;
  {
    MutexLock lock(&mutex_);
    asked_ = Asked{.id = request.id, .peer = peer, .answer = {}};
  }
  OutFrame frame;
  frame.head = EncodeFetchRequest(request);
  peer_ = peer;
  if (ports_.transport->Send(peer, std::move(frame))) return true;
  {
    MutexLock lock(&mutex_);
    asked_.reset();
  }
  PassOver(peer);
  return false;
}

bool PeerFetcher::OnAnswer(ValidatorIndex from, FetchAnswer answer) {
  {
    MutexLock lock(&mutex_);
    if (!asked_.has_value() || asked_->id != answer.id || asked_->peer != from) return false;
    if (asked_->answer.has_value()) return false;
    asked_->answer = std::move(answer);
  }
  ports_.wake();
  return true;
}

PeerFetcher::Counts PeerFetcher::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

std::optional<int64_t> PeerFetcher::DeadlineMicros() const {
  MutexLock lock(&mutex_);
  if (asked_.has_value()) return until_micros_;
  if (resume_micros_ > Now()) return resume_micros_;
  return std::nullopt;
}

}  // namespace vigil::node
