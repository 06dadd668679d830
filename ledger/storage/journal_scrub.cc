#include "ledger/storage/journal_scrub.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/journal_format.h"

namespace vigil::ledger {
namespace {

constexpr size_t kSearchBytes = 1024 * 1024;
constexpr size_t kCopyBytes = 1024 * 1024;
constexpr size_t kFrameOffsetAt = 8;  // Where a frame's header says its offset.

std::string ParentOf(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

// Writes the copy and says how far the journal was durable when each frame was appended.
class SegmentCopy {
 public:
  SegmentCopy(std::unique_ptr<AppendFile> file, const SegmentHeader& header)
      : file_(std::move(file)),
        id_(header.journal_id),
        synced_up_to_(header.start),
        buffer_(EncodeSegmentHeader(header)) {}

  absl::Status Add(JournalType type, uint64_t offset, uint64_t synced_up_to, ByteSpan body) {
    // It never shrinks, and a patch is no newer than what stands before it.
    synced_up_to_ = std::max(synced_up_to_, synced_up_to);
    AppendFrame(id_, {.type = type, .offset = offset, .synced_up_to = synced_up_to_}, body,
                &buffer_);
    return buffer_.size() < kCopyBytes ? absl::OkStatus() : Flush();
  }
  absl::Status Finish() {
    RETURN_IF_ERROR(Flush());
    return file_->Sync();
  }

 private:
  absl::Status Flush() {
    RETURN_IF_ERROR(file_->Append(AsBytes(buffer_)));
    buffer_.clear();
    return absl::OkStatus();
  }

  const std::unique_ptr<AppendFile> file_;
  const JournalId id_;
  uint64_t synced_up_to_;
  std::string buffer_;
};

// `offset` of the frame that follows one of `body_bytes` at `offset`.
uint64_t Behind(uint64_t offset, const SegmentPatch& patch) {
  if (patch.type == JournalType::kSkip) {
    return offset + SkipOffsets(AsBytes(patch.body)).value_or(0);
  }
  return offset + kFrameHeaderBytes + patch.body.size() + kFrameTrailerBytes;
}

absl::Status CopyFrames(SegmentScrub* from, const std::vector<SegmentPatch>& patches,
                        SegmentCopy* to) {
  size_t next = 0;
  while (!from->done()) {
    ASSIGN_OR_RETURN(const SegmentScrub::Item item, from->Next());
    if (item.is_sound) {
      const auto& frame = item.frame;
      RETURN_IF_ERROR(
          to->Add(frame.type, frame.position.offset, frame.synced_up_to, AsBytes(frame.body)));
      continue;
    }
    uint64_t at = item.damage.from;
    while (at < item.damage.to && next < patches.size() && patches[next].offset == at) {
      const SegmentPatch& patch = patches[next++];
      RETURN_IF_ERROR(to->Add(patch.type, at, /*synced_up_to=*/0, AsBytes(patch.body)));
      at = Behind(at, patch);
    }
    if (at != item.damage.to) {
      return absl::DataLossError(absl::StrCat("journal offset ", at, " to ", item.damage.to,
                                              " is damaged and nothing fills it"));
    }
  }
  if (next == patches.size()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("nothing is damaged at journal offset ", patches[next].offset));
}

// Also when the header does not say it.
absl::StatusOr<bool> IsCompacted(const FileSystem* files, const SegmentFile& segment, uint64_t end,
                                 const JournalId& id) {
  ASSIGN_OR_RETURN(const auto scrub, SegmentScrub::Open(files, segment, end, id));
  while (!scrub->header_is_sound() && !scrub->compacted() && !scrub->done()) {
    RETURN_IF_ERROR(scrub->Next().status());
  }
  return scrub->compacted();
}

}  // namespace

SegmentScrub::SegmentScrub(std::unique_ptr<ReadFile> file, const SegmentFile& segment, uint64_t end,
                           const JournalId& id)
    : file_(std::move(file)),
      segment_(segment),
      end_(end),
      id_(id),
      window_(file_.get()),
      at_(segment.start) {}

absl::StatusOr<std::unique_ptr<SegmentScrub>> SegmentScrub::Open(const FileSystem* files,
                                                                 const SegmentFile& segment,
                                                                 uint64_t end,
                                                                 const JournalId& id) {
  // What memory has right says nothing of the disk.
  RETURN_IF_ERROR(files->DropCached(segment.path));
  ASSIGN_OR_RETURN(std::unique_ptr<ReadFile> file, files->OpenRead(segment.path));
  std::unique_ptr<SegmentScrub> scrub(new SegmentScrub(std::move(file), segment, end, id));
  ASSIGN_OR_RETURN(const ByteSpan bytes, scrub->window_.View(0, kSegmentHeaderBytes));
  const absl::StatusOr<SegmentHeader> header = DecodeSegmentHeader(bytes);
  scrub->header_is_sound_ =
      header.ok() && header->journal_id == id && header->start == segment.start;
  scrub->compacted_ = scrub->header_is_sound_ && header->format == SegmentFormat::kCompacted;
  return scrub;
}

uint64_t SegmentScrub::FileOffset(uint64_t at) const {
  return at - segment_.start - skipped_ + kSegmentHeaderBytes;
}

absl::StatusOr<bool> SegmentScrub::FrameAt(uint64_t at, JournalReader::Frame* frame) {
  ASSIGN_OR_RETURN(const ByteSpan head, window_.View(FileOffset(at), kFrameHeaderBytes));
  const std::optional<FrameHeader> header = ParseFrameHeader(id_, at, head);
  if (!header.has_value() || header->frame_bytes() > end_ - at) return false;
  ASSIGN_OR_RETURN(const ByteSpan body, window_.View(FileOffset(at) + kFrameHeaderBytes,
                                                     header->body_bytes + kFrameTrailerBytes));
  if (!IsBodyOf(*header, body)) return false;
  frame->type = header->type;
  frame->position = {.offset = at};
  frame->next = {.offset = at + header->frame_bytes()};
  frame->synced_up_to = header->synced_up_to;
  frame->body.assign(reinterpret_cast<const char*>(body.data()), header->body_bytes);
  return true;
}

absl::StatusOr<uint64_t> SegmentScrub::NextSound(uint64_t at) {
  JournalReader::Frame frame;
  while (at < end_) {
    ASSIGN_OR_RETURN(const ByteSpan bytes, window_.View(FileOffset(at), kSearchBytes));
    const void* found =
        bytes.empty() ? nullptr : std::memchr(bytes.data(), kFrameMagic[0], bytes.size());
    if (bytes.empty()) break;
    if (found == nullptr) {
      at += bytes.size();
      continue;
    }
    at += static_cast<uint64_t>(static_cast<const uint8_t*>(found) - bytes.data());
    if (at >= end_) break;
    ASSIGN_OR_RETURN(const bool sound, FrameAt(at, &frame));
    if (sound) return at;
    ++at;
  }
  return end_;
}

absl::StatusOr<uint64_t> SegmentScrub::NextSoundCompacted(uint64_t at) {
  const uint64_t skipped_before = skipped_;
  JournalReader::Frame frame;
  for (uint64_t place = FileOffset(at) + 1;;) {
    ASSIGN_OR_RETURN(const ByteSpan bytes, window_.View(place, kSearchBytes));
    if (bytes.size() < kFrameHeaderBytes) break;
    const void* const found = std::memchr(bytes.data(), kFrameMagic[0], bytes.size());
    if (found == nullptr) {
      place += bytes.size();
      continue;
    }
    const uint64_t before =
        static_cast<uint64_t>(static_cast<const uint8_t*>(found) - bytes.data());
    place += before;
    if (bytes.size() - before < kFrameHeaderBytes) {
      if (bytes.size() < kSearchBytes) break;
      continue;  // Its header begins in this piece and ends in the next.
    }
    const uint64_t offset =
        ByteReader(bytes.subspan(before + kFrameOffsetAt, sizeof(uint64_t))).U64();
    // Skips only ever take offsets without bytes.
    const uint64_t least = at + (place - FileOffset(at));
    if (offset >= least && offset < end_) {
      skipped_ = skipped_before + (offset - least);
      ASSIGN_OR_RETURN(const bool sound, FrameAt(offset, &frame));
      if (sound) return offset;
      skipped_ = skipped_before;
    }
    ++place;
  }
  return end_;
}

absl::StatusOr<SegmentScrub::Item> SegmentScrub::Next() {
  Item item;
  ASSIGN_OR_RETURN(item.is_sound, FrameAt(at_, &item.frame));
  const bool is_of_compacted = item.is_sound && (item.frame.type == JournalType::kSkip ||
                                                 item.frame.type == JournalType::kPrunedBlock);
  compacted_ = compacted_ || (is_of_compacted && !header_is_sound_);
  if (item.is_sound && compacted_ && item.frame.type == JournalType::kSkip) {
    const std::optional<uint64_t> offsets = SkipOffsets(AsBytes(item.frame.body));
    item.is_sound = offsets.has_value() && *offsets <= end_ - at_;
    if (item.is_sound) {
      skipped_ += *offsets - kSkipFrameBytes;
      item.frame.next = {.offset = at_ + *offsets};
    }
  }
  if (item.is_sound) {
    at_ = item.frame.next.offset;
    return item;
  }
  ASSIGN_OR_RETURN(const uint64_t sound, compacted_ ? NextSoundCompacted(at_) : NextSound(at_ + 1));
  item.damage = {.from = at_, .to = sound};
  at_ = sound;
  return item;
}

absl::Status RewriteSegment(FileSystem* files, const SegmentFile& segment, uint64_t end,
                            const JournalId& id, const std::vector<SegmentPatch>& patches) {
  const std::string copy_path = segment.path + ".repair";
  if (files->Exists(copy_path)) RETURN_IF_ERROR(files->Remove(copy_path));
  {
    ASSIGN_OR_RETURN(const bool compacted, IsCompacted(files, segment, end, id));
    ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, files->OpenAppend(copy_path));
    SegmentCopy copy(std::move(file),
                     {.journal_id = id,
                      .start = segment.start,
                      .format = compacted ? SegmentFormat::kCompacted : SegmentFormat::kWhole});
    ASSIGN_OR_RETURN(const auto from, SegmentScrub::Open(files, segment, end, id));
    RETURN_IF_ERROR(CopyFrames(from.get(), patches, &copy));
    RETURN_IF_ERROR(copy.Finish());
  }
  // What takes the old one's place is read once more first.
  ASSIGN_OR_RETURN(const auto check,
                   SegmentScrub::Open(files, {.start = segment.start, .path = copy_path}, end, id));
  bool sound = check->header_is_sound();
  while (sound && !check->done()) {
    ASSIGN_OR_RETURN(const SegmentScrub::Item item, check->Next());
    sound = item.is_sound;
  }
  if (!sound) return absl::DataLossError(absl::StrCat(copy_path, ": the copy is damaged, too"));
  RETURN_IF_ERROR(files->Rename(copy_path, segment.path));
  return files->SyncDir(ParentOf(segment.path));
}

}  // namespace vigil::ledger
