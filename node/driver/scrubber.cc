#include "node/driver/scrubber.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/log/merkle.h"
#include "ledger/state/journal_block.h"
#include "ledger/storage/store.h"

namespace vigil::node {
namespace {

using ledger::JournalReader;
using ledger::JournalType;

constexpr uint64_t kStepBytes = 256 * 1024;
constexpr uint64_t kFrameCostBytes = 32;  // Header and trailer.
constexpr size_t kBlockFormatBytes = 2;

}  // namespace

Scrubber::Scrubber(const Ports& ports, Options options)
    : ports_(ports),
      options_(std::move(options)),
      allowance_(static_cast<int64_t>(options_.bytes_per_second)),
      refilled_micros_(ports.clock->MonotonicMicros()),
      pass_begun_micros_(ports.clock->MonotonicMicros() - options_.interval_micros),
      tile_scrub_(ports.tiles),
      next_height_(1) {
  VIGIL_CHECK(options_.bytes_per_second > 0, "a scrubber that may read nothing");
}

Scrubber::State Scrubber::state() const {
  MutexLock lock(&mutex_);
  return state_;
}

bool Scrubber::OnAnswer(ValidatorIndex from, FetchAnswer answer) {
  MutexLock lock(&mutex_);
  if (!asked_.has_value() || asked_->id != answer.id || asked_->peer != from) return false;
  if (asked_->answer.has_value()) return false;
  asked_->answer = std::move(answer);
  signal()->Set();
  return true;
}

void Scrubber::Refill() {
  const int64_t now = ports_.clock->MonotonicMicros();
  const auto rate = static_cast<int64_t>(options_.bytes_per_second);
  const int64_t millis = std::min<int64_t>((now - refilled_micros_) / 1000, 60'000);
  refilled_micros_ += (now - refilled_micros_) / 1000 * 1000;
  allowance_ = std::min(allowance_ + rate / 1000 * millis + rate % 1000 * millis / 1000, rate);
}

void Scrubber::Pay(uint64_t bytes) {
  allowance_ -= static_cast<int64_t>(bytes);
  MutexLock lock(&mutex_);
  state_.bytes += bytes;
}

std::optional<int64_t> Scrubber::DeadlineMicros() const {
  if (phase_ == Phase::kBetweenPasses) return pass_begun_micros_ + options_.interval_micros;
  if (phase_ == Phase::kFetching) return answer_by_micros_;
  if (phase_ == Phase::kClosing) return next_look_micros_;
  const auto rate = static_cast<int64_t>(options_.bytes_per_second);
  return refilled_micros_ + (std::max<int64_t>(1 - allowance_, 0) * 1000 / rate + 1) * 1000;
}

bool Scrubber::Step() {
  if (ports_.fatal->failed()) return false;
  Refill();
  const int64_t now = ports_.clock->MonotonicMicros();
  if (phase_ == Phase::kBetweenPasses && now < pass_begun_micros_ + options_.interval_micros) {
    return false;
  }
  const bool reads = phase_ == Phase::kReading || phase_ == Phase::kSnapshots;
  if (reads && allowance_ <= 0) return false;
  if (phase_ == Phase::kRenewing && ports_.journal->renewed() == renewed_before_) return false;
  if (phase_ == Phase::kClosing && now < next_look_micros_) return false;
  if (phase_ == Phase::kFetching && now < answer_by_micros_) {
    MutexLock lock(&mutex_);
    if (asked_.has_value() && !asked_->answer.has_value()) return false;
  }
  absl::Status status = Advance();
  // Its segment was archived meanwhile.
  if (!status.ok() && phase_ == Phase::kReading && !ports_.files->Exists(segment_.path)) {
    looked_at_ = true;
    LookAgain();
    BeginSegment();
    status = absl::OkStatus();
  }
  if (ledger::IsStoreDamage(status)) {
    ports_.fatal->Fail(Annotate(status, "scrub"));
  } else if (!status.ok()) {
    GiveUp(status.message());  // Also what cannot be read.
  }
  return true;
}

absl::Status Scrubber::Advance() {
  switch (phase_) {
    case Phase::kBetweenPasses:
      pass_begun_micros_ = ports_.clock->MonotonicMicros();
      next_start_ = 0;
      is_open_ = false;
      next_height_ = Height(1);
      tile_scrub_.Restart();
      {
        MutexLock lock(&mutex_);
        unrepaired_in_pass_ = 0;
      }
      BeginSegment();
      return absl::OkStatus();
    case Phase::kReading:
      return ReadSome();
    case Phase::kFetching:
      return Fetching();
    case Phase::kRenewing:
      return Rewrite();
    case Phase::kClosing:
      return Closing();
    case Phase::kSnapshots:
      ReadSnapshots();
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

// The next segment. Of the last one, which is being written, only what was synced is looked at, and
// then the pass is over with the journal, however much it grew.
void Scrubber::BeginSegment() {
  const absl::StatusOr<std::vector<ledger::SegmentFile>> segments =
      ledger::ListSegments(*ports_.files, options_.journal_directory);
  if (!segments.ok()) {
    // Nothing can be read again now; a look at once would be no other.
    Unrepaired(1, absl::StrCat(options_.journal_directory,
                               " cannot be listed: ", segments.status().message(),
                               "; it is tried again in the next "
                               "pass: check the disk"));
    return EndPass();
  }
  const auto at = std::find_if(segments->begin(), segments->end(),
                               [&](const auto& segment) { return segment.start >= next_start_; });
  if (at == segments->end() || is_open_) return BeginSnapshots();
  segment_ = *at;
  is_open_ = at + 1 == segments->end();
  segment_end_ = is_open_ ? ports_.reader->end().offset : (at + 1)->start;
  if (segment_end_ <= segment_.start) return BeginSnapshots();
  next_start_ = segment_end_;
  looked_at_ = false;
  given_up_ = false;
  LookAgain();
}

void Scrubber::EndPass() {
  phase_ = Phase::kBetweenPasses;
  MutexLock lock(&mutex_);
  ++state_.passes;
  state_.unrepaired = unrepaired_in_pass_;
  if (state_.unrepaired == 0) {
    state_.problem.clear();
    known_damage_.clear();
  }
}

void Scrubber::LookAgain() {
  scrub_ = nullptr;
  damage_.clear();
  wanted_.clear();
  patches_.clear();
  makes_holes_ = false;
  header_damaged_ = false;
  phase_ = Phase::kReading;
}

absl::Status Scrubber::ReadSome() {
  if (scrub_ == nullptr) {
    ASSIGN_OR_RETURN(scrub_, ledger::SegmentScrub::Open(ports_.files, segment_, segment_end_,
                                                        options_.journal_id));
    if (!scrub_->header_is_sound() && !looked_at_) {
      header_damaged_ = true;
      FoundDamage({.from = segment_.start, .to = segment_.start}, "the segment's header");
    }
  }
  uint64_t read = 0;
  const uint64_t tile_bytes = tile_scrub_.bytes_read();
  absl::Status status;
  while (status.ok() && read < kStepBytes && !scrub_->done()) {
    ASSIGN_OR_RETURN(const ledger::SegmentScrub::Item item, scrub_->Next());
    if (item.is_sound) {
      read += kFrameCostBytes + item.frame.body.size();
      status = TakeFrame(item.frame);
    } else {
      read += item.damage.to - item.damage.from;
      if (!looked_at_) {
        damage_.push_back(item.damage);
        FoundDamage(item.damage, "frames");
      }
    }
  }
  Pay(read + tile_scrub_.bytes_read() - tile_bytes);
  RETURN_IF_ERROR(status);
  return scrub_->done() ? EndSegment() : absl::OkStatus();
}

// The frame's checksum is right; a block of the chain must besides be the one that was executed.
absl::Status Scrubber::TakeFrame(const JournalReader::Frame& frame) {
  const ByteSpan bytes = AsBytes(frame.body);
  if (!ledger::IsBlockFrame(frame.type) ||
      bytes.size() < kBlockFormatBytes + ledger::kHeaderBytes) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const ledger::BlockHeader header,
                   ledger::DecodeHeader(bytes.subspan(kBlockFormatBytes, ledger::kHeaderBytes)));
  const ChainAccess::View view = ports_.chain->CurrentView();
  if (header.height > view.tip.height) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ledger::BlockInfo info, view.reader->GetBlock(header.height));
  if (info.position != frame.position) return absl::OkStatus();  // Replaced by another.
  const absl::StatusOr<ledger::BlockPtr> block = ledger::DecodeJournalBlock(frame);
  if (!block.ok() || (*block)->hash() != info.hash) {
    // Under a right checksum: it was written so, and the copy would take it over.
    if (looked_at_) return absl::OkStatus();
    FoundDamage({.from = frame.position.offset, .to = frame.next.offset}, "a block");
    return absl::DataLossError(absl::StrCat("block ", header.height.value(), " at offset ",
                                            frame.position.offset,
                                            " is not the one that was executed"));
  }
  return damage_.empty() ? FeedTiles(**block, info) : absl::OkStatus();
}

absl::Status Scrubber::FeedTiles(const ledger::Block& block, const ledger::BlockInfo& info) {
  if (block.height() < next_height_) return absl::OkStatus();
  next_height_ = block.height().Next();
  std::vector<std::string> mended;
  uint64_t index = info.first_index.value();
  const auto add = [&](ByteSpan leaf, const Hash& hash) {
    absl::StatusOr<std::vector<std::string>> names = tile_scrub_.Add(index++, leaf, hash);
    if (names.ok()) mended.insert(mended.end(), names->begin(), names->end());
    // A failed write is latched, as everywhere.
    if (!names.ok()) ports_.fatal->Fail(Annotate(names.status(), "scrub of the log"));
    return names.status();
  };
  for (const ledger::Block::Entry& entry : block.records()) {
    RETURN_IF_ERROR(add(entry.leaf, entry.leaf_hash));
  }
  Hash previous;
  if (block.height() > Height(1)) {
    const ChainAccess::View view = ports_.chain->CurrentView();
    ASSIGN_OR_RETURN(const ledger::BlockInfo before,
                     view.reader->GetBlock(block.height().Previous()));
    previous = before.seal_leaf;
  }
  const std::string seal = ledger::EncodeSealLeaf(block.header_bytes(), previous, info.first_index,
                                                  static_cast<uint32_t>(block.records().size()));
  RETURN_IF_ERROR(add(AsBytes(seal), ledger::LeafHash(AsBytes(seal))));
  for (const std::string& name : mended) {
    Tell(LogLevel::kError, absl::StrCat(name,
                                        " of the log was damaged on disk; it was made again "
                                        "from the journal: check the disk"));
  }
  MutexLock lock(&mutex_);
  state_.damaged += mended.size();
  state_.repaired += mended.size();
  return absl::OkStatus();
}

absl::Status Scrubber::EndSegment() {
  if (!looked_at_ && (!damage_.empty() || header_damaged_)) {
    if (!is_open_) return BeginRepair();
    CloseOpen();
    return absl::OkStatus();
  }
  BeginSegment();
  return absl::OkStatus();
}

uint32_t Scrubber::validator_count() const {
  return static_cast<uint32_t>(ports_.genesis->validators.size());
}

void Scrubber::Tell(LogLevel level, absl::string_view text) const {
  (*ports_.log)(level, "scrub", text);
}

}  // namespace vigil::node
