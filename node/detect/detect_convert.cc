#include "node/detect/detect_convert.h"

namespace vigil::node {

detector::Parameters ParametersOf(const ledger::DetectorParameters& governed) {
  detector::Parameters parameters;
  parameters.profile = governed.profile;
  parameters.window_rows_max = governed.window_rows_max;
  parameters.window_rows_min = governed.window_rows_min;
  parameters.period_events = governed.period_events;
  parameters.trees = governed.trees;
  parameters.sample_rows = governed.sample_rows;
  parameters.identical_rows_max = governed.identical_rows_max;
  parameters.threshold_quantile_ppm = governed.threshold_quantile_ppm;
  parameters.threshold_floor_q8 = governed.threshold_floor_q8;
  parameters.seed_reveals = governed.seed_reveals;
  return parameters;
}

}  // namespace vigil::node
