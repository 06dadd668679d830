// Byte spans, 32-byte hashes, hex, and big-endian readers and writers.
//
// Everything validators hash is fixed-width big-endian and length-prefixed (docs/formats.md);
// ByteWriter and ByteReader are the only code that lays such bytes out.
#ifndef VIGIL_LEDGER_BASE_BYTES_H_
#define VIGIL_LEDGER_BASE_BYTES_H_

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vigil {

using ByteSpan = std::span<const uint8_t>;

inline ByteSpan AsBytes(absl::string_view text) {
  return ByteSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}
inline absl::string_view AsView(ByteSpan bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
inline std::string ToString(ByteSpan bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// A fixed number of bytes with value semantics and an order (lexicographic).
template <typename Tag, size_t kSize>
struct FixedBytes {
  static constexpr size_t size() { return kSize; }
  std::array<uint8_t, kSize> bytes{};

  auto operator<=>(const FixedBytes&) const = default;
  ByteSpan span() const { return ByteSpan(bytes.data(), kSize); }
  absl::string_view view() const { return AsView(span()); }
  std::string ToHex() const;
  bool IsZero() const { return *this == FixedBytes{}; }

  // Errors: kInvalidArgument when `raw` is not exactly kSize bytes.
  static absl::StatusOr<FixedBytes> From(ByteSpan raw);
  static absl::StatusOr<FixedBytes> FromHex(absl::string_view hex);

  template <typename H>
  friend H AbslHashValue(H state, const FixedBytes& value) {
    return H::combine_contiguous(std::move(state), value.bytes.data(), kSize);
  }
  friend std::ostream& operator<<(std::ostream& out, const FixedBytes& value) {
    return out << value.ToHex();
  }
};

// SHA-256 output: block hash, leaf hash, tree root, digest.
using Hash = FixedBytes<struct HashTag, 32>;
// Names a public key: the first 16 bytes of a tagged SHA-256 of it (docs/formats.md, Domain tags).
using KeyId = FixedBytes<struct KeyIdTag, 16>;
// Ed25519 public key and signature (RFC 8032).
using PublicKey = FixedBytes<struct PublicKeyTag, 32>;
using Signature = FixedBytes<struct SignatureTag, 64>;

// Lower-case hexadecimal.
std::string HexEncode(ByteSpan bytes);
// Errors: kInvalidArgument on odd length or a character outside [0-9a-fA-F].
absl::StatusOr<std::string> HexDecode(absl::string_view hex);

// Appends big-endian numbers and byte strings to a string it does not own.
class ByteWriter {
 public:
  explicit ByteWriter(std::string* out) : out_(out) {}

  ByteWriter& U8(uint8_t value);
  ByteWriter& U16(uint16_t value);
  ByteWriter& U32(uint32_t value);
  ByteWriter& U64(uint64_t value);
  ByteWriter& I64(int64_t value) { return U64(static_cast<uint64_t>(value)); }
  ByteWriter& Raw(ByteSpan bytes);
  ByteWriter& Raw(absl::string_view bytes) { return Raw(AsBytes(bytes)); }
  template <typename Tag, size_t kSize>
  ByteWriter& Fixed(const FixedBytes<Tag, kSize>& value) {
    return Raw(value.span());
  }
  // u32be length, then the bytes.
  ByteWriter& Prefixed(ByteSpan bytes);
  ByteWriter& Prefixed(absl::string_view bytes) { return Prefixed(AsBytes(bytes)); }

 private:
  std::string* out_;
};

// Reads what ByteWriter wrote. Reading past the end yields zeros and makes ok() false for good, so
// a decoder reads every field and asks once at the end. Views point into the input.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan input) : rest_(input) {}
  explicit ByteReader(absl::string_view input) : rest_(AsBytes(input)) {}

  uint8_t U8();
  uint16_t U16();
  uint32_t U32();
  uint64_t U64();
  int64_t I64() { return static_cast<int64_t>(U64()); }
  ByteSpan Raw(size_t size);
  template <typename Fixed>
  Fixed FixedValue() {
    Fixed value;
    ByteSpan raw = Raw(Fixed::size());
    if (raw.size() == Fixed::size()) std::memcpy(value.bytes.data(), raw.data(), raw.size());
    return value;
  }
  Hash ReadHash() { return FixedValue<Hash>(); }
  // u32be length, then that many bytes; fails when the length exceeds `size_max`.
  ByteSpan Prefixed(size_t size_max);

  bool ok() const { return ok_; }
  size_t remaining() const { return rest_.size(); }
  ByteSpan rest() const { return rest_; }
  // OK iff every read succeeded and nothing is left; otherwise kInvalidArgument naming `what`.
  absl::Status Finish(absl::string_view what) const;

 private:
  ByteSpan rest_;
  bool ok_ = true;
};

template <typename Tag, size_t kSize>
std::string FixedBytes<Tag, kSize>::ToHex() const {
  return HexEncode(span());
}

absl::Status WrongSize(size_t got, size_t want);

template <typename Tag, size_t kSize>
absl::StatusOr<FixedBytes<Tag, kSize>> FixedBytes<Tag, kSize>::From(ByteSpan raw) {
  if (raw.size() != kSize) return WrongSize(raw.size(), kSize);
  FixedBytes value;
  std::memcpy(value.bytes.data(), raw.data(), kSize);
  return value;
}

template <typename Tag, size_t kSize>
absl::StatusOr<FixedBytes<Tag, kSize>> FixedBytes<Tag, kSize>::FromHex(absl::string_view hex) {
  absl::StatusOr<std::string> raw = HexDecode(hex);
  if (!raw.ok()) return raw.status();
  return From(AsBytes(*raw));
}

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_BYTES_H_
