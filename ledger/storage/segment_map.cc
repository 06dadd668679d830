#include "ledger/storage/segment_map.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

absl::Status Damaged(const SegmentFile& segment, uint64_t offset, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("journal segment ", segment.path, " at offset ", offset, ": ", what));
}

}  // namespace

absl::StatusOr<SegmentMap> SegmentMap::Load(const ReadFile& file, const SegmentFile& segment,
                                            const JournalId& journal_id) {
  ASSIGN_OR_RETURN(const std::string bytes, file.Read(0, kSegmentHeaderBytes));
  const absl::StatusOr<SegmentHeader> header = DecodeSegmentHeader(AsBytes(bytes));
  if (!header.ok()) return Damaged(segment, segment.start, header.status().message());
  if (header->journal_id != journal_id || header->start != segment.start) {
    return Damaged(segment, segment.start, "the header is that of another segment");
  }
  SegmentMap map(segment.start, header->format == SegmentFormat::kCompacted);
  if (map.compacted_) RETURN_IF_ERROR(map.FindHoles(file, segment, journal_id));
  return map;
}

absl::Status SegmentMap::FindHoles(const ReadFile& file, const SegmentFile& segment,
                                   const JournalId& journal_id) {
  FileWindow window(&file);
  uint64_t at = segment.start;
  uint64_t skipped = 0;
  for (;;) {
    const uint64_t place = at - start_ - skipped + kSegmentHeaderBytes;
    ASSIGN_OR_RETURN(const ByteSpan bytes, window.View(place, kSkipFrameBytes));
    if (bytes.empty()) return absl::OkStatus();
    const std::optional<FrameHeader> frame = ParseFrameHeader(journal_id, at, bytes);
    if (!frame.has_value()) return Damaged(segment, at, "frame header is damaged");
    if (frame->type != JournalType::kSkip) {
      at += frame->frame_bytes();
      continue;
    }
    const ByteSpan rest = bytes.subspan(kFrameHeaderBytes);
    const std::optional<uint64_t> offsets =
        IsBodyOf(*frame, rest) ? SkipOffsets(rest.first(kSkipBodyBytes)) : std::nullopt;
    if (!offsets.has_value() || *offsets > UINT64_MAX - at) {
      return Damaged(segment, at, "hole is damaged");
    }
    at += *offsets;
    skipped += *offsets - kSkipFrameBytes;
    holes_.emplace_back(at, skipped);
  }
}

uint64_t SegmentMap::PlaceOf(uint64_t offset) const {
  const auto after =
      std::upper_bound(holes_.begin(), holes_.end(), offset,
                       [](uint64_t wanted, const auto& hole) { return wanted < hole.first; });
  const uint64_t skipped = after == holes_.begin() ? 0 : std::prev(after)->second;
  return offset - start_ - skipped + kSegmentHeaderBytes;
}

}  // namespace vigil::ledger
