#include "ledger/storage/journal_format.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/storage/crc32c.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kSegmentMagic = "VigilJnl";
constexpr absl::string_view kSegmentSuffix = ".journal";
constexpr size_t kFrameMagicBytes = 3;
constexpr size_t kFrameHeaderCrcAt = 24;
constexpr size_t kSegmentHeaderCrcAt = 36;

}  // namespace

std::string SegmentName(uint64_t start) {
  return absl::StrCat(absl::Dec(start, absl::kZeroPad20), kSegmentSuffix);
}

std::optional<uint64_t> ParseSegmentName(absl::string_view name) {
  uint64_t start = 0;
  absl::string_view digits = name;
  if (!absl::ConsumeSuffix(&digits, kSegmentSuffix)) return std::nullopt;
  if (!absl::SimpleAtoi(digits, &start) || SegmentName(start) != name) return std::nullopt;
  return start;
}

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.Raw(kSegmentMagic).U32(static_cast<uint32_t>(header.format));
  writer.Fixed(header.journal_id).U64(header.start);
  writer.U32(Crc32c(AsBytes(bytes)));
  return bytes;
}

absl::StatusOr<SegmentHeader> DecodeSegmentHeader(ByteSpan bytes) {
  if (bytes.size() < kSegmentHeaderBytes) {
    return absl::DataLossError(absl::StrCat("segment header is cut off at ", bytes.size(), " of ",
                                            kSegmentHeaderBytes, " bytes"));
  }
  ByteReader reader(bytes.first(kSegmentHeaderBytes));
  const ByteSpan magic = reader.Raw(kSegmentMagic.size());
  const uint32_t format = reader.U32();
  SegmentHeader header;
  header.journal_id = reader.FixedValue<JournalId>();
  header.start = reader.U64();
  const uint32_t crc = reader.U32();
  if (AsView(magic) != kSegmentMagic || crc != Crc32c(bytes.first(kSegmentHeaderCrcAt))) {
    return absl::DataLossError("segment header is damaged");
  }
  header.format = static_cast<SegmentFormat>(format);
  if (header.format != SegmentFormat::kWhole && header.format != SegmentFormat::kCompacted) {
    return absl::DataLossError(
        absl::StrCat("segment format ", format, "; this program reads 1 and 2"));
  }
  return header;
}

std::optional<uint64_t> SkipOffsets(ByteSpan body) {
  if (body.size() != kSkipBodyBytes) return std::nullopt;
  const uint64_t offsets = ByteReader(body).U64();
  if (offsets < kSkipFrameBytes) return std::nullopt;
  return offsets;
}

void AppendFrame(const JournalId& journal_id, const FrameHeader& header, ByteSpan body,
                 std::string* out) {
  const size_t begin = out->size();
  ByteWriter writer(out);
  writer.Raw(absl::string_view(kFrameMagic, kFrameMagicBytes));
  writer.U8(static_cast<uint8_t>(header.type)).U32(static_cast<uint32_t>(body.size()));
  writer.U64(header.offset).U64(header.synced_up_to);
  const ByteSpan fields = AsBytes(*out).subspan(begin, kFrameHeaderCrcAt);
  const uint32_t header_crc = Crc32cExtend(Crc32c(journal_id.span()), fields);
  writer.U32(header_crc).Raw(body).U32(Crc32cExtend(header_crc, body));
}

std::optional<FrameHeader> ParseFrameHeader(const JournalId& journal_id, uint64_t offset,
                                            ByteSpan bytes) {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  ByteReader reader(bytes.first(kFrameHeaderBytes));
  if (AsView(reader.Raw(kFrameMagicBytes)) != kFrameMagic) return std::nullopt;
  FrameHeader header;
  header.type = static_cast<JournalType>(reader.U8());
  header.body_bytes = reader.U32();
  header.offset = reader.U64();
  header.synced_up_to = reader.U64();
  header.crc = reader.U32();
  if (header.offset != offset || header.synced_up_to > offset) return std::nullopt;
  const uint32_t crc = Crc32cExtend(Crc32c(journal_id.span()), bytes.first(kFrameHeaderCrcAt));
  if (header.crc != crc) return std::nullopt;
  return header;
}

bool IsBodyOf(const FrameHeader& header, ByteSpan body_and_trailer) {
  if (body_and_trailer.size() != size_t{header.body_bytes} + kFrameTrailerBytes) return false;
  ByteReader trailer(body_and_trailer.last(kFrameTrailerBytes));
  return trailer.U32() == Crc32cExtend(header.crc, body_and_trailer.first(header.body_bytes));
}

}  // namespace vigil::ledger
