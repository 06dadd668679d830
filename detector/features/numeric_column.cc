#include "detector/features/numeric_column.h"

#include <algorithm>

#include "detector/features/integer_log.h"

namespace vigil::detector {
namespace {

constexpr int32_t kLinearMax = 16'384;
// 8 x + 1 must not overflow.
constexpr int64_t kCounterMax = (int64_t{1} << 60) - 1;

// Bits per 256 of view when the outermost sixteenth of the rows spans `distance` of view.
int32_t SlopeQ8(int32_t distance) {
  constexpr int32_t kSixteenthBits = 4;
  constexpr int32_t kSlopeMaxQ8 = 4 * 256;
  if (distance == 0) return kSlopeMaxQ8;
  return std::clamp(kSixteenthBits * 256 * 256 / distance, 256, kSlopeMaxQ8);
}

}  // namespace

int32_t ViewOf(FeatureKind kind, int64_t raw) {
  if (raw < 0) return kMissingView;
  if (kind == FeatureKind::kCounter) {
    return Log2Q8(static_cast<uint64_t>(std::min(raw, kCounterMax)) * 8 + 1);
  }
  return static_cast<int32_t>(std::min<int64_t>(raw, kLinearMax));
}

int64_t RawOf(FeatureKind kind, int32_t view) {
  if (kind != FeatureKind::kCounter) return std::min(view, kLinearMax);
  int64_t low = 0, high = kCounterMax;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (ViewOf(kind, middle) < view) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

NumericColumn::NumericColumn(std::vector<int32_t> views) {
  std::sort(views.begin(), views.end());
  const auto first = std::upper_bound(views.begin(), views.end(), kMissingView);
  missing_ = static_cast<uint32_t>(first - views.begin());
  present_ = static_cast<uint32_t>(views.end() - first);
  for (auto it = first; it != views.end();) {
    const auto next = std::upper_bound(it, views.end(), *it);
    knots_.push_back(*it);
    cumulative_.push_back(static_cast<uint32_t>(next - first));
    it = next;
  }
  if (knots_.size() > kKnotsMax) Thin();
  Derive();
}

void NumericColumn::Thin() {
  // Both tails whole, and between them the knots where another 1/384 of the rows is complete.
  constexpr uint64_t kMiddle = kKnotsMax - 2 * kTailKnots;
  size_t kept = 0;
  uint64_t step = 0;
  for (size_t i = 0; i < knots_.size(); ++i) {
    const uint64_t reached = uint64_t{cumulative_[i]} * kMiddle / present_;
    const bool tail = i < kTailKnots || i + kTailKnots >= knots_.size();
    if (!tail && reached == step) continue;
    step = reached;
    knots_[kept] = knots_[i];
    cumulative_[kept++] = cumulative_[i];
  }
  knots_.resize(kept);
  cumulative_.resize(kept);
}

void NumericColumn::FindTails() {
  if (knots_.empty()) return;
  const uint32_t outer = present_ / 16 + 1;
  size_t low = 0, high = knots_.size() - 1;
  while (cumulative_[low] < outer) ++low;
  while (high > 0 && present_ - cumulative_[high - 1] < outer) --high;
  low_slope_q8_ = SlopeQ8(knots_[low] - knots_.front());
  high_slope_q8_ = SlopeQ8(knots_.back() - knots_[high]);
}

uint32_t NumericColumn::AtMost(int32_t view) const {
  const auto it = std::upper_bound(knots_.begin(), knots_.end(), view);
  return it == knots_.begin() ? 0 : cumulative_[it - knots_.begin() - 1];
}

int32_t NumericColumn::ViewAtShare(uint32_t part, uint32_t whole) const {
  const uint64_t wanted = uint64_t{part} * present_;
  const auto it = std::find_if(cumulative_.begin(), cumulative_.end(),
                               [&](uint32_t rows) { return uint64_t{rows} * whole >= wanted; });
  return knots_[it == cumulative_.end() ? knots_.size() - 1 : it - cumulative_.begin()];
}

uint32_t NumericColumn::Below(int32_t view) const {
  const auto it = std::lower_bound(knots_.begin(), knots_.end(), view);
  return it == knots_.begin() ? 0 : cumulative_[it - knots_.begin() - 1];
}

int32_t NumericColumn::CostQ8(uint32_t at_most, uint32_t below) const {
  const int32_t whole = Log2Q8(uint64_t{present_} + missing_ + 2);
  const int32_t presence = whole - Log2Q8(uint64_t{present_} + 1);
  if (present_ == 0) return presence;
  const uint32_t farther = std::min(at_most, present_ - below);
  const int32_t tail = Log2Q8(uint64_t{present_} + 2) - Log2Q8(uint64_t{farther} + 1) - 256;
  return presence + std::max(tail, 0);
}

void NumericColumn::Derive() {
  FindTails();
  missing_cost_q8_ = Log2Q8(uint64_t{present_} + missing_ + 2) - Log2Q8(uint64_t{missing_} + 1);
  costs_q8_ = {CostQ8(0, 0)};
  uint32_t below = 0;
  for (const uint32_t at_most : cumulative_) {
    costs_q8_.push_back(CostQ8(at_most, below));
    costs_q8_.push_back(CostQ8(at_most, at_most));
    below = at_most;
  }
}

int32_t NumericColumn::SurprisalQ8(int32_t view) const {
  if (view == kMissingView) return missing_cost_q8_;
  if (knots_.empty()) return costs_q8_[0];
  const size_t place = std::lower_bound(knots_.begin(), knots_.end(), view) - knots_.begin();
  const bool at_knot = place < knots_.size() && knots_[place] == view;
  const int32_t beyond = view > knots_.back()    ? (view - knots_.back()) * high_slope_q8_ / 256
                         : view < knots_.front() ? (knots_.front() - view) * low_slope_q8_ / 256
                                                 : 0;
  return std::min(costs_q8_[2 * place + (at_knot ? 1 : 0)] + beyond, kEncodedMax);
}

int32_t NumericColumn::PlaceOf(int32_t view) const {
  if (view != kMissingView || knots_.empty()) return view;
  return knots_.front() + kMissingView;
}

int32_t NumericColumn::MidRank(int32_t view) const {
  if (view == kMissingView || present_ == 0) return 0;
  const uint64_t doubled = uint64_t{AtMost(view)} + Below(view);
  return static_cast<int32_t>(doubled * 255 / (2 * uint64_t{present_}));
}

void NumericColumn::Write(LittleEndianWriter* writer) const {
  writer->U32(present_).U32(missing_).U16(static_cast<uint16_t>(knots_.size()));
  for (size_t i = 0; i < knots_.size(); ++i) {
    writer->U16(static_cast<uint16_t>(knots_[i])).U32(cumulative_[i]);
  }
}

std::optional<NumericColumn> NumericColumn::Read(LittleEndianReader* reader) {
  NumericColumn column;
  column.present_ = reader->U32();
  column.missing_ = reader->U32();
  const size_t count = reader->U16();
  if (column.present_ > kRowsCountMax || column.missing_ > kRowsCountMax || count > kKnotsMax ||
      (count == 0) != (column.present_ == 0) || !reader->CanHold(count, 6)) {
    return std::nullopt;
  }
  for (size_t i = 0; i < count; ++i) {
    const int32_t knot = reader->U16();
    const uint32_t cumulative = reader->U32();
    if (knot > kViewMax ||
        (i > 0 && (knot <= column.knots_.back() || cumulative <= column.cumulative_.back())) ||
        cumulative == 0) {
      return std::nullopt;
    }
    column.knots_.push_back(knot);
    column.cumulative_.push_back(cumulative);
  }
  if (!reader->ok() || (count > 0 && column.cumulative_.back() != column.present_)) {
    return std::nullopt;
  }
  column.Derive();
  return column;
}

}  // namespace vigil::detector
