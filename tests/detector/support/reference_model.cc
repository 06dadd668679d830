#include "tests/detector/support/reference_model.h"

#include <algorithm>
#include <string>
#include <utility>

#include "detector/features/integer_log.h"
#include "detector/features/numeric_column.h"
#include "detector/forest/draws.h"
#include "detector/forest/path_length.h"

namespace vigil::detector::testing {
namespace {

int64_t Lg(int64_t value) { return Log2Q8(static_cast<uint64_t>(value)); }

// The first `most` of each set of equal rows, by position.
std::vector<size_t> FirstOfEqual(const std::vector<std::vector<int64_t>>& rows, size_t most) {
  std::map<std::vector<int64_t>, size_t> seen;
  std::vector<size_t> kept;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (++seen[rows[i]] <= most) kept.push_back(i);
  }
  return kept;
}

template <typename Item>
std::vector<Item> Pick(const std::vector<Item>& items, const std::vector<size_t>& positions) {
  std::vector<Item> picked;
  for (const size_t position : positions) picked.push_back(items[position]);
  return picked;
}

// ceil(log2(n)).
int64_t DepthFor(int64_t n) {
  int64_t depth = 0;
  while ((int64_t{1} << depth) < n) ++depth;
  return depth;
}

}  // namespace

ReferenceModel::Row ReferenceModel::KeyOf(const FeatureSpec& spec, const Row& row) {
  Row key;
  // Keys are ordered as unsigned tokens, which matters for what is kept: shift the sign away.
  for (uint16_t i = 0; i < spec.field_count; ++i) {
    key.push_back(
        static_cast<int64_t>(static_cast<uint64_t>(row[spec.fields[i]]) ^ (uint64_t{1} << 63)));
  }
  return key;
}

int64_t ReferenceModel::ViewOfRow(const Feature& feature, const Row& row) {
  const int64_t raw = row[feature.spec.fields[0]];
  if (feature.spec.kind == FeatureKind::kMeasure) return feature.scale.View(raw);
  return ViewOf(feature.spec.kind, raw);
}

void ReferenceModel::FitNumbers(const std::vector<Row>& rows, Feature* feature) {
  if (feature->spec.kind == FeatureKind::kMeasure) {
    std::vector<int64_t> raws;
    for (const Row& row : rows) raws.push_back(row[feature->spec.fields[0]]);
    feature->scale = MeasureScale(raws);
  }
  std::map<int64_t, int64_t> times;
  for (const Row& row : rows) {
    const int64_t view = ViewOfRow(*feature, row);
    view == kMissingView ? ++feature->missing : (++feature->present, ++times[view]);
  }
  int64_t up_to = 0;
  for (const auto& [view, count] : times) feature->kept.push_back({view, up_to += count});
  if (feature->kept.size() > 512) {
    std::vector<std::pair<int64_t, int64_t>> thinned;
    int64_t step = 0;
    for (size_t i = 0; i < feature->kept.size(); ++i) {
      const int64_t reached = feature->kept[i].second * 384 / feature->present;
      if (i >= 64 && i + 64 < feature->kept.size() && reached == step) continue;
      step = reached;
      thinned.push_back(feature->kept[i]);
    }
    feature->kept = thinned;
  }
  if (feature->kept.empty()) return;
  // The knots that the outermost sixteenth reaches, from either end.
  const int64_t outer = feature->present / 16 + 1;
  int64_t low = 0, high = 0;
  for (size_t i = feature->kept.size(); i-- > 0;) {
    if (feature->kept[i].second >= outer) low = feature->kept[i].first;
  }
  for (size_t i = 0; i < feature->kept.size(); ++i) {
    const int64_t below = i == 0 ? 0 : feature->kept[i - 1].second;
    if (i == 0 || feature->present - below >= outer) high = feature->kept[i].first;
  }
  const auto slope = [](int64_t distance) {
    return distance == 0 ? 1024 : std::clamp<int64_t>(4 * 65'536 / distance, 256, 1024);
  };
  feature->low_slope = slope(low - feature->kept.front().first);
  feature->high_slope = slope(feature->kept.back().first - high);
}

void ReferenceModel::FitCategories(const std::vector<Row>& rows, Feature* feature) {
  std::map<Row, int64_t> counts;
  for (const Row& row : rows) ++counts[KeyOf(feature->spec, row)];
  feature->total = static_cast<int64_t>(rows.size());
  std::vector<std::pair<int64_t, Row>> order;  // Most frequent first, then the smaller key.
  for (const auto& [key, count] : counts) order.push_back({-count, key});
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i < 2048) feature->counts[order[i].second] = -order[i].first;
    if (i == 2048) feature->rest = -order[i].first;
  }
}

std::vector<ReferenceModel::Feature> ReferenceModel::FitFeatures(
    const std::vector<Row>& rows) const {
  std::vector<Feature> features;
  for (const FeatureSpec& spec : schema_.features()) {
    Feature feature;
    feature.spec = spec;
    const bool is_text =
        spec.kind == FeatureKind::kCategory || spec.kind == FeatureKind::kCombination;
    is_text ? FitCategories(rows, &feature) : FitNumbers(rows, &feature);
    features.push_back(std::move(feature));
  }
  return features;
}

int64_t ReferenceModel::SurprisalOf(const Feature& feature, const Row& row) {
  if (feature.spec.kind == FeatureKind::kCategory ||
      feature.spec.kind == FeatureKind::kCombination) {
    const auto found = feature.counts.find(KeyOf(feature.spec, row));
    const int64_t count = found == feature.counts.end() ? feature.rest : found->second;
    return Lg(feature.total + 2) - Lg(count + 1);
  }
  const int64_t view = ViewOfRow(feature, row);
  const int64_t whole = Lg(feature.present + feature.missing + 2);
  if (view == kMissingView) return whole - Lg(feature.missing + 1);
  const int64_t presence = whole - Lg(feature.present + 1);
  if (feature.present == 0) return presence;
  int64_t at_most = 0, below = 0;
  for (const auto& [knot, up_to] : feature.kept) {
    if (knot <= view) at_most = up_to;
    if (knot < view) below = up_to;
  }
  const int64_t farther = std::min(at_most, feature.present - below);
  int64_t bits = std::max<int64_t>(Lg(feature.present + 2) - Lg(farther + 1) - 256, 0);
  const int64_t first = feature.kept.front().first, last = feature.kept.back().first;
  if (view > last) bits += (view - last) * feature.high_slope / 256;
  if (view < first) bits += (first - view) * feature.low_slope / 256;
  return std::min<int64_t>(presence + bits, kEncodedMax);
}

int64_t ReferenceModel::SplitOf(const Feature& feature, const Row& row) {
  if (feature.spec.kind == FeatureKind::kCategory ||
      feature.spec.kind == FeatureKind::kCombination) {
    return SurprisalOf(feature, row);
  }
  const int64_t view = ViewOfRow(feature, row);
  if (view == kMissingView && !feature.kept.empty()) return feature.kept.front().first - 512;
  return view;
}

std::vector<ReferenceModel::Row> ReferenceModel::Splits(const std::vector<Feature>& features,
                                                        const std::vector<Row>& rows) const {
  std::vector<Row> splits;
  for (const Row& row : rows) {
    Row split;
    for (const Feature& feature : features) split.push_back(SplitOf(feature, row));
    splits.push_back(split);
  }
  return splits;
}

std::unique_ptr<ReferenceModel::Node> ReferenceModel::Grow(const std::vector<Row>& rows,
                                                           int64_t depth, int64_t depth_max,
                                                           CounterDraws* draws) const {
  auto node = std::make_unique<Node>();
  node->rows = static_cast<int64_t>(rows.size());
  std::vector<uint32_t> varying;
  for (uint32_t f = 0; f < rows[0].size(); ++f) {
    std::set<int64_t> values;
    for (const Row& row : rows) values.insert(row[f]);
    if (values.size() > 1) varying.push_back(f);
  }
  if (depth == depth_max || varying.empty()) {
    node->path = depth * 65'536 + MeanPathQ16(static_cast<uint32_t>(rows.size()));
    return node;
  }
  node->feature = varying[draws->Below(static_cast<uint32_t>(varying.size()))];
  int64_t low = rows[0][node->feature], high = low;
  for (const Row& row : rows) {
    low = std::min(low, row[node->feature]);
    high = std::max(high, row[node->feature]);
  }
  node->threshold = low + draws->Below(static_cast<uint32_t>(high - low));
  std::vector<Row> left, right;
  for (const Row& row : rows) (row[node->feature] <= node->threshold ? left : right).push_back(row);
  node->left = Grow(left, depth + 1, depth_max, draws);
  node->right = Grow(right, depth + 1, depth_max, draws);
  return node;
}

void ReferenceModel::FitProjections(const std::vector<Row>& rows, const Digest& seed, Hash32 hash) {
  const auto features = static_cast<uint32_t>(features_.size());
  uint32_t terms = 1;
  while (terms * terms < features) ++terms;
  fitted_rows_ = static_cast<int64_t>(rows.size());
  for (uint32_t p = 0; p < 100; ++p) {
    CounterDraws draws(seed, DrawPurpose::kProjection, p, hash);
    const std::vector<uint32_t> drawn = draws.Sample(terms, features);
    Projection projection;
    for (const uint32_t feature : std::set<uint32_t>(drawn.begin(), drawn.end())) {
      int64_t weight = -1530;
      for (int word = 0; word < 3; ++word) {
        uint32_t rest = draws.Next();
        for (int byte = 0; byte < 4; ++byte, rest /= 256) weight += rest % 256;
      }
      projection.terms.push_back({feature, weight});
    }
    std::vector<int64_t> projected;
    for (const Row& row : rows) {
      int64_t z = 0;
      for (const auto& [feature, weight] : projection.terms) z += weight * row[feature];
      projected.push_back(z);
    }
    projection.low = *std::min_element(projected.begin(), projected.end());
    projection.width =
        (*std::max_element(projected.begin(), projected.end()) - projection.low) / 64 + 1;
    for (const int64_t z : projected) ++projection.bins[(z - projection.low) / projection.width];
    projections_.push_back(std::move(projection));
  }
}

int64_t ReferenceModel::CostOf(const Projection& projection, const Row& split) const {
  int64_t z = 0;
  for (const auto& [feature, weight] : projection.terms) z += weight * split[feature];
  int64_t count = 0;
  if (z >= projection.low) {
    const auto bin = projection.bins.find((z - projection.low) / projection.width);
    if (bin != projection.bins.end()) count = bin->second;
  }
  return Lg(fitted_rows_ + 64) - Lg(count + 1);
}

ReferenceModel::Curve ReferenceModel::FitCurve(std::vector<int64_t> raws, int64_t raw_per_bit) {
  Curve curve;
  const auto total = static_cast<int64_t>(raws.size());
  const std::set<int64_t> different(raws.begin(), raws.end());
  for (const int64_t raw : different) {
    const int64_t as_strange =
        std::count_if(raws.begin(), raws.end(), [&](int64_t other) { return other >= raw; });
    const int64_t bits = Lg(total + 2) - Lg(as_strange + 1);
    const bool is_last = raw == *different.rbegin();
    const int64_t rise = curve.knots.empty() ? 16 : bits - curve.knots.back().second;
    if (rise >= 16 || (is_last && rise > 0)) curve.knots.push_back({raw, bits});
  }
  curve.tail_raw = raw_per_bit;
  const auto [top_raw, top_bits] = curve.knots.back();
  for (size_t i = curve.knots.size() - 1; i-- > 0;) {
    curve.tail_raw = top_raw - curve.knots[i].first;
    curve.tail_bits = top_bits - curve.knots[i].second;
    if (curve.tail_bits >= 1024) break;
  }
  return curve;
}

int64_t ReferenceModel::BitsOf(const Curve& curve, int64_t raw) {
  const auto [top_raw, top_bits] = curve.knots.back();
  if (raw < curve.knots.front().first) return 0;
  if (raw >= top_raw) {
    return std::min<int64_t>(top_bits + (raw - top_raw) * curve.tail_bits / curve.tail_raw,
                             kScoreMaxQ8);
  }
  size_t i = 0;
  while (curve.knots[i + 1].first <= raw) ++i;
  const auto [low_raw, low_bits] = curve.knots[i];
  const auto [high_raw, high_bits] = curve.knots[i + 1];
  return low_bits + (raw - low_raw) * (high_bits - low_bits) / (high_raw - low_raw);
}

ReferenceModel::Seen ReferenceModel::See(const Row& row) const {
  Seen seen;
  for (const Feature& feature : features_) {
    seen.split.push_back(SplitOf(feature, row));
    seen.surprisal.push_back(SurprisalOf(feature, row));
    seen.sum += seen.surprisal.back();
  }
  for (const auto& tree : trees_) {
    const Node* node = tree.get();
    while (node->left) {
      node = (seen.split[node->feature] <= node->threshold ? node->left : node->right).get();
    }
    seen.forest += MeanPathQ16(static_cast<uint32_t>(sample_rows_)) - node->path;
  }
  for (const Projection& projection : projections_) seen.loda += CostOf(projection, seen.split);
  return seen;
}

Score ReferenceModel::Judge(const Seen& seen) const {
  if (cold_) {
    return {static_cast<uint32_t>(BitsOf(sum_curve_, seen.sum)), Component::kSurprisal, {}};
  }
  const int64_t forest = BitsOf(forest_curve_, seen.forest);
  const int64_t loda = BitsOf(loda_curve_, seen.loda) - 256;
  const int64_t sum = BitsOf(sum_curve_, seen.sum) - 256;
  if (forest >= loda && forest >= sum) {
    return {static_cast<uint32_t>(forest), Component::kForest, {}};
  }
  if (loda >= sum) return {static_cast<uint32_t>(loda), Component::kLoda, {}};
  return {static_cast<uint32_t>(sum), Component::kSurprisal, {}};
}

std::vector<int64_t> ReferenceModel::Credits(const Seen& seen, Component component) const {
  std::vector<int64_t> credits(features_.size(), 0);
  for (size_t f = 0; f < features_.size(); ++f) {
    if (component == Component::kSurprisal) {
      credits[f] = std::max<int64_t>(seen.surprisal[f] - means_[f], 0);
    }
    if (component == Component::kLoda) {
      int64_t with = 0, uses = 0, without = 0, others = 0;
      for (const Projection& projection : projections_) {
        const bool uses_it = std::any_of(projection.terms.begin(), projection.terms.end(),
                                         [&](const auto& term) { return term.first == f; });
        (uses_it ? with : without) += CostOf(projection, seen.split);
        ++(uses_it ? uses : others);
      }
      if (uses == 0) continue;
      const int64_t mean_without = others == 0 ? 0 : without * 256 / others;
      credits[f] = std::max<int64_t>(with * 256 / uses - mean_without, 0);
    }
  }
  if (component != Component::kForest) return credits;
  for (const auto& tree : trees_) {
    const Node* node = tree.get();
    while (node->left) {
      const Node* next =
          (seen.split[node->feature] <= node->threshold ? node->left : node->right).get();
      credits[node->feature] += std::max<int64_t>(Lg(node->rows) - Lg(next->rows) - 256, 0);
      node = next;
    }
  }
  return credits;
}

Score ReferenceModel::Explain(const Row& row) const {
  const Seen seen = See(row);
  Score score = Judge(seen);
  const std::vector<int64_t> credits = Credits(seen, score.component);
  int64_t total = 0;
  for (const int64_t credit : credits) total += credit;
  std::vector<std::pair<int64_t, uint16_t>> order;
  for (size_t f = 0; f < credits.size() && total > 0; ++f) {
    const int64_t bits = credits[f] * score.score_q8 / total;
    if (bits > 0) order.push_back({-bits, static_cast<uint16_t>(f)});
  }
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < std::min<size_t>(order.size(), 5); ++i) {
    score.reasons.push_back({order[i].second, static_cast<uint32_t>(-order[i].first)});
  }
  return score;
}

std::vector<ReferenceModel::Row> ReferenceModel::LearntFrom(const RawTable& window,
                                                            const Digest& seed,
                                                            const Parameters& parameters,
                                                            Hash32 hash) const {
  const auto fields = static_cast<int>(schema_.field_count());
  const bool marked = window.cols() > fields;
  std::vector<Row> rows, marks;
  for (int i = 0; i < window.rows(); ++i) {
    if (marked && window(i, fields + 2) != 0) continue;
    rows.emplace_back(window.row(i).data(), window.row(i).data() + fields);
    marks.emplace_back(window.row(i).data() + fields, window.row(i).data() + window.cols());
  }
  const std::vector<size_t> first =
      FirstOfEqual(Splits(FitFeatures(rows), rows), parameters.identical_rows_max);
  rows = Pick(rows, first);
  marks = Pick(marks, first);
  if (!marked) return rows;
  std::vector<Digest> hashes;
  for (const Row& mark : marks) {
    std::vector<uint8_t> bytes;
    for (const char c : std::string("vigil/detector/share/v1")) {
      bytes.push_back(static_cast<uint8_t>(c));
    }
    bytes.push_back(0);
    bytes.insert(bytes.end(), seed.begin(), seed.end());
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<uint8_t>(static_cast<uint64_t>(mark[1]) >> shift));
    }
    hashes.push_back(hash(bytes));
  }
  // Each number of rows that one may keep, from the most down, until nobody has too large a share.
  std::map<int64_t, std::vector<std::pair<Digest, size_t>>> of;
  for (size_t i = 0; i < rows.size(); ++i) of[marks[i][0]].emplace_back(hashes[i], i);
  if (of.size() < 2) return rows;
  std::set<size_t> kept;
  for (size_t most = rows.size(); most > 0; --most) {
    std::set<size_t> left;
    size_t largest = 0;
    for (auto& [reporter, order] : of) {
      std::sort(order.begin(), order.end());
      for (size_t i = 0; i < std::min(most, order.size()); ++i) left.insert(order[i].second);
      largest = std::max(largest, std::min(most, order.size()));
    }
    if (!kept.empty() && left.size() < parameters.window_rows_min) break;
    kept = left;
    const size_t share = of.size() < 4 ? 1 : 2, whole = of.size() < 4 ? 2 : of.size();
    if (largest * whole <= share * left.size()) break;
  }
  std::vector<Row> learnt;
  for (const size_t i : kept) learnt.push_back(rows[i]);
  return learnt;
}

ReferenceModel::ReferenceModel(const Schema& schema, const RawTable& window, const Digest& seed,
                               const Parameters& parameters, Hash32 hash,
                               uint32_t previous_threshold_q8)
    : schema_(schema) {
  const std::vector<Row> rows = LearntFrom(window, seed, parameters, hash);
  row_count_ = static_cast<uint32_t>(rows.size());
  cold_ = row_count_ < parameters.window_rows_min;
  CounterDraws draws(seed, DrawPurpose::kHeldOut, 0, hash);
  const auto count = static_cast<uint32_t>(rows.size());
  const std::vector<uint32_t> drawn = draws.Sample(count / 5, count);
  const std::set<uint32_t> out(drawn.begin(), drawn.end());
  std::vector<Row> grown, held_out;
  for (uint32_t i = 0; i < count; ++i) (out.contains(i) ? held_out : grown).push_back(rows[i]);
  features_ = FitFeatures(grown);
  std::vector<Row> splits = Splits(features_, grown);
  splits = Pick(splits, FirstOfEqual(splits, parameters.identical_rows_max));
  const auto available = static_cast<uint32_t>(splits.size());
  sample_rows_ = std::min(parameters.sample_rows, available);
  for (uint32_t t = 0; t < parameters.trees; ++t) {
    CounterDraws tree(seed, DrawPurpose::kTree, t, hash);
    std::vector<Row> sample;
    for (const uint32_t i : tree.Sample(static_cast<uint32_t>(sample_rows_), available)) {
      sample.push_back(splits[i]);
    }
    trees_.push_back(Grow(sample, 0, DepthFor(sample_rows_), &tree));
  }
  FitProjections(splits, seed, hash);
  std::vector<int64_t> forest, loda, sum;
  means_.assign(features_.size(), 0);
  std::vector<Seen> all;
  for (const Row& row : held_out) {
    all.push_back(See(row));
    forest.push_back(all.back().forest);
    loda.push_back(all.back().loda);
    sum.push_back(all.back().sum);
    for (size_t f = 0; f < means_.size(); ++f) means_[f] += all.back().surprisal[f];
  }
  for (int64_t& mean : means_) mean /= static_cast<int64_t>(held_out.size());
  forest_curve_ = FitCurve(forest, int64_t{65'536} * parameters.trees);
  loda_curve_ = FitCurve(loda, 256 * 100);
  sum_curve_ = FitCurve(sum, 256);
  // The smallest score that at most the share 1 - quantile of the held-out rows reach.
  std::vector<int64_t> scores;
  for (const Seen& seen : all) scores.push_back(Judge(seen).score_q8);
  std::sort(scores.begin(), scores.end());
  int64_t threshold = scores.back() + 1;
  for (size_t i = scores.size(); i-- > 0;) {
    const size_t reach = scores.size() - i;
    if (reach * 1'000'000 > scores.size() * (1'000'000 - parameters.threshold_quantile_ppm)) break;
    threshold = scores[i];
  }
  if (previous_threshold_q8 > 0) {
    const int64_t previous = previous_threshold_q8;
    threshold = std::min(std::max(threshold, std::max<int64_t>(previous - 256, 0)), previous + 256);
  }
  threshold_q8_ = std::max(static_cast<uint32_t>(threshold), parameters.threshold_floor_q8);
}

}  // namespace vigil::detector::testing
