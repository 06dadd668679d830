#include "detector/model/drift.h"

#include <algorithm>
#include <numeric>

#include "detector/features/integer_log.h"
#include "detector/features/require.h"

namespace vigil::detector {
namespace {

constexpr uint32_t kTenths = 10;
constexpr size_t kValuesMax = 9;
constexpr int64_t kNaturalLogOfTwoQ16 = 45'426;
constexpr int kShareBits = 20;

using Histogram = std::vector<uint32_t>;

uint64_t SumOf(const Histogram& bins) {
  return std::accumulate(bins.begin(), bins.end(), uint64_t{0}) + bins.size();
}

// Rows of `column` that are missing, then those up to each edge.
Histogram NumbersIn(const NumericColumn& column, const std::vector<int32_t>& edges) {
  Histogram bins = {column.missing()};
  uint32_t counted = 0;
  for (const int32_t edge : edges) {
    const uint32_t up_to = column.AtMost(edge);
    bins.push_back(up_to - counted);
    counted = up_to;
  }
  bins.push_back(column.present() - counted);
  return bins;
}

std::vector<int32_t> EdgesOf(const NumericColumn& column) {
  std::vector<int32_t> edges;
  if (column.present() == 0) return edges;
  for (uint32_t tenth = 1; tenth < kTenths; ++tenth) {
    const int32_t edge = column.ViewAtShare(tenth, kTenths);
    if (edges.empty() || edge > edges.back()) edges.push_back(edge);
  }
  return edges;
}

std::vector<CategoryKey> FrequentValues(const CategoryColumn& column) {
  std::vector<size_t> order(column.keys().size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return column.counts()[a] > column.counts()[b]; });
  std::vector<CategoryKey> values;
  for (const size_t i : order) {
    if (values.size() == kValuesMax) break;
    values.push_back(column.keys()[i]);
  }
  return values;
}

Histogram ValuesIn(const CategoryColumn& column, const std::vector<CategoryKey>& values) {
  Histogram bins;
  uint32_t rest = column.total();
  for (const CategoryKey& value : values) {
    bins.push_back(column.CountOf(value));
    rest -= bins.back();
  }
  bins.push_back(rest);
  return bins;
}

}  // namespace

uint32_t StabilityIndexQ8(const Histogram& before, const Histogram& after) {
  Require(before.size() == after.size() && before.size() <= 1024, "histograms over the same bins");
  const auto before_rows = static_cast<int64_t>(SumOf(before));
  const auto after_rows = static_cast<int64_t>(SumOf(after));
  int64_t sum_q36 = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const int64_t p = int64_t{before[i]} + 1, q = int64_t{after[i]} + 1;
    const int64_t share = (q << kShareBits) / after_rows - (p << kShareBits) / before_rows;
    const int64_t ratio_q16 = Log2Q16(static_cast<uint64_t>(q * before_rows)) -
                              Log2Q16(static_cast<uint64_t>(p * after_rows));
    sum_q36 += share * ratio_q16;
  }
  // Rounding may leave an equal bin a hair below zero.
  const int64_t nats_q36 = std::max<int64_t>(sum_q36, 0) / 65'536 * kNaturalLogOfTwoQ16;
  return static_cast<uint32_t>((nats_q36 + (int64_t{1} << 27)) >> 28);
}

std::vector<FeatureDrift> DriftBetween(const Model& before, const Model& after) {
  std::vector<FeatureDrift> drifts;
  const std::vector<FeatureSpec>& features = before.schema().features();
  for (size_t f = 0; f < features.size(); ++f) {
    if (features[f].kind == FeatureKind::kMeasure) continue;
    FeatureDrift drift{static_cast<uint16_t>(f), 0};
    if (const NumericColumn* const numbers = before.encoder().NumericOf(f)) {
      const std::vector<int32_t> edges = EdgesOf(*numbers);
      drift.psi_q8 = StabilityIndexQ8(NumbersIn(*numbers, edges),
                                      NumbersIn(*after.encoder().NumericOf(f), edges));
    } else {
      const CategoryColumn& values = *before.encoder().CategoryOf(f);
      const std::vector<CategoryKey> frequent = FrequentValues(values);
      drift.psi_q8 = StabilityIndexQ8(ValuesIn(values, frequent),
                                      ValuesIn(*after.encoder().CategoryOf(f), frequent));
    }
    drifts.push_back(drift);
  }
  std::stable_sort(drifts.begin(), drifts.end(), [](const FeatureDrift& a, const FeatureDrift& b) {
    return a.psi_q8 > b.psi_q8;
  });
  return drifts;
}

std::vector<FeatureDrift> DriftBeyondLimit(const Model& before, const Model& after) {
  std::vector<FeatureDrift> drifts = DriftBetween(before, after);
  std::erase_if(drifts, [](const FeatureDrift& drift) { return drift.psi_q8 < kDriftLimitQ8; });
  if (drifts.size() > kDriftedMax) drifts.resize(kDriftedMax);
  return drifts;
}

}  // namespace vigil::detector
