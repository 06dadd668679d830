#include "ledger/base/bytes.h"

#include "absl/strings/str_cat.h"

namespace vigil {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

template <typename Number>
void AppendBigEndian(Number value, std::string* out) {
  char buffer[sizeof(Number)];
  for (size_t i = 0; i < sizeof(Number); ++i) {
    buffer[i] = static_cast<char>(value >> (8 * (sizeof(Number) - 1 - i)));
  }
  out->append(buffer, sizeof(Number));
}

template <typename Number>
Number ParseBigEndian(ByteSpan raw) {
  Number value = 0;
  for (uint8_t byte : raw) value = static_cast<Number>((value << 8) | byte);
  return value;
}

}  // namespace

std::string HexEncode(ByteSpan bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (uint8_t byte : bytes) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

absl::StatusOr<std::string> HexDecode(absl::string_view hex) {
  if (hex.size() % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("hex of odd length ", hex.size()));
  }
  std::string raw;
  raw.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]);
    const int low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(absl::StrCat("not a hex digit at position ", i));
    }
    raw.push_back(static_cast<char>(high << 4 | low));
  }
  return raw;
}

absl::Status WrongSize(size_t got, size_t want) {
  return absl::InvalidArgumentError(absl::StrCat(got, " bytes where ", want, " belong"));
}

ByteWriter& ByteWriter::U8(uint8_t value) {
  out_->push_back(static_cast<char>(value));
  return *this;
}
ByteWriter& ByteWriter::U16(uint16_t value) {
  AppendBigEndian(value, out_);
  return *this;
}
ByteWriter& ByteWriter::U32(uint32_t value) {
  AppendBigEndian(value, out_);
  return *this;
}
ByteWriter& ByteWriter::U64(uint64_t value) {
  AppendBigEndian(value, out_);
  return *this;
}
ByteWriter& ByteWriter::Raw(ByteSpan bytes) {
  out_->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return *this;
}
ByteWriter& ByteWriter::Prefixed(ByteSpan bytes) {
  U32(static_cast<uint32_t>(bytes.size()));
  return Raw(bytes);
}

uint8_t ByteReader::U8() { return ParseBigEndian<uint8_t>(Raw(1)); }
uint16_t ByteReader::U16() { return ParseBigEndian<uint16_t>(Raw(2)); }
uint32_t ByteReader::U32() { return ParseBigEndian<uint32_t>(Raw(4)); }
uint64_t ByteReader::U64() { return ParseBigEndian<uint64_t>(Raw(8)); }

ByteSpan ByteReader::Raw(size_t size) {
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    return {};
  }
  ByteSpan taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

ByteSpan ByteReader::Prefixed(size_t size_max) {
  const size_t size = U32();
  if (size > size_max) ok_ = false;
  return Raw(size);
}

absl::Status ByteReader::Finish(absl::string_view what) const {
  if (!ok_)
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ends too early or a length is over its maximum"));
  if (!rest_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", rest_.size(), " bytes left over"));
  }
  return absl::OkStatus();
}

}  // namespace vigil
