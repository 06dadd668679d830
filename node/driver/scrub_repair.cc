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
constexpr int64_t kLookMicros = 100'000;
constexpr int64_t kCloseMicros = 60'000'000;
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

// What is being written cannot be replaced: the journal has to go on elsewhere first.
void Scrubber::CloseOpen() {
  ports_.journal->CloseSegment();
  next_look_micros_ = ports_.clock->MonotonicMicros();
  close_by_micros_ = next_look_micros_ + kCloseMicros;
  phase_ = Phase::kClosing;
}

absl::Status Scrubber::Closing() {
  const int64_t now = ports_.clock->MonotonicMicros();
  next_look_micros_ = now + kLookMicros;
  ASSIGN_OR_RETURN(const std::vector<ledger::SegmentFile> segments,
                   ledger::ListSegments(*ports_.files, options_.journal_directory));
  const auto next = std::find_if(segments.begin(), segments.end(), [&](const auto& segment) {
    return segment.start > segment_.start;
  });
  if (next == segments.end()) {
    if (now < close_by_micros_) return absl::OkStatus();
    return absl::DeadlineExceededError("it is being written, and nothing comes behind it");
  }
  // All of it is looked at now, and repaired as others are.
  is_open_ = false;
  segment_end_ = next->start;
  next_start_ = segment_end_;
  LookAgain();
  return absl::OkStatus();
}

absl::Status Scrubber::BeginRepair() {
  compacted_ = scrub_ != nullptr && scrub_->compacted();
  for (const JournalRange& range : damage_) RETURN_IF_ERROR(Plan(range));
  asked_of_ = 0;
  phase_ = Phase::kFetching;
  AskNext();
  return absl::OkStatus();
}

// Height of the first block of the chain at or behind an offset, by state: the places of blocks
// grow with their heights.
absl::StatusOr<uint64_t> Scrubber::FirstBlockFrom(uint64_t offset) const {
  const ChainAccess::View view = ports_.chain->CurrentView();
  uint64_t low = 1;
  uint64_t high = view.tip.height.value() + 1;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const BlockInfo info, view.reader->GetBlock(Height(middle)));
    if (info.position.offset < offset || info.frame_bytes == 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

absl::StatusOr<std::vector<BlockInfo>> Scrubber::BlocksIn(const JournalRange& range) const {
  const ChainAccess::View view = ports_.chain->CurrentView();
  ASSIGN_OR_RETURN(uint64_t height, FirstBlockFrom(range.from));
  std::vector<BlockInfo> blocks;
  for (; height <= view.tip.height.value(); ++height) {
    ASSIGN_OR_RETURN(BlockInfo info, view.reader->GetBlock(Height(height)));
    if (info.position.offset >= range.to) break;
    blocks.push_back(std::move(info));
  }
  return blocks;
}

// Where the skip ends that lies at the beginning of the damage, because the pruned block before it
// is sound and reached further once; `range.from`: there is none.
absl::StatusOr<uint64_t> Scrubber::EndOfSkipAt(const JournalRange& range) const {
  ASSIGN_OR_RETURN(const uint64_t behind, FirstBlockFrom(range.from));
  if (!compacted_ || behind < 2) return range.from;
  ASSIGN_OR_RETURN(const BlockInfo info,
                   ports_.chain->CurrentView().reader->GetBlock(Height(behind - 1)));
  const uint64_t end = info.position.offset + kFrameAround + info.frame_bytes;
  const bool is_one = info.frame_bytes > 0 && info.position.offset < range.from &&
                      end >= range.from + ledger::kSkipFrameBytes && end <= range.to;
  return is_one ? end : range.from;
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
  ASSIGN_OR_RETURN(const uint64_t skip_end, EndOfSkipAt(range));
  if (skip_end > at) {
    patches_.push_back({.offset = at, .type = JournalType::kSkip, .body = ""});
    ByteWriter(&patches_.back().body).U64(skip_end - at);
    at = skip_end;
  }
  for (const BlockInfo& info : blocks) {
    RETURN_IF_ERROR(fill(info.position.offset));
    // In a segment that was pruned the rest of its place may be a skip, which is sound.
    const uint64_t whole_end = info.position.offset + kFrameAround + info.frame_bytes;
    at = compacted_ ? std::min(whole_end, range.to) : whole_end;
    wanted_.push_back({.info = info, .room = at - info.position.offset});
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
  request.kind = compacted_ ? FetchKind::kKeptBlock : FetchKind::kBlocks;
  request.first = wanted_.front().info.height;
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
  GiveUp(absl::StrCat("no other validator gives block ", wanted_.front().info.height.value()));
  return absl::OkStatus();
}

// The block, if it is the one that was executed here, whoever sent it.
absl::StatusOr<ledger::BlockPtr> Scrubber::BlockIn(const FetchAnswer& answer,
                                                   const BlockInfo& info) const {
  std::string frame = answer.body;
  if (!compacted_) {
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> frames, DecodeFetchedBlocks(answer.body));
    if (frames.size() != 1) return absl::InvalidArgumentError("no block");
    frame = ToString(frames.front());
  }
  absl::StatusOr<ledger::BlockPtr> block = ledger::Block::Decode(frame);
  if (!block.ok() && compacted_) block = ledger::Block::DecodePruned(std::move(frame));
  RETURN_IF_ERROR(block.status());
  if ((*block)->hash() != info.hash) return absl::DataLossError("another block");
  RETURN_IF_ERROR((*block)->pruned() ? ledger::CheckPrunedBlock(*ports_.genesis, **block)
                                     : ledger::CheckBlock(*ports_.genesis, **block));
  if (ledger::WholeFrameBytes(**block) != info.frame_bytes) {
    return absl::DataLossError("a block of another size");
  }
  return block;
}

// Puts the block into its place, as pruning would have left it there. kFailedPrecondition: it does
// not fit.
absl::Status Scrubber::FillWith(const ledger::Block& block, const Wanted& wanted) {
  const auto patch = std::find_if(patches_.begin(), patches_.end(), [&](const auto& one) {
    return one.offset == wanted.info.position.offset;
  });
  const uint64_t whole = kFrameAround + wanted.info.frame_bytes;
  std::string pruned;
  if (compacted_) {
    pruned = std::string(block.frame());
    if (!block.pruned()) {
      ASSIGN_OR_RETURN(pruned, ledger::MakePrunedFrame(block));
    }
  }
  const bool shrinks =
      compacted_ && pruned.size() + 2 * ledger::kSkipFrameBytes <= wanted.info.frame_bytes;
  const uint64_t end = wanted.info.position.offset + kFrameAround + pruned.size();
  if (wanted.room < whole) {
    if (!shrinks || kFrameAround + pruned.size() != wanted.room) {
      return absl::FailedPreconditionError(
          absl::StrCat("block ", wanted.info.height.value(), " does not fit its place"));
    }
    patch->type = JournalType::kPrunedBlock;
    patch->body = std::move(pruned);
    return absl::OkStatus();
  }
  if (!shrinks) {
    if (block.pruned()) return absl::FailedPreconditionError("it was sent without its payloads");
    patch->body = std::string(block.frame());
    return absl::OkStatus();
  }
  patch->type = JournalType::kPrunedBlock;
  patch->body = std::move(pruned);
  ledger::SegmentPatch skip{.offset = end, .type = JournalType::kSkip, .body = ""};
  ByteWriter(&skip.body).U64(wanted.info.position.offset + whole - end);
  patches_.insert(patch + 1, std::move(skip));
  return absl::OkStatus();
}

absl::Status Scrubber::TakeAnswer(const FetchAnswer& answer) {
  if (!answer.status.ok()) return absl::OkStatus();
  const Wanted& wanted = wanted_.front();
  const absl::StatusOr<ledger::BlockPtr> block = BlockIn(answer, wanted.info);
  if (block.ok()) {
    RETURN_IF_ERROR(FillWith(**block, wanted));
    wanted_.pop_front();
    asked_of_ = 0;
    return absl::OkStatus();
  }
  Tell(LogLevel::kWarning, absl::StrCat(ports_.genesis->validators[next_peer_].identity(),
                                        " was asked for block ", wanted.info.height.value(),
                                        " and sent what is not it: ", block.status().message()));
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
