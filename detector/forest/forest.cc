#include "detector/forest/forest.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "detector/features/integer_log.h"
#include "detector/forest/draws.h"

namespace vigil::detector {
namespace {

// Log2Q8() of every number of rows that a node can have.
const std::array<int16_t, kSampleRowsMax + 1>& RowLogsQ8() {
  static const std::array<int16_t, kSampleRowsMax + 1> logs = [] {
    std::array<int16_t, kSampleRowsMax + 1> made{};
    for (uint32_t rows = 1; rows <= kSampleRowsMax; ++rows)
      made[rows] = static_cast<int16_t>(Log2Q8(rows));
    return made;
  }();
  return logs;
}

}  // namespace

Forest::Forest(uint32_t sample_rows, uint32_t feature_count)
    : sample_rows_(sample_rows),
      feature_count_(feature_count),
      depth_max_(std::bit_width(sample_rows - 1)) {}  // ceil(log2(sample_rows))

void Forest::PushLeaf(uint32_t rows, uint32_t depth) {
  const int32_t path = static_cast<int32_t>(depth << 16) + MeanPathQ16(rows);
  nodes_.push_back({path, Node::kLeaf << 24 | (rows - 1) << 12});
}

// Grows one tree after the other; owns the scratch space.
class Forest::Grower {
 public:
  Grower(Forest* forest, const FeatureMatrix& rows)
      : forest_(forest), rows_(rows), low_(forest->feature_count_), high_(forest->feature_count_) {}

  void GrowTree(CounterDraws* draws) {
    draws_ = draws;
    forest_->tree_begin_.push_back(static_cast<uint32_t>(forest_->nodes_.size()));
    chosen_ = draws->Sample(forest_->sample_rows_, static_cast<uint32_t>(rows_.rows()));
    GrowNode(0, forest_->sample_rows_, 0);
  }

 private:
  const int32_t* RowOf(uint32_t position) const {
    return rows_.data() + static_cast<size_t>(chosen_[position]) * forest_->feature_count_;
  }

  // Fills low_, high_ and varying_ for the rows at [begin, end).
  void FindVarying(uint32_t begin, uint32_t end) {
    std::copy_n(RowOf(begin), low_.size(), low_.begin());
    std::copy_n(RowOf(begin), high_.size(), high_.begin());
    for (uint32_t i = begin + 1; i < end; ++i) {
      const int32_t* row = RowOf(i);
      for (size_t f = 0; f < low_.size(); ++f) {
        low_[f] = std::min(low_[f], row[f]);
        high_[f] = std::max(high_[f], row[f]);
      }
    }
    varying_.clear();
    for (uint32_t f = 0; f < low_.size(); ++f) {
      if (low_[f] < high_[f]) varying_.push_back(f);
    }
  }

  // Returns the number of leaves. Recursion is at most 12 deep.
  uint32_t GrowNode(uint32_t begin, uint32_t end, uint32_t depth) {
    const uint32_t rows = end - begin;
    varying_.clear();
    if (rows > 1 && depth < forest_->depth_max_) FindVarying(begin, end);
    if (varying_.empty()) {
      forest_->PushLeaf(rows, depth);
      return 1;
    }
    const uint32_t feature = varying_[draws_->Below(static_cast<uint32_t>(varying_.size()))];
    const auto range = static_cast<uint32_t>(int64_t{high_[feature]} - low_[feature]);
    const auto threshold = static_cast<int32_t>(int64_t{low_[feature]} + draws_->Below(range));
    const auto middle =
        std::stable_partition(chosen_.begin() + begin, chosen_.begin() + end,
                              [&](uint32_t row) { return rows_(row, feature) <= threshold; });
    const auto split = static_cast<uint32_t>(middle - chosen_.begin());
    const size_t index = forest_->nodes_.size();
    forest_->nodes_.push_back({threshold, 0});
    const uint32_t left = GrowNode(begin, split, depth + 1);
    const uint32_t right = GrowNode(split, end, depth + 1);
    forest_->nodes_[index].packed = feature << 24 | (rows - 1) << 12 | left;
    return left + right;
  }

  Forest* forest_;
  const FeatureMatrix& rows_;
  CounterDraws* draws_ = nullptr;
  std::vector<uint32_t> chosen_;
  std::vector<int32_t> low_, high_;
  std::vector<uint32_t> varying_;
};

Forest Forest::Grow(const FeatureMatrix& rows, const Digest& seed, uint32_t trees,
                    uint32_t sample_rows, Hash32 hash) {
  const auto available = static_cast<uint32_t>(std::min<Eigen::Index>(rows.rows(), kSampleRowsMax));
  Forest forest(std::clamp(sample_rows, 1u, available), static_cast<uint32_t>(rows.cols()));
  Grower grower(&forest, rows);
  for (uint32_t tree = 0; tree < trees; ++tree) {
    CounterDraws draws(seed, DrawPurpose::kTree, tree, hash);
    grower.GrowTree(&draws);
  }
  return forest;
}

class Forest::PaddedRow {
 public:
  PaddedRow(const int32_t* row, uint32_t features) {
    std::copy_n(row, features, values_.begin());
    values_[Node::kLeaf] = std::numeric_limits<int32_t>::max();
  }
  const int32_t* data() const { return values_.data(); }

 private:
  std::array<int32_t, Node::kLeaf + 1> values_;  // What lies between is never read.
};

Forest::Lanes Forest::RootsFrom(size_t first) const {
  Lanes roots;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    roots[lane] = &nodes_[tree_begin_[std::min(first + lane, tree_begin_.size() - 1)]];
  }
  return roots;
}

int64_t Forest::StrangenessQ16(const int32_t* row) const {
  const PaddedRow padded(row, feature_count_);
  int64_t paths = 0;
  for (size_t first = 0; first < tree_begin_.size(); first += kLanes) {
    Lanes at = RootsFrom(first);
    for (uint32_t depth = 0; depth < depth_max_; ++depth) {
      for (const Node*& node : at) node = Step(node, padded.data());
    }
    const size_t trees = std::min(kLanes, tree_begin_.size() - first);
    for (size_t lane = 0; lane < trees; ++lane) paths += at[lane]->value;
  }
  return int64_t{tree_count()} * MeanPathQ16(sample_rows_) - paths;
}

void Forest::AddCredit(const int32_t* row, std::span<int64_t> credit_q8) const {
  const PaddedRow padded(row, feature_count_);
  const std::array<int16_t, kSampleRowsMax + 1>& log_q8 = RowLogsQ8();
  std::array<int64_t, Node::kLeaf + 1> credit{};  // A leaf gains nothing.
  for (size_t first = 0; first < tree_begin_.size(); first += kLanes) {
    Lanes at = RootsFrom(first);
    const size_t trees = std::min(kLanes, tree_begin_.size() - first);
    for (uint32_t depth = 0; depth < depth_max_; ++depth) {
      for (size_t lane = 0; lane < trees; ++lane) {
        const Node* const next = Step(at[lane], padded.data());
        const int32_t bits_q8 = log_q8[at[lane]->rows()] - log_q8[next->rows()] - 256;
        credit[at[lane]->feature()] += std::max(bits_q8, 0);
        at[lane] = next;
      }
    }
  }
  for (uint32_t f = 0; f < feature_count_; ++f) credit_q8[f] += credit[f];
}

void Forest::Write(LittleEndianWriter* writer) const {
  writer->U16(static_cast<uint16_t>(tree_count())).U16(static_cast<uint16_t>(sample_rows_));
  writer->U8(static_cast<uint8_t>(feature_count_));
  for (const Node& node : nodes_) {
    writer->U8(static_cast<uint8_t>(node.feature()));
    if (node.feature() == Node::kLeaf) {
      writer->U16(static_cast<uint16_t>(node.rows()));
    } else {
      writer->I32(node.value);
    }
  }
}

std::optional<Forest::Subtree> Forest::ReadSubtree(LittleEndianReader* reader, uint32_t depth) {
  const uint32_t feature = reader->U8();
  if (feature == Node::kLeaf) {
    const uint32_t rows = reader->U16();
    if (!reader->ok() || rows < 1 || rows > sample_rows_) return std::nullopt;
    PushLeaf(rows, depth);
    return Subtree{1, rows};
  }
  const int32_t threshold = reader->I32();
  if (!reader->ok() || feature >= feature_count_ || depth >= depth_max_) return std::nullopt;
  const size_t index = nodes_.size();
  nodes_.push_back({threshold, 0});
  const std::optional<Subtree> left = ReadSubtree(reader, depth + 1);
  if (!left) return std::nullopt;
  const std::optional<Subtree> right = ReadSubtree(reader, depth + 1);
  if (!right) return std::nullopt;
  const Subtree whole{left->leaves + right->leaves, left->rows + right->rows};
  if (whole.rows > sample_rows_) return std::nullopt;
  nodes_[index].packed = feature << 24 | (whole.rows - 1) << 12 | left->leaves;
  return whole;
}

std::optional<Forest> Forest::Read(LittleEndianReader* reader) {
  const uint32_t trees = reader->U16();
  const uint32_t sample_rows = reader->U16();
  const uint32_t features = reader->U8();
  if (!reader->ok() || trees < 1 || trees > kTreesMax || sample_rows < 1 ||
      sample_rows > kSampleRowsMax || features < 1 || features > kForestFeaturesMax) {
    return std::nullopt;
  }
  Forest forest(sample_rows, features);
  for (uint32_t tree = 0; tree < trees; ++tree) {
    forest.tree_begin_.push_back(static_cast<uint32_t>(forest.nodes_.size()));
    const std::optional<Subtree> root = forest.ReadSubtree(reader, 0);
    if (!root || root->rows != sample_rows) return std::nullopt;
  }
  return forest;
}

}  // namespace vigil::detector
