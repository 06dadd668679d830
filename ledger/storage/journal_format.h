// The bytes of the journal, as docs/formats/journal.md draws them. Pure.
#ifndef VIGIL_LEDGER_STORAGE_JOURNAL_FORMAT_H_
#define VIGIL_LEDGER_STORAGE_JOURNAL_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

inline constexpr size_t kSegmentHeaderBytes = 40;
inline constexpr size_t kFrameHeaderBytes = 28;
inline constexpr size_t kFrameTrailerBytes = 4;
inline constexpr char kFrameMagic[] = "VJF";  // The first three bytes of a frame.

// "00000000000000001234.journal": the offset of the segment's first frame, in decimal.
std::string SegmentName(uint64_t start);
// The start offset, or nullopt when `name` is not exactly what SegmentName() gives.
std::optional<uint64_t> ParseSegmentName(absl::string_view name);

// Stored: never renumber.
enum class SegmentFormat : uint32_t {
  kWhole = 1,      // A frame lies as far behind the header as its offset behind the start.
  kCompacted = 2,  // Holes take fewer bytes than offsets. Never the last segment.
};

struct SegmentHeader {
  JournalId journal_id;
  uint64_t start = 0;
  SegmentFormat format = SegmentFormat::kWhole;
};
std::string EncodeSegmentHeader(const SegmentHeader& header);
// Errors: kDataLoss when magic or CRC differ, or the format is a later one.
absl::StatusOr<SegmentHeader> DecodeSegmentHeader(ByteSpan bytes);

struct FrameHeader {
  JournalType type = JournalType::kBlock;
  uint32_t body_bytes = 0;
  uint64_t offset = 0;        // Of this frame in the journal.
  uint64_t synced_up_to = 0;  // The journal was durable up to here when the frame was appended.
  // Over the journal id and the fields above. The body's CRC continues it, which ties a body to its
  // header: bytes of another frame of equal length do not pass.
  uint32_t crc = 0;

  uint64_t frame_bytes() const {
    return kFrameHeaderBytes + uint64_t{body_bytes} + kFrameTrailerBytes;
  }
};

// A hole's frame takes this many bytes, and at least as many offsets.
inline constexpr size_t kSkipBodyBytes = 8;
inline constexpr size_t kSkipFrameBytes = kFrameHeaderBytes + kSkipBodyBytes + kFrameTrailerBytes;
// The offsets that a hole with this body takes up; nullopt when it is none.
std::optional<uint64_t> SkipOffsets(ByteSpan body);

// Appends the whole frame to `out`; `header.body_bytes` and `header.crc` are not read.
void AppendFrame(const JournalId& journal_id, const FrameHeader& header, ByteSpan body,
                 std::string* out);
// Reads the header of the frame that is to lie at `offset`; nullopt when `bytes` does not begin
// with a sound header of this journal for this offset.
std::optional<FrameHeader> ParseFrameHeader(const JournalId& journal_id, uint64_t offset,
                                            ByteSpan bytes);
// Whether `body_and_trailer` is the body that belongs to `header` and its CRC.
bool IsBodyOf(const FrameHeader& header, ByteSpan body_and_trailer);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOURNAL_FORMAT_H_
