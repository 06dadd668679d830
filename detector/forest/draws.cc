#include "detector/forest/draws.h"

#include <numeric>
#include <utility>

#include "detector/features/codec.h"

namespace vigil::detector {

CounterDraws::CounterDraws(const Digest& seed, DrawPurpose purpose, uint32_t index, Hash32 hash)
    : hash_(hash) {
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/draw/v1").Raw(seed).U32(static_cast<uint32_t>(purpose)).U32(index);
  writer.U64(0);
  message_ = writer.Take();
}

uint32_t CounterDraws::Next() {
  if (used_ == block_.size()) {
    for (size_t i = 0; i < 8; ++i) {
      message_[message_.size() - 8 + i] = static_cast<uint8_t>(counter_ >> (8 * i));
    }
    ++counter_;
    block_ = hash_(message_);
    used_ = 0;
  }
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{block_[used_ + i]} << (8 * i);
  used_ += 4;
  return value;
}

uint32_t CounterDraws::Below(uint32_t bound) {
  constexpr uint64_t kRange = uint64_t{1} << 32;
  const uint64_t accepted = kRange - kRange % bound;
  for (;;) {
    const uint32_t drawn = Next();
    if (drawn < accepted) return drawn % bound;
  }
}

std::vector<uint32_t> CounterDraws::Sample(uint32_t count, uint32_t total) {
  std::vector<uint32_t> numbers(total);
  std::iota(numbers.begin(), numbers.end(), 0u);
  for (uint32_t i = 0; i < count; ++i) std::swap(numbers[i], numbers[i + Below(total - i)]);
  numbers.resize(count);
  return numbers;
}

}  // namespace vigil::detector
