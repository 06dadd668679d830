#include "ledger/storage/leveldb_format.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ledger/storage/crc32c.h"

namespace vigil::ledger {
namespace {

constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kHeaderBytes = 7;  // CRC (4), length (2), type (1).

// Stored by LevelDB: never renumber.
enum class FragmentType : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

uint64_t LittleEndian(ByteSpan bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | bytes[i - 1];
  return value;
}

// LevelDB stores a CRC rotated and offset, because a CRC over data with CRCs in it is weak.
uint32_t Mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

struct Fragment {
  FragmentType type;
  ByteSpan payload;
};

// The fragment at the start of `bytes`, which end where the log's block ends.
std::optional<Fragment> ParseFragment(ByteSpan bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const uint32_t crc = static_cast<uint32_t>(LittleEndian(bytes.first(4)));
  const size_t length = static_cast<size_t>(LittleEndian(bytes.subspan(4, 2)));
  const uint8_t type = bytes[6];
  if (type < static_cast<uint8_t>(FragmentType::kFull) ||
      type > static_cast<uint8_t>(FragmentType::kLast) || length > bytes.size() - kHeaderBytes) {
    return std::nullopt;
  }
  if (Mask(Crc32c(bytes.subspan(6, 1 + length))) != crc) return std::nullopt;
  return Fragment{.type = static_cast<FragmentType>(type),
                  .payload = bytes.subspan(kHeaderBytes, length)};
}

// Reads the numbers of a manifest's edit. Reading past the end makes ok() false for good.
class EditReader {
 public:
  explicit EditReader(ByteSpan bytes) : rest_(bytes) {}
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const uint8_t byte = rest_[0];
      rest_ = rest_.subspan(1);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  void SkipBytes() {
    const uint64_t size = Varint();
    if (size > rest_.size()) ok_ = false;
    rest_ = rest_.subspan(std::min<uint64_t>(size, rest_.size()));
  }
  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }

 private:
  ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace

bool IsSoundLevelDbBlock(ByteSpan block_and_trailer) {
  constexpr size_t kCrcBytes = 4;
  if (block_and_trailer.size() <= kCrcBytes) return false;
  const ByteSpan covered = block_and_trailer.first(block_and_trailer.size() - kCrcBytes);
  return Mask(Crc32c(covered)) == LittleEndian(block_and_trailer.last(kCrcBytes));
}

uint64_t ScanLevelDbLog(ByteSpan file, const std::function<bool(ByteSpan record)>& visit) {
  uint64_t sound_end = 0;
  std::string pieces;
  bool inside = false;  // Between a record's first fragment and its last.
  size_t at = 0;
  for (;;) {
    const size_t block_left = kBlockBytes - at % kBlockBytes;
    if (block_left < kHeaderBytes) {
      if (at + block_left > file.size()) return sound_end;
      at += block_left;
      continue;
    }
    const ByteSpan rest = file.subspan(at, std::min(block_left, file.size() - at));
    const std::optional<Fragment> fragment = ParseFragment(rest);
    if (!fragment.has_value()) return sound_end;
    at += kHeaderBytes + fragment->payload.size();
    const bool begins =
        fragment->type == FragmentType::kFull || fragment->type == FragmentType::kFirst;
    if (begins == inside) return sound_end;
    if (fragment->type == FragmentType::kFull) {
      if (!visit(fragment->payload)) return sound_end;
      sound_end = at;
      continue;
    }
    if (begins) pieces.clear();
    pieces.append(AsView(fragment->payload).data(), fragment->payload.size());
    inside = fragment->type != FragmentType::kLast;
    if (inside) continue;
    if (!visit(AsBytes(pieces))) return sound_end;
    sound_end = at;
  }
}

absl::StatusOr<LevelDbBatchHeader> ParseLevelDbBatch(ByteSpan record) {
  constexpr size_t kBatchHeaderBytes = 12;
  if (record.size() < kBatchHeaderBytes) {
    return absl::DataLossError(absl::StrCat("LevelDB batch of ", record.size(), " bytes"));
  }
  return LevelDbBatchHeader{.sequence = LittleEndian(record.first(8)),
                            .count = static_cast<uint32_t>(LittleEndian(record.subspan(8, 4)))};
}

absl::Status ApplyLevelDbEdit(ByteSpan record, LevelDbManifest* manifest) {
  // Stored by LevelDB: never renumber.
  enum : uint64_t {
    kComparator = 1,
    kLogNumber = 2,
    kNextFileNumber = 3,
    kLastSequence = 4,
    kCompactPointer = 5,
    kDeletedFile = 6,
    kNewFile = 7,
    kPreviousLogNumber = 9,
  };
  EditReader reader(record);
  while (!reader.done() && reader.ok()) {
    switch (const uint64_t tag = reader.Varint()) {
      case kComparator:
        reader.SkipBytes();
        break;
      case kLogNumber:
        manifest->log_number = reader.Varint();
        break;
      case kLastSequence:
        manifest->last_sequence = reader.Varint();
        break;
      case kNextFileNumber:
      case kPreviousLogNumber:
        reader.Varint();
        break;
      case kCompactPointer:
        reader.Varint();  // Level.
        reader.SkipBytes();
        break;
      case kDeletedFile:
        reader.Varint();  // Level.
        reader.Varint();  // File number.
        break;
      case kNewFile:
        for (int i = 0; i < 3; ++i) reader.Varint();     // Level, file number, size.
        for (int i = 0; i < 2; ++i) reader.SkipBytes();  // Smallest and largest key.
        break;
      default:
        return absl::DataLossError(absl::StrCat("LevelDB manifest edit with unknown tag ", tag));
    }
  }
  if (!reader.ok()) return absl::DataLossError("LevelDB manifest edit is cut off");
  return absl::OkStatus();
}

}  // namespace vigil::ledger
