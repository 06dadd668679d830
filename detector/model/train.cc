#include <algorithm>
#include <numeric>
#include <utility>

#include "detector/forest/draws.h"
#include "detector/model/encoded.h"
#include "detector/model/model.h"
#include "detector/model/window_guard.h"

namespace vigil::detector {
namespace {

// One row in five is held out.
constexpr uint32_t kHeldOutOneIn = 5;
// Where the tail of the held-out scores says nothing: one bit per edge of mean path, and per bit.
constexpr int64_t kStrangenessPerBit = 1 << 16;
constexpr int64_t kSurprisalPerBit = 256;
constexpr uint32_t kProjections = 100;

struct Parts {
  std::vector<uint32_t> grown;     // Rows the encoder and the trees see, ascending.
  std::vector<uint32_t> held_out;  // The others, ascending.
};

Parts Divide(std::vector<uint32_t> kept, const Digest& seed, Hash32 hash) {
  const auto total = static_cast<uint32_t>(kept.size());
  std::vector<bool> is_held_out(total, false);
  CounterDraws draws(seed, DrawPurpose::kHeldOut, 0, hash);
  for (const uint32_t drawn : draws.Sample(total / kHeldOutOneIn, total)) is_held_out[drawn] = true;
  Parts parts;
  for (uint32_t i = 0; i < total; ++i) {
    (is_held_out[i] ? parts.held_out : parts.grown).push_back(kept[i]);
  }
  return parts;
}

// The rows whose encoding, by all rows, is not yet there identical_rows_max times.
std::vector<uint32_t> KeptRows(const Schema& schema, const RawTable& window,
                               uint32_t identical_max) {
  std::vector<uint32_t> all(static_cast<size_t>(window.rows()));
  std::iota(all.begin(), all.end(), 0u);
  const Encoder encoder = Encoder::Fit(schema, window, all);
  return CapIdenticalRows(encoder.SplitView(window, all), identical_max);
}

// Once more under the final encoding, in which further rows may have become equal.
FeatureMatrix GrownRows(const Encoder& encoder, const RawTable& window,
                        const std::vector<uint32_t>& grown, uint32_t identical_max) {
  const FeatureMatrix encoded = encoder.SplitView(window, grown);
  const std::vector<uint32_t> kept = CapIdenticalRows(encoded, identical_max);
  FeatureMatrix rows(static_cast<Eigen::Index>(kept.size()), encoded.cols());
  for (size_t i = 0; i < kept.size(); ++i) rows.row(i) = encoded.row(kept[i]);
  return rows;
}

// The smallest score that at most the share 1 - quantile of the held-out rows reach.
uint32_t Quantile(std::vector<uint32_t> scores, uint32_t quantile_ppm) {
  std::sort(scores.begin(), scores.end());
  const uint64_t below = (uint64_t{quantile_ppm} * scores.size() + 999'999) / 1'000'000;
  return below < scores.size() ? scores[below] : scores.back() + 1;
}

}  // namespace

std::optional<Model> Model::Train(const Schema& schema, const RawTable& window, const Digest& seed,
                                  const Parameters& parameters, Hash32 hash) {
  if (window.rows() == 0) return std::nullopt;
  std::vector<uint32_t> kept = KeptRows(schema, window, parameters.identical_rows_max);
  if (kept.size() < kRowsMin) return std::nullopt;
  const auto row_count = static_cast<uint32_t>(kept.size());
  const Parts parts = Divide(std::move(kept), seed, hash);
  Encoder encoder = Encoder::Fit(schema, window, parts.grown);
  const FeatureMatrix grown =
      GrownRows(encoder, window, parts.grown, parameters.identical_rows_max);
  Forest forest = Forest::Grow(grown, seed, parameters.trees, parameters.sample_rows, hash);
  Loda loda = Loda::Fit(grown, seed, kProjections, hash);
  // Calibrated below, once the held-out rows have been seen by the other parts.
  const Calibration none({0}, 1);
  Model model(schema, std::move(encoder), std::move(forest), std::move(loda), {none, none, none});
  model.profile_ = parameters.profile;
  model.schema_hash_ = schema.HashWith(hash);
  model.seed_ = seed;
  model.row_count_ = row_count;
  model.held_out_count_ = static_cast<uint32_t>(parts.held_out.size());
  model.CalibrateOn(window, parts.held_out, parameters);
  model.digest_ = DigestOf(model.Serialize(), hash);
  return model;
}

void Model::CalibrateOn(const RawTable& window, std::span<const uint32_t> held_out,
                        const Parameters& parameters) {
  std::vector<Encoded> rows;
  std::vector<int64_t> strangeness, loda, surprisal;
  std::vector<int64_t> sums(schema_.feature_count(), 0);
  for (const uint32_t index : held_out) {
    const Encoded& encoded =
        rows.emplace_back(Encode({window.row(index).data(), schema_.field_count()}));
    strangeness.push_back(encoded.strangeness_q16);
    loda.push_back(encoded.loda_q8);
    surprisal.push_back(encoded.surprisal_sum);
    for (size_t f = 0; f < sums.size(); ++f) sums[f] += encoded.surprisal[f];
  }
  for (const int64_t sum : sums) {
    mean_surprisal_q8_.push_back(static_cast<int32_t>(sum / static_cast<int64_t>(held_out.size())));
  }
  bits_.forest = Calibration(std::move(strangeness), kStrangenessPerBit * forest_.tree_count());
  bits_.loda = Calibration(std::move(loda), kSurprisalPerBit * loda_.projection_count());
  bits_.surprisal = Calibration(std::move(surprisal), kSurprisalPerBit);
  std::vector<uint32_t> fused;
  for (const Encoded& encoded : rows) fused.push_back(Judge(encoded).score_q8);
  threshold_q8_ = std::max(Quantile(std::move(fused), parameters.threshold_quantile_ppm),
                           parameters.threshold_floor_q8);
}

}  // namespace vigil::detector
