#include "detector/features/integer_log.h"

#include <array>
#include <bit>
#include <cstddef>

namespace vigil::detector {
namespace {

constexpr int kTableBits = 8;
constexpr int kTableSize = 1 << kTableBits;

// log2(1 + i/256) in Q16, by repeated squaring: squaring doubles the logarithm, so each squaring
// that reaches 2 yields the next binary digit.
constexpr int32_t MantissaLogQ16(int i) {
  uint64_t x =
      (uint64_t{1} << 31) + (static_cast<uint64_t>(i) << (31 - kTableBits));  // Q31, [1, 2)
  uint32_t digits = 0;
  for (int digit = 0; digit < 20; ++digit) {
    x = (x * x) >> 31;
    digits <<= 1;
    if (x >= uint64_t{1} << 32) {
      digits |= 1;
      x >>= 1;
    }
  }
  return static_cast<int32_t>((digits + 8) >> 4);
}

constexpr std::array<int32_t, kTableSize + 1> MakeTable() {
  std::array<int32_t, kTableSize + 1> table{};
  for (int i = 0; i < kTableSize; ++i) table[i] = MantissaLogQ16(i);
  table[kTableSize] = 1 << 16;
  return table;
}

constexpr std::array<int32_t, kTableSize + 1> kMantissaLog = MakeTable();

}  // namespace

int32_t Log2Q16(uint64_t value) {
  const int leading = std::countl_zero(value);
  const int exponent = 63 - leading;
  const uint64_t mantissa = value << leading;  // Top bit set.
  const auto slot = static_cast<size_t>((mantissa >> (63 - kTableBits)) & (kTableSize - 1));
  const auto rest = static_cast<int64_t>((mantissa >> (63 - kTableBits - 16)) & 0xffff);
  const int64_t step = kMantissaLog[slot + 1] - kMantissaLog[slot];
  return (exponent << 16) + kMantissaLog[slot] + static_cast<int32_t>((step * rest) >> 16);
}

}  // namespace vigil::detector
