#include "ledger/storage/journal_check.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/journal_format.h"

namespace vigil::ledger {
namespace {

constexpr size_t kWindowBytes = 1024 * 1024;

// What one segment holds.
struct SegmentScan {
  uint64_t end = 0;           // Journal offset where the unbroken run of sound frames ends.
  uint64_t file_end = 0;      // Journal offset where the file ends.
  absl::string_view damage;   // What is wrong at `end`; empty when the file ends there.
  uint64_t synced_up_to = 0;  // The furthest that a sound header claims, beyond the damage too.
  std::optional<uint64_t> newest_base;
};

class SegmentScanner {
 public:
  SegmentScanner(const SegmentHeader& header, const ReadFile* file, uint64_t file_bytes)
      : journal_id_(header.journal_id),
        start_(header.start),
        compacted_(header.format == SegmentFormat::kCompacted),
        file_end_(header.start + file_bytes - kSegmentHeaderBytes),
        window_(file) {}

  absl::StatusOr<SegmentScan> Scan() {
    SegmentScan scan;
    scan.file_end = file_end_;
    uint64_t at = start_;
    while (at < file_end_) {
      ASSIGN_OR_RETURN(const std::optional<FrameHeader> header, HeaderAt(at));
      if (!header.has_value()) {
        ASSIGN_OR_RETURN(const bool zeros, OnlyZerosFrom(at));
        scan.damage = zeros ? "only zeros follow" : "frame header is damaged";
        break;
      }
      if (header->synced_up_to < scan.synced_up_to) {
        scan.damage = "frame is of an earlier state of the journal";
        break;
      }
      scan.synced_up_to = header->synced_up_to;
      ASSIGN_OR_RETURN(scan.damage, BodyDamage(*header));
      if (!scan.damage.empty()) break;
      if (header->type == JournalType::kBase) scan.newest_base = at;
      if (header->type == JournalType::kPrunedBlock && !compacted_) {
        scan.damage = "a pruned block where none may be";
        break;
      }
      if (header->type == JournalType::kSkip) {
        ASSIGN_OR_RETURN(const uint64_t offsets, OffsetsOf(*header));
        if (offsets == 0) scan.damage = "a hole where none may be";
        if (offsets == 0 || offsets > UINT64_MAX - file_end_) break;
        skipped_ += offsets - kSkipFrameBytes;
        file_end_ += offsets - kSkipFrameBytes;
        at += offsets;
        continue;
      }
      at += header->frame_bytes();
    }
    scan.end = at;
    scan.file_end = file_end_;
    // What is compacted was durable: nothing behind its damage has to prove it.
    if (at < file_end_ && !compacted_) RETURN_IF_ERROR(LookBehindDamage(&scan));
    return scan;
  }

 private:
  uint64_t FileOffset(uint64_t at) const { return at - start_ - skipped_ + kSegmentHeaderBytes; }

  // How many offsets a sound hole takes; 0: it is none, or may not be here.
  absl::StatusOr<uint64_t> OffsetsOf(const FrameHeader& header) {
    if (!compacted_) return uint64_t{0};
    ASSIGN_OR_RETURN(
        const ByteSpan body,
        window_.View(FileOffset(header.offset) + kFrameHeaderBytes, header.body_bytes));
    return SkipOffsets(body).value_or(0);
  }

  absl::StatusOr<std::optional<FrameHeader>> HeaderAt(uint64_t at) {
    ASSIGN_OR_RETURN(const ByteSpan bytes, window_.View(FileOffset(at), kFrameHeaderBytes));
    return ParseFrameHeader(journal_id_, at, bytes);
  }

  absl::StatusOr<absl::string_view> BodyDamage(const FrameHeader& header) {
    if (header.frame_bytes() > file_end_ - header.offset) {
      return absl::string_view("frame is cut off");
    }
    ASSIGN_OR_RETURN(const ByteSpan frame,
                     window_.View(FileOffset(header.offset), header.frame_bytes()));
    if (!IsBodyOf(header, frame.subspan(std::min(frame.size(), kFrameHeaderBytes)))) {
      return absl::string_view("frame body is damaged");
    }
    return absl::string_view();
  }

  absl::StatusOr<bool> OnlyZerosFrom(uint64_t at) {
    while (at < file_end_) {
      ASSIGN_OR_RETURN(const ByteSpan bytes, window_.View(FileOffset(at), kWindowBytes));
      if (bytes.empty()) break;
      if (std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; })) {
        return false;
      }
      at += bytes.size();
    }
    return true;
  }

  // Looks for sound headers behind the damage, at every byte, until one proves that the damaged
  // place was durable. Bytes in a body that look like a header of this very journal and offset
  // could only make us refuse a journal that might have been cut, never cut one we must refuse.
  absl::Status LookBehindDamage(SegmentScan* scan) {
    uint64_t at = scan->end;
    while (at < file_end_ && scan->synced_up_to <= scan->end) {
      ASSIGN_OR_RETURN(const ByteSpan bytes, window_.View(FileOffset(at), kWindowBytes));
      if (bytes.size() < kFrameHeaderBytes) break;
      const size_t starts = bytes.size() - kFrameHeaderBytes + 1;
      for (size_t i = 0; i < starts; ++i) {
        const void* found = std::memchr(bytes.data() + i, kFrameMagic[0], starts - i);
        if (found == nullptr) break;
        i = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data());
        const std::optional<FrameHeader> header =
            ParseFrameHeader(journal_id_, at + i, bytes.subspan(i));
        if (header.has_value()) {
          scan->synced_up_to = std::max(scan->synced_up_to, header->synced_up_to);
        }
      }
      at += starts;
    }
    return absl::OkStatus();
  }

  const JournalId journal_id_;
  const uint64_t start_;
  const bool compacted_;
  uint64_t file_end_;     // Journal offset, with the holes that were passed.
  uint64_t skipped_ = 0;  // Offsets of those holes that take no bytes.
  FileWindow window_;
};

// Reads and judges the header of `segment`.
absl::Status CheckSegmentHeader(const ReadFile& file, const SegmentFile& segment,
                                const std::optional<JournalId>& expected_id, SegmentHeader* found) {
  ASSIGN_OR_RETURN(const std::string bytes, file.Read(0, kSegmentHeaderBytes));
  ASSIGN_OR_RETURN(const SegmentHeader header, DecodeSegmentHeader(AsBytes(bytes)));
  if (header.start != segment.start) {
    return absl::DataLossError(
        absl::StrCat("segment header says offset ", header.start, ", its name ", segment.start));
  }
  if (expected_id.has_value() && header.journal_id != *expected_id) {
    return absl::DataLossError(absl::StrCat(
        "segment belongs to journal ", header.journal_id.ToHex(), ", not ", expected_id->ToHex()));
  }
  *found = header;
  return absl::OkStatus();
}

absl::Status DamageAt(const SegmentFile& segment, uint64_t offset, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("journal segment ", segment.path, " at offset ", offset, ": ", what));
}

// Judges one segment; the one after it, if any, starts at `next`. Sets check->damage when it is not
// sound.
absl::Status CheckSegment(const FileSystem& files, const SegmentFile& segment,
                          std::optional<uint64_t> next, const std::optional<JournalId>& expected_id,
                          JournalCheck* check) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files.OpenRead(segment.path));
  ASSIGN_OR_RETURN(const uint64_t file_bytes, files.Size(segment.path));
  SegmentHeader found;
  const absl::Status header = CheckSegmentHeader(*file, segment, expected_id, &found);
  if (absl::IsDataLoss(header)) {
    check->damage = DamageAt(segment, segment.start, header.message());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(header);
  check->journal_id = found.journal_id;
  check->segments.push_back(segment);
  SegmentScanner scanner(found, file.get(), file_bytes);
  ASSIGN_OR_RETURN(const SegmentScan scan, scanner.Scan());
  check->end = scan.end;
  if (scan.newest_base.has_value()) check->newest_base = scan.newest_base;
  check->proven_end = std::min(scan.end, std::max(segment.start, scan.synced_up_to));
  const bool compacted = found.format == SegmentFormat::kCompacted;
  if (scan.damage.empty() && compacted && !next.has_value()) {
    check->damage = DamageAt(segment, scan.end,
                             "it was compacted, so another segment followed that is missing");
  } else if (scan.damage.empty()) {
    if (next.has_value() && *next != scan.end) {
      check->damage = DamageAt(
          segment, scan.end,
          absl::StrCat("the next segment starts at ", *next, ": frames or a segment are missing"));
    }
  } else if (next.has_value() || compacted || scan.synced_up_to > scan.end) {
    const uint64_t synced = next.value_or(scan.synced_up_to);
    check->damage = DamageAt(segment, scan.end,
                             absl::StrCat(scan.damage, "; the journal was durable up to ", synced));
  } else {
    check->torn_bytes = scan.file_end - scan.end;
    check->damage = absl::AbortedError(
        absl::StrCat("journal segment ", segment.path, " at offset ", scan.end, ": ", scan.damage,
                     "; ", check->torn_bytes, " bytes not known to have been durable"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ByteSpan> FileWindow::View(uint64_t offset, size_t size) {
  if (offset < begin_ || offset + size > begin_ + bytes_.size()) {
    ASSIGN_OR_RETURN(bytes_, file_->Read(offset, std::max(size, kWindowBytes)));
    begin_ = offset;
  }
  const size_t skip = static_cast<size_t>(offset - begin_);
  return AsBytes(bytes_).subspan(skip, std::min(size, bytes_.size() - skip));
}

absl::StatusOr<std::vector<SegmentFile>> ListSegments(const FileSystem& files,
                                                      const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(directory));
  std::vector<SegmentFile> segments;
  for (const std::string& name : names) {  // Sorted, and names are of one length.
    const std::optional<uint64_t> start = ParseSegmentName(name);
    if (start.has_value()) {
      segments.push_back({.start = *start, .path = absl::StrCat(directory, "/", name)});
    }
  }
  return segments;
}

absl::StatusOr<uint64_t> SoundEndOfSegment(const FileSystem& files, const SegmentFile& segment,
                                           const JournalId& journal_id) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files.OpenRead(segment.path));
  ASSIGN_OR_RETURN(const uint64_t file_bytes, files.Size(segment.path));
  SegmentHeader header;
  RETURN_IF_ERROR(CheckSegmentHeader(*file, segment, journal_id, &header));
  ASSIGN_OR_RETURN(const SegmentScan scan, SegmentScanner(header, file.get(), file_bytes).Scan());
  return scan.end;
}

absl::StatusOr<JournalCheck> CheckSegments(const FileSystem& files,
                                           const std::vector<SegmentFile>& segments,
                                           const std::optional<JournalId>& expected_id,
                                           std::optional<uint64_t> known_end) {
  JournalCheck check;
  check.end = segments.front().start;
  for (size_t i = 0; i < segments.size() && check.damage.ok(); ++i) {
    const std::optional<uint64_t> next =
        i + 1 < segments.size() ? std::optional<uint64_t>(segments[i + 1].start) : known_end;
    const std::optional<JournalId> id = i == 0 ? expected_id : check.journal_id;
    RETURN_IF_ERROR(CheckSegment(files, segments[i], next, id, &check));
  }
  return check;
}

absl::StatusOr<JournalCheck> CheckJournal(const FileSystem& files, const std::string& directory,
                                          const std::optional<JournalId>& expected_id) {
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(files, directory));
  if (segments.empty()) {
    return absl::NotFoundError(absl::StrCat("no journal segment in ", directory));
  }
  return CheckSegments(files, segments, expected_id, /*known_end=*/std::nullopt);
}

}  // namespace vigil::ledger
