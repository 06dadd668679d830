// What somebody says of an event under a model, against what the model gives.
#ifndef VIGIL_DETECTOR_MODEL_CLAIM_H_
#define VIGIL_DETECTOR_MODEL_CLAIM_H_

#include <cstdint>
#include <vector>

#include "detector/model/model.h"

namespace vigil::detector {

// What an alert says.
struct Claim {
  uint32_t score_q8 = 0;
  uint32_t threshold_q8 = 0;
  uint32_t component = 0;
  std::vector<Reason> reasons;
};

// The first of these in which the two differ. A score below the threshold is no alert, so claiming
// one differs in the threshold.
enum class Difference { kNone, kScore, kThreshold, kExplanation };

Difference Compare(const Claim& claim, const Score& recomputed, uint32_t threshold_q8);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_CLAIM_H_
