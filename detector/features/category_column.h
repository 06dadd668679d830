// What a window says about one categorical feature or combination: how often each value came.
//
// Bounded: at most kEntriesMax values are kept, the most frequent, ties by the smaller key. All
// others, and everything never seen, share the "rest" bucket, which counts as often as the most
// frequent value that was left out.
#ifndef VIGIL_DETECTOR_FEATURES_CATEGORY_COLUMN_H_
#define VIGIL_DETECTOR_FEATURES_CATEGORY_COLUMN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "detector/features/codec.h"

namespace vigil::detector {

// Up to three field tokens; unused ones are 0.
using CategoryKey = std::array<uint64_t, 3>;

class CategoryColumn {
 public:
  static constexpr size_t kEntriesMax = 2048;

  CategoryColumn() = default;
  // Counts `keys`; any order. `width` of the three tokens are used, 1 to 3.
  CategoryColumn(std::vector<CategoryKey> keys, int width);

  // lg(n + 2) - lg(count + 1) in Q8; largest for what was never seen.
  int32_t SurprisalQ8(const CategoryKey& key) const;

  // Rows that were counted.
  uint32_t total() const { return total_; }
  // Rows with this value; 0 for one that shares the rest.
  uint32_t CountOf(const CategoryKey& key) const;
  // The kept values, ascending, and how often each came.
  const std::vector<CategoryKey>& keys() const { return keys_; }
  const std::vector<uint32_t>& counts() const { return counts_; }

  void Write(LittleEndianWriter* writer) const;
  // Nothing unless the bytes are what Write() gives for some column of that width.
  static std::optional<CategoryColumn> Read(LittleEndianReader* reader, int width);

 private:
  int32_t CostQ8(uint32_t count) const;
  void FillCosts();

  int width_ = 1;
  uint32_t total_ = 0;
  uint32_t rest_count_ = 0;
  std::vector<CategoryKey> keys_;  // Ascending.
  std::vector<uint32_t> counts_;
  std::vector<int32_t> costs_q8_;  // Of counts_; not stored.
  int32_t rest_cost_q8_ = 0;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_CATEGORY_COLUMN_H_
