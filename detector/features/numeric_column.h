// What a window says about one numeric feature: a compact distribution function.
//
// A value is seen through its view: log2(8 x + 1) in Q8 for counters (the step from nothing to one
// matters more than any later one), the value itself for small linear numbers, MeasureScale for
// numbers of unknown scale. The distribution keeps at most kKnotsMax views with exact counts;
// between two kept views it answers as if nothing lay between them.
#ifndef VIGIL_DETECTOR_FEATURES_NUMERIC_COLUMN_H_
#define VIGIL_DETECTOR_FEATURES_NUMERIC_COLUMN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "detector/features/codec.h"
#include "detector/features/schema.h"

namespace vigil::detector {

// Every encoded value lies in [kMissingView, kEncodedMax].
inline constexpr int32_t kEncodedMax = 32'767;
// The view of a missing number: two bits below zero, so that a split can part it from all others.
inline constexpr int32_t kMissingView = -512;
// Every view of a present number lies in [0, kViewMax].
inline constexpr int32_t kViewMax = 28'672;
// Rows a column or dictionary may have counted; bounds every sum.
inline constexpr uint32_t kRowsCountMax = 1u << 24;

// The view of `raw`; kMissingView for kMissing and for negative numbers. REQUIRES: kind is kCounter
// or kLinear.
int32_t ViewOf(FeatureKind kind, int64_t raw);
// The smallest number that ViewOf() sees at `view` or above. REQUIRES: as ViewOf(); 0 <= view.
int64_t RawOf(FeatureKind kind, int32_t view);

class NumericColumn {
 public:
  static constexpr size_t kKnotsMax = 512;
  static constexpr size_t kTailKnots = 64;  // Kept one by one at each end.

  NumericColumn() = default;
  // Counts views, kMissingView being "missing"; any order.
  explicit NumericColumn(std::vector<int32_t> views);

  // Two-sided tail surprisal in Q8: lg((n + 2) / (m + 1)) - 1 for the m of n present rows that lie
  // at least as far out, never below 0, plus the surprisal of being present at all. Beyond the
  // seen range bits go on at the mean slope of that tail's last four bits, cut to 1 .. 4 bits per
  // 256 of view (for counters: per doubling), so that stranger values go on ranking higher.
  // Missing: the surprisal of that bin.
  int32_t SurprisalQ8(int32_t view) const;
  // Where the scorers see `view`: as it is; a missing number two bits below the least present one.
  int32_t PlaceOf(int32_t view) const;
  // Mid-rank in [0, 255]: 255 (rows below + half the rows equal) / rows; 0 for missing.
  int32_t MidRank(int32_t view) const;

  // Rows that had a number, and rows that had none.
  uint32_t present() const { return present_; }
  uint32_t missing() const { return missing_; }
  // Rows with a view <= `view`, by the kept knots.
  uint32_t AtMost(int32_t view) const;
  // The smallest kept view that at least part / whole of the present rows do not exceed.
  // REQUIRES: present() > 0; part <= whole; whole > 0.
  int32_t ViewAtShare(uint32_t part, uint32_t whole) const;

  void Write(LittleEndianWriter* writer) const;
  // Nothing unless the bytes are what Write() gives for some column.
  static std::optional<NumericColumn> Read(LittleEndianReader* reader);

 private:
  // Rows with a view < `view`, by the kept knots.
  uint32_t Below(int32_t view) const;
  // Keeps kKnotsMax of the knots.
  void Thin();
  // Sets what is derived from knots and counts and not stored: both slopes and the costs.
  void Derive();
  void FindTails();
  // The surprisal of a view with `at_most` rows up to it and `below` below it.
  int32_t CostQ8(uint32_t at_most, uint32_t below) const;

  uint32_t present_ = 0;
  uint32_t missing_ = 0;
  std::vector<int32_t> knots_;        // Ascending.
  std::vector<uint32_t> cumulative_;  // Rows with a view <= the knot; the last is present_.
  int32_t low_slope_q8_ = 256;        // Bits per 256 of view below the first knot. Not stored.
  int32_t high_slope_q8_ = 256;       // The same above the last knot.
  // Of every view within the knots: at 2 i + 1 that of the i-th knot, before and after it those of
  // the gaps. Without knots that of any number.
  std::vector<int32_t> costs_q8_ = {256};
  int32_t missing_cost_q8_ = 256;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_NUMERIC_COLUMN_H_
