#include "detector/model/claim.h"

namespace vigil::detector {

Difference Compare(const Claim& claim, const Score& recomputed, uint32_t threshold_q8) {
  if (claim.score_q8 != recomputed.score_q8) return Difference::kScore;
  if (claim.threshold_q8 != threshold_q8 || recomputed.score_q8 < threshold_q8) {
    return Difference::kThreshold;
  }
  const bool explained = claim.component == static_cast<uint32_t>(recomputed.component) &&
                         claim.reasons == recomputed.reasons;
  return explained ? Difference::kNone : Difference::kExplanation;
}

}  // namespace vigil::detector
