// Little-endian bytes for models and stream bookkeeping.
//
// Every value has exactly one encoding. The reader never reads past its input and never sizes
// anything by an unchecked length: past the end it yields zeros, and ok() is false for good.
#ifndef VIGIL_DETECTOR_FEATURES_CODEC_H_
#define VIGIL_DETECTOR_FEATURES_CODEC_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "detector/features/hash.h"

namespace vigil::detector {

class LittleEndianWriter {
 public:
  LittleEndianWriter& U8(uint8_t value) { return Put(value, 1); }
  LittleEndianWriter& U16(uint16_t value) { return Put(value, 2); }
  LittleEndianWriter& U32(uint32_t value) { return Put(value, 4); }
  LittleEndianWriter& U64(uint64_t value) { return Put(value, 8); }
  LittleEndianWriter& I32(int32_t value) { return Put(static_cast<uint32_t>(value), 4); }
  LittleEndianWriter& I64(int64_t value) { return Put(static_cast<uint64_t>(value), 8); }
  LittleEndianWriter& I64s(std::span<const int64_t> values) {
    size_t at = bytes_.size();
    bytes_.resize(at + 8 * values.size());
    for (const int64_t value : values) {
      for (int i = 0; i < 8; ++i) {
        bytes_[at++] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
      }
    }
    return *this;
  }
  LittleEndianWriter& Raw(std::span<const uint8_t> raw) {
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    return *this;
  }
  // A domain tag: the text and one zero byte.
  LittleEndianWriter& Tag(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return U8(0);
  }
  // u16 length, then the text. REQUIRES: at most 65,535 bytes.
  LittleEndianWriter& Text(std::string_view text) {
    U16(static_cast<uint16_t>(text.size()));
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }

  const std::vector<uint8_t>& bytes() const { return bytes_; }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  LittleEndianWriter& Put(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
    return *this;
  }
  std::vector<uint8_t> bytes_;
};

class LittleEndianReader {
 public:
  explicit LittleEndianReader(std::span<const uint8_t> input) : rest_(input) {}

  uint8_t U8() { return static_cast<uint8_t>(Get(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Get(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Get(4)); }
  uint64_t U64() { return Get(8); }
  int32_t I32() { return static_cast<int32_t>(U32()); }
  int64_t I64() { return static_cast<int64_t>(U64()); }
  Digest ReadDigest() {
    Digest digest{};
    if (!Has(digest.size())) return digest;
    std::copy_n(rest_.begin(), digest.size(), digest.begin());
    rest_ = rest_.subspan(digest.size());
    return digest;
  }
  // The next `size` bytes, a view into the input; empty when there are fewer.
  std::span<const uint8_t> Raw(size_t size) {
    if (!Has(size)) return {};
    const std::span<const uint8_t> raw = rest_.first(size);
    rest_ = rest_.subspan(size);
    return raw;
  }
  // True iff the next bytes are Tag(text); consumes them.
  bool SkipTag(std::string_view text) {
    for (const char c : text) {
      if (U8() != static_cast<uint8_t>(c)) return Fail();
    }
    return U8() == 0 ? ok_ : Fail();
  }
  // Whether `count` items of at least `item_size` bytes can still follow. Ask before reserving.
  bool CanHold(uint64_t count, size_t item_size) {
    return count <= rest_.size() / item_size ? ok_ : Fail();
  }
  bool Fail() {
    ok_ = false;
    rest_ = {};
    return false;
  }

  bool ok() const { return ok_; }
  // Bytes that were not read yet.
  size_t left() const { return rest_.size(); }
  // Everything was read, and nothing is left.
  bool AtEnd() const { return ok_ && rest_.empty(); }

 private:
  bool Has(size_t size) { return rest_.size() >= size ? ok_ : Fail(); }
  uint64_t Get(int size) {
    if (!Has(static_cast<size_t>(size))) return 0;
    uint64_t value = 0;
    for (int i = 0; i < size; ++i) value |= uint64_t{rest_[i]} << (8 * i);
    rest_ = rest_.subspan(size);
    return value;
  }
  std::span<const uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_CODEC_H_
