#include "detector/model/window_guard.h"

#include <algorithm>
#include <numeric>

namespace vigil::detector {

std::vector<uint32_t> CapIdenticalRows(const FeatureMatrix& rows, uint32_t identical_max) {
  const auto width = static_cast<size_t>(rows.cols());
  const auto row_of = [&](uint32_t position) { return rows.data() + position * width; };
  std::vector<uint32_t> order(static_cast<size_t>(rows.rows()));
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const auto [left, right] = std::mismatch(row_of(a), row_of(a) + width, row_of(b));
    return left == row_of(a) + width ? a < b : *left < *right;
  });
  std::vector<uint32_t> kept;
  uint32_t run = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const bool same =
        i > 0 && std::equal(row_of(order[i]), row_of(order[i]) + width, row_of(order[i - 1]));
    run = same ? run + 1 : 1;
    if (run <= identical_max) kept.push_back(order[i]);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace vigil::detector
