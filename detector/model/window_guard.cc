#include "detector/model/window_guard.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "detector/features/codec.h"

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

namespace {

// Rows that are left when each reporter keeps at most `most`.
uint64_t RowsLeft(const std::map<int64_t, uint64_t>& counts, uint64_t most) {
  uint64_t rows = 0;
  for (const auto& [reporter, count] : counts) rows += std::min(count, most);
  return rows;
}

// How many rows each may keep. REQUIRES: two reporters at least.
uint64_t MostOfEach(const std::map<int64_t, uint64_t>& counts, uint64_t rows_min) {
  const uint64_t share = counts.size() < 4 ? 1 : 2;
  const uint64_t of = counts.size() < 4 ? 2 : counts.size();
  uint64_t largest = 0;
  for (const auto& [reporter, count] : counts) largest = std::max(largest, count);
  // What is allowed is allowed from 1 up to the answer: the rows left grow ever slower.
  uint64_t low = 1, high = largest;
  while (low < high) {
    const uint64_t middle = low + (high - low + 1) / 2;
    if (middle * of <= share * RowsLeft(counts, middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  high = largest;
  while (low < high && RowsLeft(counts, low) < rows_min) {
    const uint64_t middle = low + (high - low) / 2;
    if (RowsLeft(counts, middle) < rows_min) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

std::vector<uint32_t> CapShare(const std::vector<ReportedRow>& rows, uint32_t rows_min,
                               const Digest& seed, Hash32 hash) {
  std::map<int64_t, uint64_t> counts;
  for (const ReportedRow& row : rows) ++counts[row.reporter];
  std::vector<uint32_t> kept(rows.size());
  std::iota(kept.begin(), kept.end(), 0u);
  if (counts.size() < 2) return kept;
  const uint64_t most = MostOfEach(counts, rows_min);
  std::map<int64_t, std::vector<std::pair<Digest, uint32_t>>> drawn;
  std::erase_if(kept, [&](uint32_t i) {
    if (counts[rows[i].reporter] <= most) return false;
    LittleEndianWriter writer;
    writer.Tag("vigil/detector/share/v1").Raw(seed).I64(rows[i].event);
    drawn[rows[i].reporter].emplace_back(hash(writer.bytes()), i);
    return true;
  });
  for (auto& [reporter, order] : drawn) {
    std::sort(order.begin(), order.end());
    for (uint64_t i = 0; i < most; ++i) kept.push_back(order[i].second);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace vigil::detector
