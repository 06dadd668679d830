// The detector's definition once more, slow and plain: brute-force counts, trees of pointers, one
// number at a time. Shares only integer logarithms, c(n), draws and the views with the product, all
// of which have tests of their own. Tests compare it with Model bit for bit.
#ifndef VIGIL_TESTS_DETECTOR_SUPPORT_REFERENCE_MODEL_H_
#define VIGIL_TESTS_DETECTOR_SUPPORT_REFERENCE_MODEL_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "detector/features/measure_scale.h"
#include "detector/features/schema.h"
#include "detector/forest/draws.h"
#include "detector/model/model.h"
#include "detector/model/parameters.h"

namespace vigil::detector::testing {

class ReferenceModel {
 public:
  // As Model::Train(); REQUIRES: at least Model::kRowsMin rows stay.
  ReferenceModel(const Schema& schema, const RawTable& window, const Digest& seed,
                 const Parameters& parameters, Hash32 hash, uint32_t previous_threshold_q8 = 0);

  Score Explain(const std::vector<int64_t>& row) const;
  uint32_t threshold_q8() const { return threshold_q8_; }
  uint32_t row_count() const { return row_count_; }

 private:
  using Row = std::vector<int64_t>;
  struct Feature {
    FeatureSpec spec;
    MeasureScale scale;
    std::vector<std::pair<int64_t, int64_t>> kept;  // (view, rows with a view up to it).
    int64_t present = 0, missing = 0;
    int64_t low_slope = 0, high_slope = 0;
    std::map<Row, int64_t> counts;
    int64_t rest = 0, total = 0;
  };
  struct Node {
    int64_t rows = 0;
    int64_t path = 0;  // Of a leaf, 1/65536 edge.
    uint32_t feature = 0;
    int64_t threshold = 0;
    std::unique_ptr<Node> left, right;
  };
  struct Projection {
    std::vector<std::pair<uint32_t, int64_t>> terms;
    int64_t low = 0, width = 1;
    std::map<int64_t, int64_t> bins;
  };
  struct Curve {
    std::vector<std::pair<int64_t, int64_t>> knots;  // (raw score, bits).
    int64_t tail_raw = 1, tail_bits = 256;
  };
  struct Seen {
    Row split, surprisal;
    int64_t forest = 0, loda = 0, sum = 0;
  };

  std::vector<Feature> FitFeatures(const std::vector<Row>& rows) const;
  static void FitNumbers(const std::vector<Row>& rows, Feature* feature);
  static void FitCategories(const std::vector<Row>& rows, Feature* feature);
  static Row KeyOf(const FeatureSpec& spec, const Row& row);
  static int64_t ViewOfRow(const Feature& feature, const Row& row);
  static int64_t SurprisalOf(const Feature& feature, const Row& row);
  static int64_t SplitOf(const Feature& feature, const Row& row);
  std::vector<Row> Splits(const std::vector<Feature>& features, const std::vector<Row>& rows) const;
  std::unique_ptr<Node> Grow(const std::vector<Row>& rows, int64_t depth, int64_t depth_max,
                             CounterDraws* draws) const;
  void FitProjections(const std::vector<Row>& rows, const Digest& seed, Hash32 hash);
  int64_t CostOf(const Projection& projection, const Row& split) const;
  static Curve FitCurve(std::vector<int64_t> raws, int64_t raw_per_bit);
  static int64_t BitsOf(const Curve& curve, int64_t raw);
  Seen See(const Row& row) const;
  Score Judge(const Seen& seen) const;
  std::vector<int64_t> Credits(const Seen& seen, Component component) const;

  // The rows of `window` that may be learnt from, without their marks.
  std::vector<Row> LearntFrom(const RawTable& window, const Digest& seed,
                              const Parameters& parameters, Hash32 hash) const;

  const Schema& schema_;
  bool cold_ = false;
  uint32_t row_count_ = 0;
  std::vector<Feature> features_;
  std::vector<std::unique_ptr<Node>> trees_;
  int64_t sample_rows_ = 0;
  std::vector<Projection> projections_;
  int64_t fitted_rows_ = 0;
  Curve forest_curve_, loda_curve_, sum_curve_;
  Row means_;
  uint32_t threshold_q8_ = 0;
};

}  // namespace vigil::detector::testing

#endif  // VIGIL_TESTS_DETECTOR_SUPPORT_REFERENCE_MODEL_H_
