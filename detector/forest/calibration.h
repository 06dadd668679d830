// Turns a component's raw score into bits: minus log2 of the share of held-out rows at least as
// strange.
//
// Linear between the kept scores, so that a stranger raw score never gets fewer bits; beyond the
// strangest held-out row the slope of the tail goes on (an exponential tail), so that stronger
// anomalies go on ranking higher. Immutable; thread-safe.
#ifndef VIGIL_DETECTOR_FOREST_CALIBRATION_H_
#define VIGIL_DETECTOR_FOREST_CALIBRATION_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "detector/features/codec.h"

namespace vigil::detector {

// No score exceeds this: 4,096 bits.
inline constexpr uint32_t kScoreMaxQ8 = 4096 * 256;
// Raw scores lie strictly within plus and minus this.
inline constexpr int64_t kRawMax = int64_t{1} << 36;

class Calibration {
 public:
  static constexpr size_t kKnotsMax = 400;

  // Args:
  //   raws: scores of the held-out rows, any order; at least one, each within kRawMax.
  //   raw_per_bit: slope of the tail when the held-out scores are all equal; 1 to kRawMax.
  Calibration(std::vector<int64_t> raws, int64_t raw_per_bit);

  // Bits in Q8, at most kScoreMaxQ8; never falls as `raw` grows. REQUIRES: |raw| < kRawMax.
  uint32_t BitsQ8(int64_t raw) const;

  void Write(LittleEndianWriter* writer) const;
  // Nothing unless the bytes are a rising table within all limits.
  static std::optional<Calibration> Read(LittleEndianReader* reader);

 private:
  struct Knot {
    int64_t raw;
    uint32_t bits_q8;
  };
  Calibration() = default;
  // Derives the slope beyond the last knot from the last four bits before it.
  void FindTail();

  int64_t raw_per_bit_ = 1;
  std::vector<Knot> knots_;  // Ascending in both.
  int64_t tail_raw_ = 1;     // The tail rises tail_bits_q8_ per tail_raw_.
  int64_t tail_bits_q8_ = 0;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FOREST_CALIBRATION_H_
