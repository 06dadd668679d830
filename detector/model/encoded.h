// A row as the components see it. Internal to detector/model.
#ifndef VIGIL_DETECTOR_MODEL_ENCODED_H_
#define VIGIL_DETECTOR_MODEL_ENCODED_H_

#include <array>
#include <cstdint>

#include "detector/model/model.h"

namespace vigil::detector {

struct Model::Encoded {
  std::array<int32_t, kFeaturesMax> split;
  std::array<int32_t, kFeaturesMax> surprisal;
  int64_t surprisal_sum = 0;
  int64_t strangeness_q16 = 0;
  int64_t loda_q8 = 0;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_ENCODED_H_
