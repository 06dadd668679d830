// c(n) of Liu, Ting and Zhou, "Isolation Forest", ICDM 2008, equation 1, in fixed point.
#ifndef VIGIL_DETECTOR_FOREST_PATH_LENGTH_H_
#define VIGIL_DETECTOR_FOREST_PATH_LENGTH_H_

#include <cstdint>

namespace vigil::detector {

inline constexpr uint32_t kSampleRowsMax = 4096;

// Mean path length of an unsuccessful search in a binary tree of `rows` rows, 1/65536 edge:
// c(n) = 2 H(n-1) - 2 (n-1) / n with the exact harmonic number H; c(1) = 0.
// REQUIRES: 1 <= rows <= kSampleRowsMax.
int32_t MeanPathQ16(uint32_t rows);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FOREST_PATH_LENGTH_H_
