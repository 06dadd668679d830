// How far the window of one model lies from the window of another, feature by feature.
//
// Population-stability index: sum over bins of (q - p) ln(q / p) for the shares p of the older and
// q of the newer window. Bins are the older window's: tenths of its numbers and one for missing
// ones; its nine most frequent values of a category (ties: the smaller token) and one for all
// others. Each bin counts one row more, so that none is empty. In nats, as usual: below 0.1 little
// has changed, above 0.25 much. All it needs is in the two model files, so whoever has those
// computes the same.
//
// Source: Siddiqi, "Credit Risk Scorecards", 2006.
#ifndef VIGIL_DETECTOR_MODEL_DRIFT_H_
#define VIGIL_DETECTOR_MODEL_DRIFT_H_

#include <cstdint>
#include <vector>

#include "detector/model/model.h"

namespace vigil::detector {

// From here on a feature has drifted: 0.25.
inline constexpr uint32_t kDriftLimitQ8 = 64;
// Features that a notice names.
inline constexpr size_t kDriftedMax = 5;

struct FeatureDrift {
  uint16_t feature = 0;
  uint32_t psi_q8 = 0;  // 1/256.

  bool operator==(const FeatureDrift&) const = default;
};

// The index of two histograms over the same bins. REQUIRES: as many bins, at most 1,024; each count
// at most kRowsCountMax.
uint32_t StabilityIndexQ8(const std::vector<uint32_t>& before, const std::vector<uint32_t>& after);

// Every feature, largest first, ties by feature. Measures are left out: their scale is each
// window's own. REQUIRES: both models are of one schema.
std::vector<FeatureDrift> DriftBetween(const Model& before, const Model& after);

// What a drift notice says: those at or beyond the limit, at most kDriftedMax.
std::vector<FeatureDrift> DriftBeyondLimit(const Model& before, const Model& after);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_DRIFT_H_
