// What keeps a flood from becoming normal.
#ifndef VIGIL_DETECTOR_MODEL_WINDOW_GUARD_H_
#define VIGIL_DETECTOR_MODEL_WINDOW_GUARD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "detector/features/schema.h"

namespace vigil::detector {

// Positions of the rows to keep, ascending: of each set of equal rows the first `identical_max`.
// REQUIRES: identical_max > 0.
std::vector<uint32_t> CapIdenticalRows(const FeatureMatrix& rows, uint32_t identical_max);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_WINDOW_GUARD_H_
