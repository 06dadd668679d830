// How numbers of any sign and unknown scale are seen: linear near the window's median, logarithmic
// far from it, so that neither the unit nor a heavy tail decides.
#ifndef VIGIL_DETECTOR_FEATURES_MEASURE_SCALE_H_
#define VIGIL_DETECTOR_FEATURES_MEASURE_SCALE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "detector/features/codec.h"

namespace vigil::detector {

class MeasureScale {
 public:
  MeasureScale() = default;
  // The median of the numbers that are not kMissing, and as unit their interquartile range; where
  // that is 0 the range without the outer sixteenths, else the whole range, else 1.
  explicit MeasureScale(std::vector<int64_t> raws);

  // kCentreView + or - log2(1 + |raw - centre| / unit) in Q8, within [0, kViewMax];
  // kMissingView for kMissing. Never falls as `raw` grows. Numbers beyond 2^61 count as that.
  int32_t View(int64_t raw) const;

  // i64 centre | u64 unit.
  void Write(LittleEndianWriter* writer) const { writer->I64(centre_).U64(unit_); }
  static std::optional<MeasureScale> Read(LittleEndianReader* reader);

 private:
  int64_t centre_ = 0;
  uint64_t unit_ = 1;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_MEASURE_SCALE_H_
