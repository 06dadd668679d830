#include "detector/forest/forest.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "detector/forest/draws.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Hex;
using testing::Sha256;

// Straight from the paper: sets of rows, pointers, and the path length by its formula. Only the
// order of the draws is taken from the header.
struct SlowNode {
  int feature = -1;
  int64_t threshold = 0;
  size_t rows = 0;
  std::unique_ptr<SlowNode> left, right;
};

std::unique_ptr<SlowNode> SlowTree(const FeatureMatrix& data, const std::vector<uint32_t>& rows,
                                   int depth, int depth_max, CounterDraws* draws) {
  auto node = std::make_unique<SlowNode>();
  node->rows = rows.size();
  if (rows.size() <= 1 || depth >= depth_max) return node;
  std::vector<int> varying;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (int f = 0; f < data.cols(); ++f) {
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (const uint32_t row : rows) {
      low = std::min<int64_t>(low, data(row, f));
      high = std::max<int64_t>(high, data(row, f));
    }
    if (low == high) continue;
    varying.push_back(f);
    ranges.emplace_back(low, high);
  }
  if (varying.empty()) return node;
  const uint32_t pick = draws->Below(static_cast<uint32_t>(varying.size()));
  const auto [low, high] = ranges[pick];
  node->feature = varying[pick];
  node->threshold = low + draws->Below(static_cast<uint32_t>(high - low));
  std::vector<uint32_t> left, right;
  for (const uint32_t row : rows) {
    (data(row, node->feature) <= node->threshold ? left : right).push_back(row);
  }
  node->left = SlowTree(data, left, depth + 1, depth_max, draws);
  node->right = SlowTree(data, right, depth + 1, depth_max, draws);
  return node;
}

double SlowMeanPath(size_t n) {
  double harmonic = 0;
  for (size_t i = 1; i < n; ++i) harmonic += 1.0 / static_cast<double>(i);
  return n <= 1 ? 0 : 2 * harmonic - 2.0 * static_cast<double>(n - 1) / static_cast<double>(n);
}

struct SlowForest {
  std::vector<std::unique_ptr<SlowNode>> trees;
  size_t sample = 0;

  SlowForest(const FeatureMatrix& data, const Digest& seed, uint32_t count, uint32_t sample_rows) {
    sample = std::min<size_t>(sample_rows, data.rows());
    const int depth_max = static_cast<int>(std::ceil(std::log2(static_cast<double>(sample))));
    for (uint32_t tree = 0; tree < count; ++tree) {
      CounterDraws draws(seed, DrawPurpose::kTree, tree, Sha256);
      const std::vector<uint32_t> rows =
          draws.Sample(static_cast<uint32_t>(sample), static_cast<uint32_t>(data.rows()));
      trees.push_back(SlowTree(data, rows, 0, depth_max, &draws));
    }
  }
  double Strangeness(const int32_t* row) const {
    double total = 0;
    for (const auto& tree : trees) {
      const SlowNode* node = tree.get();
      double depth = 0;
      for (; node->feature >= 0; ++depth) {
        node = (row[node->feature] <= node->threshold ? node->left : node->right).get();
      }
      total += SlowMeanPath(sample) - depth - SlowMeanPath(node->rows);
    }
    return total;
  }
};

FeatureMatrix RandomRows(SplitMix64* random, int rows, int features) {
  FeatureMatrix data(rows, features);
  for (int f = 0; f < features; ++f) {
    const uint64_t kind = random->Below(4);  // Constant, few values, many values, whole range.
    for (int i = 0; i < rows; ++i) {
      const uint64_t drawn = random->Next();
      data(i, f) = kind == 0   ? 17
                   : kind == 1 ? static_cast<int32_t>(drawn % 3)
                   : kind == 2 ? static_cast<int32_t>(drawn % 5000)
                               : static_cast<int32_t>(static_cast<uint32_t>(drawn));
    }
  }
  return data;
}

std::vector<uint8_t> BytesOf(const Forest& forest) {
  LittleEndianWriter writer;
  forest.Write(&writer);
  return writer.Take();
}

TEST_CASE("path length: agrees with the formula of the paper", "[detector]") {
  for (uint32_t n = 1; n <= kSampleRowsMax; ++n) {
    if (std::abs(MeanPathQ16(n) / 65536.0 - SlowMeanPath(n)) > 3e-5) FAIL("c(" << n << ")");
  }
  CHECK(MeanPathQ16(1) == 0);
  CHECK(MeanPathQ16(2) == 1 << 16);
  CHECK(std::abs(MeanPathQ16(256) / 65536.0 - 10.2448) < 0.01);  // As the paper's c(256).
}

TEST_CASE("forest: agrees with the textbook forest on the same draws", "[detector]") {
  const uint64_t seed = testing::TestSeed(21);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 25; ++round) {
    const int rows = static_cast<int>(1 + random.Below(300));
    const FeatureMatrix data = RandomRows(&random, rows, static_cast<int>(1 + random.Below(8)));
    const auto sample = static_cast<uint32_t>(1 + random.Below(130));
    const Digest draw_seed = Sha256(std::to_string(round));
    const Forest forest = Forest::Grow(data, draw_seed, 12, sample, Sha256);
    const SlowForest slow(data, draw_seed, 12, sample);
    const FeatureMatrix probes = RandomRows(&random, 40, static_cast<int>(data.cols()));
    for (int i = 0; i < 40; ++i) {
      const int32_t* row = i % 2 == 0 ? probes.row(i).data() : data.row(i % rows).data();
      const double want = slow.Strangeness(row);
      CHECK(std::abs(static_cast<double>(forest.StrangenessQ16(row)) / 65536 - want) < 1e-3);
    }
  }
}

TEST_CASE("forest: the order of the rows does not matter when all are sampled", "[detector]") {
  SplitMix64 random(22);
  const FeatureMatrix data = RandomRows(&random, 100, 5);
  FeatureMatrix reversed = data.colwise().reverse();
  CHECK(BytesOf(Forest::Grow(data, Sha256("x"), 20, 100, Sha256)) ==
        BytesOf(Forest::Grow(reversed, Sha256("x"), 20, 4096, Sha256)));
}

TEST_CASE("forest: equal rows make one leaf and nothing strange", "[detector]") {
  const FeatureMatrix data = FeatureMatrix::Constant(64, 3, -5);
  const Forest forest = Forest::Grow(data, Sha256("x"), 10, 32, Sha256);
  CHECK(forest.node_count() == 10);
  CHECK(forest.StrangenessQ16(data.row(0).data()) == 0);
  const int32_t other[3] = {INT32_MAX, INT32_MIN, 0};
  CHECK(forest.StrangenessQ16(other) == 0);
}

TEST_CASE("forest: the extremes of the range are split", "[detector]") {
  FeatureMatrix data(2, 1);
  data << INT32_MIN, INT32_MAX;
  const Forest forest = Forest::Grow(data, Sha256("x"), 10, 2, Sha256);
  CHECK(forest.node_count() == 30);
  CHECK(forest.StrangenessQ16(data.row(0).data()) == 0);  // Depth 1 is what c(2) expects.
}

TEST_CASE("forest: an outlier is stranger than the crowd and its feature has the credit",
          "[detector]") {
  SplitMix64 random(23);
  FeatureMatrix data(600, 4);
  for (int i = 0; i < 600; ++i) {
    for (int f = 0; f < 4; ++f) data(i, f) = static_cast<int32_t>(1000 + random.Below(200));
  }
  const Forest forest = Forest::Grow(data, Sha256("x"), 100, 256, Sha256);
  int32_t outlier[4] = {1100, 1100, 1240, 1100};
  int32_t middle[4] = {1100, 1100, 1100, 1100};
  CHECK(forest.StrangenessQ16(outlier) > forest.StrangenessQ16(middle) + (50 << 16));
  std::vector<int64_t> credit(4, 0);
  forest.AddCredit(outlier, credit);
  CHECK(std::max_element(credit.begin(), credit.end()) - credit.begin() == 2);
  CHECK(credit[2] > 2 * credit[0]);
}

TEST_CASE("forest: another seed gives another forest", "[detector]") {
  SplitMix64 random(24);
  const FeatureMatrix data = RandomRows(&random, 100, 5);
  CHECK(BytesOf(Forest::Grow(data, Sha256("x"), 10, 64, Sha256)) !=
        BytesOf(Forest::Grow(data, Sha256("y"), 10, 64, Sha256)));
}

TEST_CASE("forest: one digest on every compiler and level of optimisation", "[detector]") {
  SplitMix64 random(25);
  const FeatureMatrix data = RandomRows(&random, 1000, 9);
  const std::vector<uint8_t> bytes = BytesOf(Forest::Grow(data, Sha256("x"), 100, 256, Sha256));
  CHECK(Hex(Sha256(bytes)) == "498237288816960b509bb69cac1764860f8b3d14ffe7b89b0000ed117f10ae07");
}

TEST_CASE("forest: written and read again it is the same", "[detector]") {
  SplitMix64 random(26);
  const FeatureMatrix data = RandomRows(&random, 300, 6);
  const Forest forest = Forest::Grow(data, Sha256("x"), 15, 100, Sha256);
  const std::vector<uint8_t> bytes = BytesOf(forest);
  LittleEndianReader reader(bytes);
  const std::optional<Forest> read = Forest::Read(&reader);
  REQUIRE(read.has_value());
  CHECK(reader.AtEnd());
  CHECK(BytesOf(*read) == bytes);
  for (int i = 0; i < 300; ++i) {
    CHECK(read->StrangenessQ16(data.row(i).data()) == forest.StrangenessQ16(data.row(i).data()));
    std::vector<int64_t> a(6, 0), b(6, 0);
    forest.AddCredit(data.row(i).data(), a);
    read->AddCredit(data.row(i).data(), b);
    CHECK(a == b);
  }
}

TEST_CASE("forest: damaged bytes are refused or mean the same bytes again", "[detector]") {
  const uint64_t seed = testing::TestSeed(27);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  const FeatureMatrix data = RandomRows(&random, 100, 4);
  const std::vector<uint8_t> bytes = BytesOf(Forest::Grow(data, Sha256("x"), 10, 40, Sha256));
  for (size_t size = 0; size < bytes.size(); ++size) {
    LittleEndianReader reader(std::span<const uint8_t>(bytes).first(size));
    if (Forest::Read(&reader)) FAIL("accepted " << size << " of " << bytes.size());
  }
  for (int round = 0; round < 5000; ++round) {
    std::vector<uint8_t> hostile = bytes;
    for (uint64_t i = 0, flips = 1 + random.Below(3); i < flips; ++i) {
      hostile[random.Below(hostile.size())] ^= static_cast<uint8_t>(1 << random.Below(8));
    }
    LittleEndianReader reader(hostile);
    const std::optional<Forest> forest = Forest::Read(&reader);
    if (!forest) continue;
    const std::vector<int32_t> row(forest->feature_count(), 3);
    forest->StrangenessQ16(row.data());
    if (reader.AtEnd() && BytesOf(*forest) != hostile) FAIL("two encodings of one");
  }
}

TEST_CASE("forest: trees that are too deep or hold too many rows are refused", "[detector]") {
  const auto read = [](const LittleEndianWriter& writer) {
    LittleEndianReader reader(writer.bytes());
    return Forest::Read(&reader).has_value();
  };
  const auto head = [](LittleEndianWriter* writer, uint16_t sample) -> LittleEndianWriter& {
    return writer->U16(1).U16(sample).U8(2);
  };
  LittleEndianWriter good, deep, heavy, light, feature, none;
  head(&good, 2).U8(1).I32(5).U8(255).U16(1).U8(255).U16(1);
  CHECK(read(good));
  head(&deep, 2).U8(1).I32(5).U8(0).I32(5).U8(255).U16(1).U8(255).U16(1).U8(255).U16(1);
  CHECK_FALSE(read(deep));
  head(&heavy, 2).U8(1).I32(5).U8(255).U16(2).U8(255).U16(1);
  CHECK_FALSE(read(heavy));
  head(&light, 3).U8(1).I32(5).U8(255).U16(1).U8(255).U16(1);
  CHECK_FALSE(read(light));
  head(&feature, 2).U8(2).I32(5).U8(255).U16(1).U8(255).U16(1);
  CHECK_FALSE(read(feature));
  head(&none, 2).U8(255).U16(0);
  CHECK_FALSE(read(none));
  LittleEndianWriter endless;
  endless.U16(1).U16(4096).U8(1);
  for (int i = 0; i < 100'000; ++i) endless.U8(0).I32(1);
  CHECK_FALSE(read(endless));
}

}  // namespace
}  // namespace vigil::detector
