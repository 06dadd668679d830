// The governed numbers of the detector; field meanings and ranges as DetectorParameters in
// proto/vigil/v1/genesis.proto.
#ifndef VIGIL_DETECTOR_MODEL_PARAMETERS_H_
#define VIGIL_DETECTOR_MODEL_PARAMETERS_H_

#include <cstdint>

namespace vigil::detector {

struct Parameters {
  uint32_t profile = 1;
  uint32_t window_rows_max = 16'384;
  uint32_t window_rows_min = 512;
  uint32_t period_events = 4'096;
  uint32_t trees = 100;
  uint32_t sample_rows = 256;
  uint32_t identical_rows_max = 16;
  uint32_t threshold_quantile_ppm = 995'000;
  uint32_t threshold_floor_q8 = 1'536;
  uint32_t seed_reveals = 4;

  bool operator==(const Parameters&) const = default;
};

// Whether every number lies in the range that genesis.proto gives it.
inline bool IsValid(const Parameters& p) {
  const auto within = [](uint32_t value, uint32_t low, uint32_t high) {
    return value >= low && value <= high;
  };
  return p.profile == 1 && within(p.window_rows_max, 512, 16'384) &&
         within(p.window_rows_min, 64, p.window_rows_max) &&
         within(p.period_events, 256, 10'000'000) && within(p.trees, 10, 500) &&
         within(p.sample_rows, 16, 4'096) && within(p.identical_rows_max, 1, 1'024) &&
         within(p.threshold_quantile_ppm, 900'000, 999'999) && within(p.seed_reveals, 1, 16);
}

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_MODEL_PARAMETERS_H_
