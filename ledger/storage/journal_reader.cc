#include "ledger/storage/journal_reader.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/journal_format.h"

namespace vigil::ledger {
namespace {

// Files kept open at a time, so that a long journal does not use up the process's descriptors.
constexpr size_t kOpenFilesMax = 64;

absl::Status Damaged(const SegmentFile& segment, uint64_t offset, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("journal segment ", segment.path, " at offset ", offset, ": ", what));
}

// The header of the frame at `offset`, which must end at or before `end`.
absl::StatusOr<FrameHeader> SoundHeader(const JournalId& id, const SegmentFile& segment,
                                        uint64_t offset, uint64_t end, ByteSpan bytes) {
  const std::optional<FrameHeader> header = ParseFrameHeader(id, offset, bytes);
  if (!header.has_value()) return Damaged(segment, offset, "frame header is damaged");
  if (header->frame_bytes() > end - offset) {
    return Damaged(segment, offset, "frame reaches beyond the journal's end");
  }
  return *header;
}

}  // namespace

SegmentedReader::SegmentedReader(const FileSystem* files, const JournalCheck& check)
    : files_(files), journal_id_(check.journal_id), end_(check.end) {
  VIGIL_CHECK(!check.segments.empty());
  for (const SegmentFile& segment : check.segments) AddSegment(segment);
  if (check.newest_base.has_value()) SetBase({.offset = *check.newest_base});
}

void SegmentedReader::AddSegment(const SegmentFile& segment) {
  MutexLock lock(&mutex_);
  slots_[segment.start].path = segment.path;
}

void SegmentedReader::SetBase(JournalPosition position) {
  MutexLock lock(&mutex_);
  newest_base_ = position;
}

std::optional<JournalPosition> SegmentedReader::newest_base() const {
  MutexLock lock(&mutex_);
  return newest_base_;
}

JournalPosition SegmentedReader::begin() const {
  MutexLock lock(&mutex_);
  return {.offset = slots_.begin()->first};
}

JournalPosition SegmentedReader::end() const {
  return {.offset = end_.load(std::memory_order_acquire)};
}

absl::StatusOr<SegmentedReader::OpenSegment> SegmentedReader::Locate(uint64_t offset) const {
  const uint64_t end = end_.load(std::memory_order_acquire);
  MutexLock lock(&mutex_);
  if (offset >= end || offset < slots_.begin()->first) {
    return absl::OutOfRangeError(absl::StrCat("journal offset ", offset, " outside [",
                                              slots_.begin()->first, ", ", end, ")"));
  }
  auto& [start, slot] = *std::prev(slots_.upper_bound(offset));
  const SegmentFile segment{.start = start, .path = slot.path};
  if (slot.contents == nullptr) {
    ASSIGN_OR_RETURN(std::unique_ptr<ReadFile> file, files_->OpenRead(slot.path));
    ASSIGN_OR_RETURN(SegmentMap map, SegmentMap::Load(*file, segment, journal_id_));
    slot.contents = std::make_shared<const Contents>(Contents{std::move(file), std::move(map)});
    if (++open_count_ > kOpenFilesMax) CloseLeastUsed();
  }
  slot.last_use = ++use_count_;
  return OpenSegment{.contents = slot.contents, .segment = segment};
}

void SegmentedReader::CloseLeastUsed() const {
  Slot* oldest = nullptr;
  for (auto& [start, slot] : slots_) {
    // A slot that was opened this moment has not been used yet and stays.
    if (slot.contents == nullptr || slot.last_use == 0) continue;
    if (oldest == nullptr || slot.last_use < oldest->last_use) oldest = &slot;
  }
  if (oldest == nullptr) return;
  oldest->contents = nullptr;
  oldest->last_use = 0;
  --open_count_;
}

void SegmentedReader::Refresh(uint64_t segment_start) const {
  MutexLock lock(&mutex_);
  const auto slot = slots_.find(segment_start);
  if (slot == slots_.end() || slot->second.contents == nullptr) return;
  slot->second.contents = nullptr;
  slot->second.last_use = 0;
  --open_count_;
}

void SegmentedReader::Forget(uint64_t before) const {
  MutexLock lock(&mutex_);
  VIGIL_CHECK(slots_.contains(before), "no segment starts at offset ", before);
  while (slots_.begin()->first < before) {
    if (slots_.begin()->second.contents != nullptr) --open_count_;
    slots_.erase(slots_.begin());
  }
}

absl::StatusOr<uint64_t> SegmentedReader::EndOfHole(const OpenSegment& open,
                                                    const FrameHeader& header) const {
  ASSIGN_OR_RETURN(const std::string body,
                   open.file().Read(open.PlaceOf(header.offset) + kFrameHeaderBytes,
                                    header.body_bytes + kFrameTrailerBytes));
  const std::optional<uint64_t> offsets = IsBodyOf(header, AsBytes(body))
                                              ? SkipOffsets(AsBytes(body).first(header.body_bytes))
                                              : std::nullopt;
  if (!offsets.has_value()) return Damaged(open.segment, header.offset, "hole is damaged");
  return header.offset + *offsets;
}

absl::StatusOr<JournalReader::Frame> SegmentedReader::Read(JournalPosition position) const {
  ASSIGN_OR_RETURN(const OpenSegment open, Locate(position.offset));
  const uint64_t at = open.PlaceOf(position.offset);
  ASSIGN_OR_RETURN(const std::string bytes, open.file().Read(at, kFrameHeaderBytes));
  ASSIGN_OR_RETURN(const FrameHeader header, SoundHeader(journal_id_, open.segment, position.offset,
                                                         end().offset, AsBytes(bytes)));
  if (header.type == JournalType::kSkip) {
    ASSIGN_OR_RETURN(const uint64_t next, EndOfHole(open, header));
    return Read({.offset = next});  // Two holes never follow each other.
  }
  Frame frame;
  frame.type = header.type;
  frame.synced_up_to = header.synced_up_to;
  frame.position = position;
  frame.next = {.offset = position.offset + header.frame_bytes()};
  ASSIGN_OR_RETURN(
      frame.body, open.file().Read(at + kFrameHeaderBytes, header.body_bytes + kFrameTrailerBytes));
  if (!IsBodyOf(header, AsBytes(frame.body))) {
    return Damaged(open.segment, position.offset, "frame body is damaged");
  }
  frame.body.resize(header.body_bytes);
  return frame;
}

absl::Status SegmentedReader::ForEach(JournalPosition from,
                                      const std::function<bool(const Frame&)>& visit) const {
  const uint64_t end = this->end().offset;
  Frame frame;
  uint64_t at = from.offset;
  while (at != end) {
    ASSIGN_OR_RETURN(const OpenSegment open, Locate(at));
    uint64_t segment_end = end;
    {
      MutexLock lock(&mutex_);
      const auto next = slots_.upper_bound(at);
      if (next != slots_.end()) segment_end = std::min(end, next->first);
    }
    FileWindow window(&open.file());
    while (at < segment_end) {
      const uint64_t place = open.PlaceOf(at);
      ASSIGN_OR_RETURN(const ByteSpan head, window.View(place, kFrameHeaderBytes));
      ASSIGN_OR_RETURN(const FrameHeader header,
                       SoundHeader(journal_id_, open.segment, at, segment_end, head));
      if (header.type == JournalType::kSkip) {
        ASSIGN_OR_RETURN(at, EndOfHole(open, header));
        continue;
      }
      ASSIGN_OR_RETURN(const ByteSpan body, window.View(place + kFrameHeaderBytes,
                                                        header.body_bytes + kFrameTrailerBytes));
      if (!IsBodyOf(header, body)) return Damaged(open.segment, at, "frame body is damaged");
      frame.type = header.type;
      frame.synced_up_to = header.synced_up_to;
      frame.position = {.offset = at};
      at += header.frame_bytes();
      frame.next = {.offset = at};
      frame.body.assign(reinterpret_cast<const char*>(body.data()), header.body_bytes);
      if (!visit(frame)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const JournalReader>> OpenJournalForReading(
    FileSystem* files, const std::string& directory, absl::Status* damage, JournalId* id) {
  ASSIGN_OR_RETURN(const JournalCheck check,
                   CheckJournal(*files, directory, /*expected_id=*/std::nullopt));
  *damage = check.damage;
  if (id != nullptr) *id = check.journal_id;
  if (check.segments.empty()) return check.damage;  // Not even the first header is sound.
  return std::make_shared<const SegmentedReader>(files, check);
}

}  // namespace vigil::ledger
