#include "ledger/storage/journal_rewrite.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/journal_format.h"

namespace vigil::ledger {
namespace {

constexpr size_t kPieceBytes = 1024 * 1024;
constexpr absl::string_view kCopySuffix = ".compacting";

absl::Status Damaged(const SegmentFile& segment, uint64_t offset, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("journal segment ", segment.path, " at offset ", offset, ": ", what));
}

class Compactor {
 public:
  Compactor(FileSystem* files, const JournalId& journal_id, const SegmentFile& segment,
            uint64_t end)
      : files_(files),
        journal_id_(journal_id),
        segment_(segment),
        end_(end),
        copy_path_(absl::StrCat(segment.path, kCopySuffix)) {}

  absl::StatusOr<CompactOutcome> Run(const ShrinkFn& shrink) {
    ASSIGN_OR_RETURN(const bool compacted, IsCompacted(*files_, segment_));
    if (compacted) {
      return absl::FailedPreconditionError(
          absl::StrCat("journal segment ", segment_.path, " is compacted already"));
    }
    RETURN_IF_ERROR(RemoveCopy());
    ASSIGN_OR_RETURN(outcome_.bytes_before, files_->Size(segment_.path));
    ASSIGN_OR_RETURN(copy_, files_->OpenAppend(copy_path_));
    buffer_ = EncodeSegmentHeader(
        {.journal_id = journal_id_, .start = segment_.start, .format = SegmentFormat::kCompacted});
    RETURN_IF_ERROR(CopyFrames(shrink));
    if (outcome_.frames_changed == 0) {
      copy_.reset();
      RETURN_IF_ERROR(RemoveCopy());
      outcome_.bytes_after = outcome_.bytes_before;
      return outcome_;
    }
    RETURN_IF_ERROR(Flush());
    RETURN_IF_ERROR(copy_->Sync());
    outcome_.bytes_after = copy_->size();
    copy_.reset();
    RETURN_IF_ERROR(CheckCopy());
    RETURN_IF_ERROR(files_->Rename(copy_path_, segment_.path));
    RETURN_IF_ERROR(files_->SyncDir(segment_.path.substr(0, segment_.path.rfind('/'))));
    return outcome_;
  }

 private:
  absl::Status RemoveCopy() {
    return files_->Exists(copy_path_) ? files_->Remove(copy_path_) : absl::OkStatus();
  }

  absl::Status CopyFrames(const ShrinkFn& shrink) {
    ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files_->OpenRead(segment_.path));
    FileWindow window(file.get());
    for (uint64_t at = segment_.start; at < end_;) {
      const uint64_t place = at - segment_.start + kSegmentHeaderBytes;
      ASSIGN_OR_RETURN(const ByteSpan head, window.View(place, kFrameHeaderBytes));
      const std::optional<FrameHeader> header = ParseFrameHeader(journal_id_, at, head);
      if (!header.has_value()) return Damaged(segment_, at, "frame header is damaged");
      if (header->frame_bytes() > end_ - at) {
        return Damaged(segment_, at, "frame reaches into the next segment");
      }
      ASSIGN_OR_RETURN(const ByteSpan rest, window.View(place + kFrameHeaderBytes,
                                                        header->body_bytes + kFrameTrailerBytes));
      if (!IsBodyOf(*header, rest)) return Damaged(segment_, at, "frame body is damaged");
      RETURN_IF_ERROR(CopyFrame(*header, rest.first(header->body_bytes), shrink));
      if (buffer_.size() >= kPieceBytes) RETURN_IF_ERROR(Flush());
      at += header->frame_bytes();
    }
    return absl::OkStatus();
  }

  absl::Status CopyFrame(const FrameHeader& header, ByteSpan body, const ShrinkFn& shrink) {
    std::optional<std::string> shorter;
    if (header.type == JournalType::kBlock) {
      const JournalReader::Frame frame{.type = header.type,
                                       .position = {.offset = header.offset},
                                       .next = {.offset = header.offset + header.frame_bytes()},
                                       .body = std::string(AsView(body))};
      ASSIGN_OR_RETURN(shorter, shrink(frame));
    }
    if (!shorter.has_value() || shorter->size() + 2 * kSkipFrameBytes > body.size()) {
      AppendFrame(journal_id_, header, body, &buffer_);
      return absl::OkStatus();
    }
    const size_t before = buffer_.size();
    FrameHeader changed = header;
    changed.type = JournalType::kPrunedBlock;
    AppendFrame(journal_id_, changed, AsBytes(*shorter), &buffer_);
    const uint64_t hole_at = header.offset + (buffer_.size() - before);
    std::string hole;
    ByteWriter(&hole).U64(header.offset + header.frame_bytes() - hole_at);
    AppendFrame(
        journal_id_,
        {.type = JournalType::kSkip, .offset = hole_at, .synced_up_to = header.synced_up_to},
        AsBytes(hole), &buffer_);
    ++outcome_.frames_changed;
    return absl::OkStatus();
  }

  absl::Status Flush() {
    RETURN_IF_ERROR(copy_->Append(AsBytes(buffer_)));
    buffer_.clear();
    return absl::OkStatus();
  }

  // From its own bytes on disk: what is about to take the place of the original must be sound.
  absl::Status CheckCopy() {
    ASSIGN_OR_RETURN(
        const uint64_t sound_to,
        SoundEndOfSegment(*files_, {.start = segment_.start, .path = copy_path_}, journal_id_));
    if (sound_to == end_) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(copy_path_, ": the copy is sound up to offset ",
                                            sound_to, " of ", end_, "; the original stays"));
  }

  FileSystem* const files_;
  const JournalId journal_id_;
  const SegmentFile& segment_;
  const uint64_t end_;
  const std::string copy_path_;
  std::unique_ptr<AppendFile> copy_;
  std::string buffer_;
  CompactOutcome outcome_;
};

}  // namespace

absl::StatusOr<bool> IsCompacted(const FileSystem& files, const SegmentFile& segment) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files.OpenRead(segment.path));
  ASSIGN_OR_RETURN(const std::string bytes, file->Read(0, kSegmentHeaderBytes));
  ASSIGN_OR_RETURN(const SegmentHeader header, DecodeSegmentHeader(AsBytes(bytes)));
  return header.format == SegmentFormat::kCompacted;
}

absl::StatusOr<CompactOutcome> CompactSegment(FileSystem* files, const JournalId& journal_id,
                                              const SegmentFile& segment, uint64_t end,
                                              const ShrinkFn& shrink) {
  return Compactor(files, journal_id, segment, end).Run(shrink);
}

}  // namespace vigil::ledger
