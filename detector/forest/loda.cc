#include "detector/forest/loda.h"

#include <algorithm>
#include <cstdlib>

#include "detector/features/integer_log.h"
#include "detector/features/numeric_column.h"
#include "detector/forest/draws.h"

namespace vigil::detector {
namespace {

constexpr int32_t kWeightMax = 12 * 255 / 2;  // Q8: just under six standard deviations.

constexpr uint32_t CeilSqrt(uint32_t n) {
  uint32_t root = 0;
  while (root * root < n) ++root;
  return root;
}

// No projection of encoded rows lies outside plus and minus this, so that int32 suffices.
constexpr int64_t kProjectedMax = int64_t{kWeightMax} * kEncodedMax * CeilSqrt(kFeaturesMax);
static_assert(kProjectedMax < INT32_MAX / 2);

int16_t DrawWeight(CounterDraws* draws) {
  int32_t sum = -kWeightMax;
  for (int word = 0; word < 3; ++word) {
    const uint32_t drawn = draws->Next();
    for (int shift = 0; shift < 32; shift += 8) sum += static_cast<int32_t>(drawn >> shift & 0xff);
  }
  return static_cast<int16_t>(sum);
}

}  // namespace

Loda::Loda(uint32_t feature_count, uint32_t row_count)
    : feature_count_(feature_count), row_count_(row_count), term_count_(CeilSqrt(feature_count)) {}

Loda Loda::Fit(const FeatureMatrix& rows, const Digest& seed, uint32_t projections, Hash32 hash) {
  Loda loda(static_cast<uint32_t>(rows.cols()), static_cast<uint32_t>(rows.rows()));
  std::vector<int32_t> projected(loda.row_count_);
  for (uint32_t p = 0; p < projections; ++p) {
    CounterDraws draws(seed, DrawPurpose::kProjection, p, hash);
    Projection projection;
    projection.first_term = loda.features_.size();
    std::vector<uint32_t> used = draws.Sample(loda.term_count_, loda.feature_count_);
    std::sort(used.begin(), used.end());
    for (const uint32_t feature : used) {
      loda.features_.push_back(static_cast<uint8_t>(feature));
      loda.weights_.push_back(DrawWeight(&draws));
    }
    for (uint32_t i = 0; i < loda.row_count_; ++i) {
      projected[i] = loda.Project(projection, rows.data() + size_t{i} * loda.feature_count_);
    }
    const auto [low, high] = std::minmax_element(projected.begin(), projected.end());
    projection.low = *low;
    projection.width = static_cast<uint32_t>(*high - *low) / kBins + 1;
    for (const int32_t z : projected) {
      ++projection.counts[static_cast<uint32_t>(z - projection.low) / projection.width];
    }
    loda.FillCosts(&projection);
    loda.projections_.push_back(projection);
  }
  return loda;
}

void Loda::FillCosts(Projection* projection) const {
  const int32_t whole = Log2Q8(uint64_t{row_count_} + kBins);
  for (size_t bin = 0; bin < kBins; ++bin) {
    projection->costs_q8[bin] = whole - Log2Q8(uint64_t{projection->counts[bin]} + 1);
  }
  projection->costs_q8[kBins] = whole;
}

int32_t Loda::Project(const Projection& projection, const int32_t* row) const {
  const uint8_t* feature = features_.data() + projection.first_term;
  const int16_t* weight = weights_.data() + projection.first_term;
  int32_t sum = 0;
  for (uint32_t term = 0; term < term_count_; ++term) sum += weight[term] * row[feature[term]];
  return sum;
}

int32_t Loda::CostQ8(const Projection& projection, const int32_t* row) const {
  // A row below `low` wraps round to a bin far beyond the last.
  const uint32_t above =
      static_cast<uint32_t>(Project(projection, row)) - static_cast<uint32_t>(projection.low);
  return projection.costs_q8[std::min<uint32_t>(above / projection.width, kBins)];
}

int64_t Loda::SurprisalQ8(const int32_t* row) const {
  int64_t sum = 0;
  for (const Projection& projection : projections_) sum += CostQ8(projection, row);
  return sum;
}

void Loda::AddCredit(const int32_t* row, std::span<int64_t> credit_q8) const {
  std::array<int64_t, kFeaturesMax> with{};
  std::array<int64_t, kFeaturesMax> uses{};
  int64_t whole = 0;
  for (const Projection& projection : projections_) {
    const int32_t cost = CostQ8(projection, row);
    whole += cost;
    for (uint32_t term = 0; term < term_count_; ++term) {
      const uint8_t feature = features_[projection.first_term + term];
      with[feature] += cost;
      ++uses[feature];
    }
  }
  const auto all = static_cast<int64_t>(projections_.size());
  for (uint32_t f = 0; f < feature_count_; ++f) {
    if (uses[f] == 0) continue;
    const int64_t mean_with = with[f] * 256 / uses[f];
    const int64_t mean_without = uses[f] == all ? 0 : (whole - with[f]) * 256 / (all - uses[f]);
    credit_q8[f] += std::max<int64_t>(mean_with - mean_without, 0);
  }
}

void Loda::Write(LittleEndianWriter* writer) const {
  writer->U16(static_cast<uint16_t>(projections_.size()));
  writer->U8(static_cast<uint8_t>(feature_count_)).U32(row_count_);
  for (const Projection& projection : projections_) {
    for (uint32_t term = 0; term < term_count_; ++term) {
      writer->U8(features_[projection.first_term + term]);
      writer->U16(static_cast<uint16_t>(weights_[projection.first_term + term] + kWeightMax));
    }
    writer->I32(projection.low).U32(projection.width);
    for (const uint32_t count : projection.counts) writer->U32(count);
  }
}

bool Loda::ReadTerms(LittleEndianReader* reader) {
  for (uint32_t term = 0; term < term_count_; ++term) {
    const uint8_t feature = reader->U8();
    const uint16_t weight = reader->U16();
    if (!reader->ok() || feature >= feature_count_ || weight > 2 * kWeightMax ||
        (term > 0 && feature <= features_.back())) {
      return false;
    }
    features_.push_back(feature);
    weights_.push_back(static_cast<int16_t>(weight - kWeightMax));
  }
  return true;
}

std::optional<Loda> Loda::Read(LittleEndianReader* reader) {
  const uint32_t count = reader->U16();
  const uint32_t features = reader->U8();
  const uint32_t rows = reader->U32();
  if (!reader->ok() || count < 1 || count > kProjectionsMax || features < 1 ||
      features > kFeaturesMax || rows < 1 || rows > kRowsCountMax ||
      !reader->CanHold(count, 8 + 4 * kBins)) {
    return std::nullopt;
  }
  Loda loda(features, rows);
  for (uint32_t p = 0; p < count; ++p) {
    Projection projection;
    projection.first_term = loda.features_.size();
    if (!loda.ReadTerms(reader)) return std::nullopt;
    projection.low = reader->I32();
    projection.width = reader->U32();
    uint64_t sum = 0;
    for (uint32_t& bin : projection.counts) sum += bin = reader->U32();
    if (!reader->ok() || sum != rows || projection.low < -kProjectedMax ||
        projection.low > kProjectedMax || projection.width < 1 ||
        projection.width > 2 * kProjectedMax / kBins + 1) {
      return std::nullopt;
    }
    loda.FillCosts(&projection);
    loda.projections_.push_back(projection);
  }
  return loda;
}

}  // namespace vigil::detector
