#include "node/log/cosigner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"

namespace vigil::node {
namespace {

constexpr int64_t kLongAgoMicros = -1'000'000'000;

ledger::Checkpoint CheckpointAt(const ledger::LogKeys& keys, uint64_t size, const Hash& root) {
  return {.origin = keys.origin, .size = size, .root = root};
}

}  // namespace

Cosigner::Cosigner(const Options& options)
    : options_(options),
      random_(options.seed),
      guard_(options.guard),
      announced_micros_(kLongAgoMicros) {}

const CosignGuard& Cosigner::RaiseFloor(Height floor) {
  VIGIL_CHECK(!may_sign_ && !guarding_.has_value(), "the floor is raised after signing began");
  const bool is_open = guard_.floor == kFloorUntilVoter;
  guard_.floor = is_open ? floor : std::max(guard_.floor, floor);
  return guard_;
}

void Cosigner::Restore(const Cosigned& cosigned, Height height) {
  const ledger::Checkpoint& checkpoint = cosigned.begin()->second.checkpoint;
  if (checkpoint.size <= final_.size) return;
  open_.erase(open_.begin(), open_.lower_bound(checkpoint.size));
  Cosigned& lines = open_[checkpoint.size];
  lines.insert(cosigned.begin(), cosigned.end());
  final_ = {.height = height, .size = checkpoint.size, .root = checkpoint.root};
  output_.final_changed = true;
}

void Cosigner::OnBlockEnd(const BlockEnd& end, const Instant& now) {
  VIGIL_CHECK(end.size > tip_size(), "block end at size ", end.size, " after ", tip_size());
  CheckGuard(end);
  ends_.push_back(end);
  if (ends_.size() > kBlockEndsMax) ends_.pop_front();
  for (auto& [validator, ahead] : ahead_) {
    while (ahead.first.has_value() && ahead.first->checkpoint.size <= end.size) {
      const SignedCheckpoint note = *std::move(ahead.first);
      ahead.first = std::exchange(ahead.newest, std::nullopt);
      Judge(note, now);
    }
  }
}

// What this validator promised must be on its own chain.
void Cosigner::CheckGuard(const BlockEnd& end) {
  const bool passed_over = end.size > guard_.size && tip_size() < guard_.size &&
                           (!ends_.empty() || end.height == Height(1));
  const bool other_root = end.size == guard_.size && end.root != guard_.root;
  if (!passed_over && !other_root) return;
  contradicted_ = true;
  output_.contradiction = absl::StrCat(
      "this validator once cosigned size ", guard_.size, " with root ", guard_.root.ToHex(),
      "; its chain has ",
      other_root ? absl::StrCat("root ", end.root.ToHex(), " there") : "no block that ends there");
}

const BlockEnd* Cosigner::FindEnd(uint64_t size) const {
  const auto found =
      std::lower_bound(ends_.begin(), ends_.end(), size,
                       [](const BlockEnd& end, uint64_t wanted) { return end.size < wanted; });
  return found != ends_.end() && found->size == size ? &*found : nullptr;
}

void Cosigner::OnNote(const SignedCheckpoint& note, bool asks, const Instant& now) {
  if (note.validator == options_.self) return;
  const uint64_t size = note.checkpoint.size;
  if (size > tip_size()) {
    KeepAhead(note);
    return;
  }
  Judge(note, now);
  // Its own was or will be sent to all if it signs this size now.
  if (asks && own_.has_value() && own_->checkpoint.size >= size) Reply(note.validator);
}

void Cosigner::KeepAhead(const SignedCheckpoint& note) {
  Ahead& ahead = ahead_[note.validator];
  SignedCheckpoint later = note;
  if (!ahead.first.has_value()) {
    ahead.first = std::move(later);
    return;
  }
  if (later.checkpoint.size < ahead.first->checkpoint.size) std::swap(later, *ahead.first);
  if (later.checkpoint.size == ahead.first->checkpoint.size) return;
  if (ahead.newest.has_value() && ahead.newest->checkpoint.size >= later.checkpoint.size) return;
  ahead.newest = std::move(later);
}

void Cosigner::Judge(const SignedCheckpoint& note, const Instant& now) {
  const uint64_t size = note.checkpoint.size;
  if (ends_.empty() || size < ends_.front().size) return;  // Too old to say anything about it.
  const BlockEnd* const end = FindEnd(size);
  if (end == nullptr) {
    ReportFork(note, nullptr, "no block of our chain ends there");
    return;
  }
  if (note.checkpoint.root != end->root) {
    ReportFork(note, end, absl::StrCat("our root there is ", end->root.ToHex()));
    return;
  }
  Collect(note, now);
  if (size >= final_.size || !own_.has_value()) Want(*end, now);
}

void Cosigner::Collect(const SignedCheckpoint& note, const Instant& now) {
  const uint64_t size = note.checkpoint.size;
  if (size < final_.size) return;
  Cosigned& lines = open_[size];
  const bool is_new = lines.emplace(note.validator, note).second;
  if (open_.size() > kOpenSizesMax) {
    // Never the final one, which comes first.
    const auto oldest = final_.size == 0 ? open_.begin() : std::next(open_.begin());
    open_.erase(oldest);
  }
  if (!is_new) return;
  if (size == final_.size) {
    output_.final_changed = true;
    return;
  }
  const auto found = open_.find(size);
  if (found == open_.end() || found->second.size() < options_.keys->quorum) return;
  const BlockEnd* const end = FindEnd(size);
  final_ = {.height = end->height, .size = size, .root = end->root};
  open_.erase(open_.begin(), found);
  ProveForks();
  output_.final_changed = true;
  impatient_micros_.reset();
  WatchTip(now);
}

// protocol.md, C4: the guard goes to disk first.
void Cosigner::Want(const BlockEnd& end, const Instant& now) {
  if (!may_sign_ || contradicted_ || end.height <= guard_.floor) return;
  if (end.size < guard_.size) return;
  if (end.size == guard_.size) {
    if (end.root == guard_.root && signed_size() < end.size) Sign(now);
    return;
  }
  if (guarding_.has_value()) {
    const uint64_t planned = want_.has_value() ? want_->size : guarding_->size;
    if (end.size > planned) want_ = end;
    return;
  }
  guarding_ = CosignGuard{.size = end.size, .root = end.root, .floor = guard_.floor};
  output_.guard = guarding_;
}

void Cosigner::OnGuarded(const Instant& now) {
  VIGIL_CHECK(guarding_.has_value(), "a guard on disk that nobody asked for");
  guard_ = *std::exchange(guarding_, std::nullopt);
  Sign(now);
  if (want_.has_value()) Want(*std::exchange(want_, std::nullopt), now);
}

// Signs what the guard names, for everybody.
void Cosigner::Sign(const Instant& now) {
  own_ = SignCheckpoint(*options_.keys, options_.self, *options_.log_key, *options_.cosigner_key,
                        CheckpointAt(*options_.keys, guard_.size, guard_.root), now.unix_seconds);
  output_.frames.push_back({.to = std::nullopt,
                            .note = EncodeSignedCheckpoint(*own_),
                            .asks = guard_.size == announced_size_});
  Collect(*own_, now);
}

void Cosigner::Reply(ValidatorIndex to) {
  output_.frames.push_back({.to = to, .note = EncodeSignedCheckpoint(*own_), .asks = false});
}

void Cosigner::ReportFork(const SignedCheckpoint& note, const BlockEnd* ours, std::string reason) {
  const uint64_t size = note.checkpoint.size;
  const bool is_new = forks_.size() < kForksKeptMax && forks_.emplace(note.validator, size).second;
  if (!is_new && forks_.contains({note.validator, size})) return;
  ++fork_count_;
  if (!is_new) return;
  ForkEvidence evidence{.validator = note.validator,
                        .size = size,
                        .reason = std::move(reason),
                        .theirs = EncodeSignedCheckpoint(note),
                        .ours = ""};
  const auto lines = open_.find(size);
  if (lines != open_.end() && !lines->second.empty()) {
    evidence.ours = EncodeCosigned(lines->second);
  } else if (ours != nullptr) {
    evidence.ours = ledger::EncodeCheckpoint(CheckpointAt(*options_.keys, ours->size, ours->root));
  }
  if (size > final_.size) unproven_.push_back(evidence);
  output_.evidence.push_back(std::move(evidence));
}

// A note that contradicts a quorum convinces strangers; one beside a few lines may not.
void Cosigner::ProveForks() {
  for (ForkEvidence& evidence : unproven_) {
    if (evidence.size != final_.size) continue;
    evidence.ours = final_note();
    output_.evidence.push_back(evidence);
  }
  std::erase_if(unproven_, [this](const auto& evidence) { return evidence.size <= final_.size; });
}

void Cosigner::WatchTip(const Instant& now) {
  if (tip_size() <= final_.size) {
    impatient_micros_.reset();
  } else if (!impatient_micros_.has_value()) {
    impatient_micros_ =
        now.micros + kImpatientMicros + static_cast<int64_t>(random_.Below(kImpatientJitterMicros));
  }
}

void Cosigner::OnTimer(const Instant& now) {
  WatchTip(now);
  if (const std::optional<int64_t> due = Deadline(); due.has_value() && now.micros >= *due) {
    Announce(now);
  }
}

std::optional<int64_t> Cosigner::Deadline() const {
  if (!impatient_micros_.has_value()) return std::nullopt;
  // Whoever began goes on, and everybody does once it has taken too long.
  int64_t due = std::max(*impatient_micros_, announced_micros_ + kReannounceMicros);
  if (announced_size_ > final_.size) due = announced_micros_ + kReannounceMicros;
  if (ends_.back().proposer == options_.self && tip_size() > announced_size_) {
    due = std::min(due, announced_micros_ + kAnnounceMicros);
  }
  return due;
}

// protocol.md, C2.
void Cosigner::Announce(const Instant& now) {
  announced_size_ = tip_size();
  announced_micros_ = now.micros;
  const size_t frame_count = output_.frames.size();
  if (signed_size() < tip_size()) Want(ends_.back(), now);
  // A tip whose guard is on its way is announced with its signature.
  const bool is_coming = guarding_.has_value() && signed_size() < tip_size();
  if (output_.frames.size() > frame_count || is_coming || !own_.has_value()) return;
  output_.frames.push_back(
      {.to = std::nullopt, .note = EncodeSignedCheckpoint(*own_), .asks = true});
}

}  // namespace vigil::node
