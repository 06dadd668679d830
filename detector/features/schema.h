// What a model looks at: fields as read, and the features made of them. Schemas are data.
//
// A row source (an event, a line of a table) yields one int64 per field. Each field is a feature
// by itself; combinations of two or three categorical fields are further features. The order of
// fields and combinations is part of the protocol: an alert names a feature by its index.
#ifndef VIGIL_DETECTOR_FEATURES_SCHEMA_H_
#define VIGIL_DETECTOR_FEATURES_SCHEMA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "detector/features/hash.h"

namespace vigil::detector {

inline constexpr size_t kFieldsMax = 240;
inline constexpr size_t kFeaturesMax = 254;

// "The source did not say." A bin of its own for numbers, a value of its own for categories.
inline constexpr int64_t kMissing = std::numeric_limits<int64_t>::min();

// Stored: never renumber.
enum class FeatureKind : uint8_t {
  kCounter = 1,      // Raw non-negative number, seen through log2(8 x + 1). Negative means missing.
  kLinear = 2,       // Small non-negative number of bounded range, seen as it is.
  kCategory = 3,     // Token; only its frequency counts.
  kCombination = 4,  // Two or three categorical fields together.
  kMeasure = 5,      // Number of any sign and scale, seen through a symmetric logarithm about the
                     // window's median. Only kMissing means missing.
};

struct FieldSpec {
  std::string name;
  FeatureKind kind = FeatureKind::kCounter;  // Never kCombination.
};

struct CombinationSpec {
  std::string name;
  std::vector<std::string> fields;  // Names of two or three kCategory fields.
};

struct FeatureSpec {
  std::string name;
  FeatureKind kind = FeatureKind::kCounter;
  std::array<uint16_t, 3> fields{};  // Indexes into the fields; `field_count` of them are used.
  uint16_t field_count = 1;
};

// One row per event, one column per field, as read.
using RawTable = Eigen::Matrix<int64_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
// One row per event, one column per feature, Q8.
using FeatureMatrix = Eigen::Matrix<int32_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
// One value per field.
using RawRow = std::span<const int64_t>;

// An immutable list of fields and features.
class Schema {
 public:
  // REQUIRES: 1 to kFieldsMax fields, at most kFeaturesMax features, names unique and within 64
  // bytes, every combination of two or three kCategory fields that exist; else stops the process,
  // since schemas are our own code or were checked by whoever read them from a file.
  //
  // Args:
  //   type: event type as in AlertBody; 0 for tables that are not events.
  Schema(uint32_t type, std::vector<FieldSpec> fields, std::vector<CombinationSpec> combinations);

  uint32_t type() const { return type_; }
  const std::vector<FieldSpec>& fields() const { return fields_; }
  const std::vector<FeatureSpec>& features() const { return features_; }
  size_t field_count() const { return fields_.size(); }
  size_t feature_count() const { return features_.size(); }

  // hash("vigil/detector/schema/v1" 00 | type | fields | features), every number little-endian.
  // Covers names, kinds and order, and through kReadersVersion how fields are read.
  Digest HashWith(Hash32 hash) const;

 private:
  uint32_t type_;
  std::vector<FieldSpec> fields_;
  std::vector<FeatureSpec> features_;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_SCHEMA_H_
