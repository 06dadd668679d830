// Scrubber's repair: from damaged ranges of a segment to the copy that takes its place.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/journal_format.h"
#include "node/driver/scrubber.h"

namespace vigil::node {
namespace {

using ledger::BlockInfo;
using ledger::JournalRange;
using ledger::JournalType;
using ledger::kFrameHeaderBytes;
using ledger::kFrameTrailerBytes;

constexpr uint64_t kFrameAround = kFrameHeaderBytes + kFrameTrailerBytes;
constexpr uint64_t kHoleBytesMax = 8 * 1024 * 1024;
constexpr int64_t kAnswerMicros = 2'000'000;
constexpr uint32_t kRoundsMax = 3;  // How often each validator is asked for a block.

}  // namespace

void Scrubber::FoundDamage(const JournalRange& range, absl::string_view what) {
  Tell(LogLevel::kError,
       absl::StrCat(what, " of ", segment_.path, " at offset ", range.from, " to ", range.to,
                    " damaged on disk; it is repaired from other validators: check the disk"));
  if (!known_damage_.emplace(range.from, range.to).second) return;
  MutexLock lock(&mutex_);
  ++state_.damaged;
}

absl::Status Scrubber::BeginRepair() {
  if (scrub_ != nullptr && scrub_->compacted()) {
    return absl::DataLossError(
        "it was compacted by pruning, and no validator sends blocks without their payloads; bring "
        "back a backup (vigild data restore)");
  }
  for (const JournalRange& range : damage_) RETURN_IF_ERROR(Plan(range));
  asked_of_ = 0;
  phase_ = Phase::kFetching;
  AskNext();
  return absl::OkStatus();
}

// Blocks of the chain that lie in `range`, by state: their places grow with their heights.
absl::StatusOr<std::vector<BlockInfo>> Scrubber::BlocksIn(const JournalRange& range) const {
  const ChainAccess::View view = ports_.chain->CurrentView();
  uint64_t low = 1;
  uint64_t high = view.tip.height.value() + 1;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const BlockInfo info, view.reader->GetBlock(Height(middle)));
    if (info.position.offset < range.from || info.frame_bytes == 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  std::vector<BlockInfo> blocks;
  for (; low <= view.tip.height.value(); ++low) {
    ASSIGN_OR_RETURN(BlockInfo info, view.reader->GetBlock(Height(low)));
    if (info.position.offset >= range.to) break;
    blocks.push_back(std::move(info));
  }
  return blocks;
}

// Blocks where state knows of some, holes between them.
absl::Status Scrubber::Plan(const JournalRange& range) {
  ASSIGN_OR_RETURN(const std::vector<BlockInfo> blocks, BlocksIn(range));
  uint64_t at = range.from;
  const auto fill = [&](uint64_t to) {
    if (to == at) return absl::OkStatus();
    // The first frame says what the journal was made for, and nothing says it again.
    if (at == 0 || to < at + kFrameAround || to - at > kHoleBytesMax) {
      return absl::DataLossError(
          absl::StrCat("journal offset ", at, " to ", to, " holds nothing that others have"));
    }
    patches_.push_back({.offset = at,
                        .type = JournalType::kHole,
                        .body = std::string(to - at - kFrameAround, '\0')});
    makes_holes_ = true;
    return absl::OkStatus();
  };
  for (const BlockInfo& info : blocks) {
    RETURN_IF_ERROR(fill(info.position.offset));
    at = info.position.offset + kFrameAround + info.frame_bytes;
    wanted_.push_back(info);
    patches_.push_back(
        {.offset = info.position.offset, .type = JournalType::kBlock, .body = std::string()});
  }
  if (at > range.to) return absl::DataLossError("a block reaches beyond the damage");
  return fill(range.to);
}

// Asks the next validator for the first block that is wanted; with none left, the copy is made.
void Scrubber::AskNext() {
  answer_by_micros_ = ports_.clock->MonotonicMicros();
  const uint32_t count = validator_count();
  if (wanted_.empty() || count == 1) return;
  next_peer_ = (next_peer_ + 1) % count;
  if (ValidatorIndex(next_peer_) == options_.self) next_peer_ = (next_peer_ + 1) % count;
  if (++next_id_ < kScrubFetchIdMin) next_id_ = kScrubFetchIdMin;
  FetchRequest request;
  request.id = next_id_;
  request.kind = FetchKind::kBlocks;
  request.first = wanted_.front().height;
  request.count_max = 1;
  {
    MutexLock lock(&mutex_);
    asked_ = Asked{.id = request.id, .peer = ValidatorIndex(next_peer_), .answer = {}};
  }
  ++asked_of_;
  answer_by_micros_ += kAnswerMicros;
  OutFrame frame;
  frame.head = EncodeFetchRequest(request);
  // One that is not connected costs the time until the next is asked.
  (void)ports_.transport->Send(ValidatorIndex(next_peer_), std::move(frame));
}

absl::Status Scrubber::Fetching() {
  std::optional<FetchAnswer> answer;
  {
    MutexLock lock(&mutex_);
    if (asked_.has_value()) answer = std::move(asked_->answer);
    asked_.reset();
  }
  if (answer.has_value() && !wanted_.empty()) RETURN_IF_ERROR(TakeAnswer(*answer));
  if (wanted_.empty()) {
    if (!makes_holes_) return Rewrite();
    renewed_before_ = ports_.journal->renewed();
    ports_.journal->Renew();
    phase_ = Phase::kRenewing;
    return absl::OkStatus();
  }
  if (asked_of_ < kRoundsMax * (validator_count() - 1)) {
    AskNext();
    return absl::OkStatus();
  }
  GiveUp(absl::StrCat("no other validator gives block ", wanted_.front().height.value()));
  return absl::OkStatus();
}

// Takes the block if it is the one that was executed here, whoever sent it.
absl::Status Scrubber::TakeAnswer(const FetchAnswer& answer) {
  if (!answer.status.ok()) return absl::OkStatus();
  const BlockInfo& info = wanted_.front();
  absl::Status wrong = absl::InvalidArgumentError("no block");
  const absl::StatusOr<std::vector<ByteSpan>> frames = DecodeFetchedBlocks(answer.body);
  if (frames.ok() && frames->size() == 1) {
    const absl::StatusOr<ledger::BlockPtr> block = ledger::Block::Decode(ToString(frames->front()));
    wrong = block.status();
    if (block.ok() && (*block)->hash() != info.hash) wrong = absl::DataLossError("another block");
    if (wrong.ok()) wrong = ledger::CheckBlock(*ports_.genesis, **block);
    if (wrong.ok() && (*block)->frame().size() != info.frame_bytes) {
      wrong = absl::DataLossError("a block of another size");
    }
    if (wrong.ok()) {
      for (ledger::SegmentPatch& patch : patches_) {
        if (patch.offset == info.position.offset) patch.body = (*block)->frame();
      }
      wanted_.pop_front();
      asked_of_ = 0;
      return absl::OkStatus();
    }
  }
  Tell(LogLevel::kWarning,
       absl::StrCat(ports_.genesis->validators[next_peer_].identity(), " was asked for block ",
                    info.height.value(), " and sent what is not it: ", wrong.message()));
  MutexLock lock(&mutex_);
  ++state_.bad_answers;
  return absl::OkStatus();
}

absl::Status Scrubber::Rewrite() {
  MutexLock lock(ports_.rewriting);
  const absl::Status status =
      ledger::RewriteSegment(ports_.files, segment_, segment_end_, options_.journal_id, patches_);
  // The segment as it was still stands. A failed write is latched, as everywhere.
  if (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) {
    ports_.fatal->Fail(Annotate(status, "scrub of the journal"));
  }
  RETURN_IF_ERROR(status);
  ports_.reader->Refresh(segment_.start);
  Pay(2 * (segment_end_ - segment_.start));
  const uint64_t count = damage_.size() + (header_damaged_ ? 1 : 0);
  Tell(LogLevel::kWarning, absl::StrCat(segment_.path, " was repaired in ", count, " places"));
  known_damage_.erase(known_damage_.lower_bound({segment_.start, 0}),
                      known_damage_.lower_bound({segment_end_, 0}));
  {
    MutexLock lock(&mutex_);
    state_.repaired += count;
  }
  looked_at_ = true;
  LookAgain();
  return absl::OkStatus();
}

void Scrubber::Unrepaired(uint64_t places, const std::string& problem) {
  Tell(LogLevel::kError, problem);
  MutexLock lock(&mutex_);
  unrepaired_in_pass_ += places;
  state_.unrepaired = std::max(state_.unrepaired, unrepaired_in_pass_);
  state_.problem = problem;
}

void Scrubber::GiveUp(absl::string_view why) {
  if (!given_up_) {
    Unrepaired(std::max<uint64_t>(damage_.size(), 1),
               absl::StrCat(segment_.path, " is damaged and not repaired: ", why,
                            "; it is tried again in the next pass; a start would refuse: do not "
                            "stop this validator before it is repaired, else: vigild rejoin"));
  }
  given_up_ = true;
  // What cannot be looked at either is left for the next pass.
  if (looked_at_) return BeginSegment();
  looked_at_ = true;
  LookAgain();
}

}  // namespace vigil::node
