#include <algorithm>
#include <optional>
#include <utility>

#include "detector/forest/draws.h"
#include "detector/model/encoded.h"
#include "detector/model/model.h"
#include "detector/model/row_marks.h"
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

// `positions` of `rows`.
std::vector<uint32_t> Pick(const std::vector<uint32_t>& rows,
                           const std::vector<uint32_t>& positions) {
  std::vector<uint32_t> picked;
  picked.reserve(positions.size());
  for (const uint32_t position : positions) picked.push_back(rows[position]);
  return picked;
}

// The rows that a model may learn from, ascending.
std::vector<uint32_t> KeptRows(const Schema& schema, const RawTable& window, const Digest& seed,
                               const Parameters& parameters, Hash32 hash) {
  const auto fields = static_cast<Eigen::Index>(schema.field_count());
  const bool marked = window.cols() == fields + static_cast<Eigen::Index>(kRowMarks);
  std::vector<uint32_t> rows;
  for (Eigen::Index i = 0; i < window.rows(); ++i) {
    if (!marked || window(i, fields + kLeftOutMark) == 0) rows.push_back(static_cast<uint32_t>(i));
  }
  if (rows.empty()) return rows;
  // Those whose encoding, by all rows, is not yet there identical_rows_max times.
  const Encoder encoder = Encoder::Fit(schema, window, rows);
  rows =
      Pick(rows, CapIdenticalRows(encoder.SplitView(window, rows), parameters.identical_rows_max));
  if (!marked) return rows;
  std::vector<ReportedRow> reported;
  for (const uint32_t i : rows) {
    reported.push_back({window(i, fields + kReporterMark), window(i, fields + kEventMark)});
  }
  return Pick(rows, CapShare(reported, parameters.window_rows_min, seed, hash));
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
                                  const Parameters& parameters, Hash32 hash,
                                  uint32_t previous_threshold_q8) {
  std::vector<uint32_t> kept = KeptRows(schema, window, seed, parameters, hash);
  if (kept.size() < kRowsMin) return std::nullopt;
  const auto row_count = static_cast<uint32_t>(kept.size());
  const Parts parts = Divide(std::move(kept), seed, hash);
  Encoder encoder = Encoder::Fit(schema, window, parts.grown);
  // Calibrated below, once the held-out rows have been seen by the other parts.
  const Calibration none({0}, 1);
  std::optional<Scorers> scorers;
  if (row_count >= parameters.window_rows_min) {
    const FeatureMatrix grown =
        GrownRows(encoder, window, parts.grown, parameters.identical_rows_max);
    scorers.emplace(
        Scorers{Forest::Grow(grown, seed, parameters.trees, parameters.sample_rows, hash),
                Loda::Fit(grown, seed, kProjections, hash), none, none});
  }
  Model model(schema, std::move(encoder), std::move(scorers), none);
  model.profile_ = parameters.profile;
  model.schema_hash_ = schema.HashWith(hash);
  model.seed_ = seed;
  model.row_count_ = row_count;
  model.held_out_count_ = static_cast<uint32_t>(parts.held_out.size());
  model.CalibrateOn(window, parts.held_out, parameters, previous_threshold_q8);
  model.digest_ = DigestOf(model.Serialize(), hash);
  return model;
}

void Model::CalibrateOn(const RawTable& window, std::span<const uint32_t> held_out,
                        const Parameters& parameters, uint32_t previous_threshold_q8) {
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
  if (!cold()) {
    scorers_->forest_bits =
        Calibration(std::move(strangeness), kStrangenessPerBit * scorers_->forest.tree_count());
    scorers_->loda_bits =
        Calibration(std::move(loda), kSurprisalPerBit * scorers_->loda.projection_count());
  }
  surprisal_bits_ = Calibration(std::move(surprisal), kSurprisalPerBit);
  std::vector<uint32_t> fused;
  for (const Encoded& encoded : rows) fused.push_back(Judge(encoded).score_q8);
  uint32_t threshold = Quantile(std::move(fused), parameters.threshold_quantile_ppm);
  if (previous_threshold_q8 > 0) {
    const uint32_t step = std::min(previous_threshold_q8, kThresholdStepQ8);
    threshold = std::clamp(threshold, previous_threshold_q8 - step,
                           previous_threshold_q8 + kThresholdStepQ8);
  }
  threshold_q8_ = std::max(threshold, parameters.threshold_floor_q8);
}

}  // namespace vigil::detector
