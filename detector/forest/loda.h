// LODA on integers: many one-dimensional histograms of random projections (Pevny, "Loda:
// Lightweight on-line detector of anomalies", Machine Learning 102, 2016).
//
// Each projection takes ceil(sqrt(features)) features with weights close to a standard normal
// distribution, in Q8: the sum of twelve uniform bytes less its mean, 1530. Its histogram has 64
// bins of equal width between the least and the largest projected row; everything outside counts
// as an empty bin. Draws come from stream kProjection, projection: the features, then the weights
// in ascending order of feature.
// Immutable after Fit() or Read(); thread-safe.
#ifndef VIGIL_DETECTOR_FOREST_LODA_H_
#define VIGIL_DETECTOR_FOREST_LODA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "detector/features/codec.h"
#include "detector/features/hash.h"
#include "detector/features/schema.h"

namespace vigil::detector {

inline constexpr uint32_t kProjectionsMax = 256;

class Loda {
 public:
  static constexpr size_t kBins = 64;

  // Args:
  //   rows: shape (rows, features), Q8 within [kMissingView, kEncodedMax]; at least 1 row, at most
  //     kRowsCountMax, and 1 to kFeaturesMax features.
  //   projections: 1 to kProjectionsMax.
  static Loda Fit(const FeatureMatrix& rows, const Digest& seed, uint32_t projections, Hash32 hash);

  // Sum over the projections of lg(n + 64) - lg(count + 1), 1/256 bit, for the `count` of n rows in
  // the bin of `row`. Larger is stranger. REQUIRES: row has feature_count() values.
  int64_t SurprisalQ8(const int32_t* row) const;

  // Adds to credit_q8[f] by how much the mean surprisal of the projections with feature f exceeds
  // that of the projections without it, 1/256 of 1/256 bit; nothing where it does not.
  void AddCredit(const int32_t* row, std::span<int64_t> credit_q8) const;

  uint32_t projection_count() const { return static_cast<uint32_t>(projections_.size()); }
  uint32_t feature_count() const { return feature_count_; }

  // u16 projections | u8 features | u32 rows | per projection:
  //   per used feature, ascending: u8 feature, u16 weight + 1530
  //   i32 low | u32 width | 64 u32 counts
  void Write(LittleEndianWriter* writer) const;
  // Nothing unless the bytes are what Write() gives for some fit of as many features.
  static std::optional<Loda> Read(LittleEndianReader* reader);

 private:
  struct Projection {
    size_t first_term = 0;  // Into features_ and weights_.
    int32_t low = 0;
    uint32_t width = 1;
    std::array<uint32_t, kBins> counts{};
    std::array<int32_t, kBins + 1> costs_q8{};  // Of counts; the last is that of an empty bin.
  };

  Loda(uint32_t feature_count, uint32_t row_count);
  int32_t Project(const Projection& projection, const int32_t* row) const;
  int32_t CostQ8(const Projection& projection, const int32_t* row) const;
  void FillCosts(Projection* projection) const;
  bool ReadTerms(LittleEndianReader* reader);

  uint32_t feature_count_;
  uint32_t row_count_;
  uint32_t term_count_;  // Per projection.
  std::vector<uint8_t> features_;
  std::vector<int16_t> weights_;
  std::vector<Projection> projections_;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FOREST_LODA_H_
