#include "detector/forest/path_length.h"

#include <array>

namespace vigil::detector {
namespace {

constexpr std::array<int32_t, kSampleRowsMax + 1> MakeMeanPaths() {
  std::array<int32_t, kSampleRowsMax + 1> table{};
  uint64_t harmonic_q32 = 0;  // H(n - 1)
  for (uint64_t n = 2; n <= kSampleRowsMax; ++n) {
    harmonic_q32 += (uint64_t{1} << 32) / (n - 1);
    const uint64_t share_q32 = ((n - 1) << 32) / n;
    table[n] = static_cast<int32_t>((2 * harmonic_q32 - 2 * share_q32 + (1 << 15)) >> 16);
  }
  return table;
}

constexpr std::array<int32_t, kSampleRowsMax + 1> kMeanPath = MakeMeanPaths();

}  // namespace

int32_t MeanPathQ16(uint32_t rows) { return kMeanPath[rows]; }

}  // namespace vigil::detector
