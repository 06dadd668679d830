// Fitted on a window, turns a raw row into the numbers that the scorers read.
//
// Two views of each feature, both Q8 in [kMissingView, kEncodedMax]:
//   split:      numbers in their view, categories and combinations as their surprisal. What the
//               forest splits on and what LODA projects.
//   surprisal:  how unusual the value is in the window, in bits. What the marginal sum adds.
// Immutable after Fit() or Read(); thread-safe.
#ifndef VIGIL_DETECTOR_FEATURES_ENCODER_H_
#define VIGIL_DETECTOR_FEATURES_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "detector/features/category_column.h"
#include "detector/features/codec.h"
#include "detector/features/measure_scale.h"
#include "detector/features/numeric_column.h"
#include "detector/features/schema.h"

namespace vigil::detector {

class Encoder {
 public:
  // Counts the rows of `table` whose indexes are in `chosen`.
  // REQUIRES: table has schema.field_count() columns; indexes are within it.
  static Encoder Fit(const Schema& schema, const RawTable& table, std::span<const uint32_t> chosen);

  // Writes one number per feature.
  // REQUIRES: row has field_count() values, the outputs have room for feature_count().
  void Encode(RawRow row, int32_t* split, int32_t* surprisal) const;
  // The split view of the chosen rows, in that order.
  FeatureMatrix SplitView(const RawTable& table, std::span<const uint32_t> chosen) const;
  // Mid-rank of a numeric feature in [0, 255]; REQUIRES: the feature is numeric.
  int32_t MidRank(size_t feature, RawRow row) const;

  // What the window says of a feature: one of the two, nullptr for the other kind.
  const NumericColumn* NumericOf(size_t feature) const;
  const CategoryColumn* CategoryOf(size_t feature) const;
  // The tokens of a categorical feature or combination in `row`.
  CategoryKey KeyIn(size_t feature, RawRow row) const;

  size_t feature_count() const { return features_.size(); }
  size_t field_count() const { return field_count_; }

  void Write(LittleEndianWriter* writer) const;
  // Nothing unless the bytes are what Write() gives for some encoder of this schema.
  static std::optional<Encoder> Read(LittleEndianReader* reader, const Schema& schema);

 private:
  struct Feature {
    FeatureSpec spec;
    uint16_t column = 0;  // Index into numeric_ or category_.
    MeasureScale scale;   // Of kMeasure.
  };
  explicit Encoder(const Schema& schema);
  int32_t ViewIn(const Feature& feature, const int64_t* row) const;

  size_t field_count_;
  std::vector<Feature> features_;
  std::vector<NumericColumn> numeric_;
  std::vector<CategoryColumn> category_;
};

inline bool IsNumeric(FeatureKind kind) {
  return kind == FeatureKind::kCounter || kind == FeatureKind::kLinear ||
         kind == FeatureKind::kMeasure;
}

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_ENCODER_H_
