#include "detector/forest/loda.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "detector/features/numeric_column.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Sha256;

FeatureMatrix Rows(uint64_t seed, int rows, int features) {
  SplitMix64 random(seed);
  FeatureMatrix matrix(rows, features);
  for (int i = 0; i < rows; ++i) {
    for (int f = 0; f < features; ++f) {
      matrix(i, f) = static_cast<int32_t>(1000 + random.Below(500) + random.Below(500));
    }
  }
  return matrix;
}

std::vector<uint8_t> BytesOf(const Loda& loda) {
  LittleEndianWriter writer;
  loda.Write(&writer);
  return writer.Take();
}

TEST_CASE("loda: an outlier is stranger than every row that was fitted", "[detector]") {
  const FeatureMatrix rows = Rows(1, 2000, 9);
  const Loda loda = Loda::Fit(rows, Sha256("seed"), 100, Sha256);
  int64_t strangest = 0;
  for (int i = 0; i < rows.rows(); ++i) {
    strangest = std::max(strangest, loda.SurprisalQ8(rows.row(i).data()));
  }
  FeatureMatrix far = rows.row(0);
  far.setConstant(4000);
  CHECK(loda.SurprisalQ8(far.data()) > strangest);
  // Every bin is empty: exactly lg(n + 64) per projection.
  far.setConstant(kEncodedMax);
  CHECK(std::abs(loda.SurprisalQ8(far.data()) / 100 - 256 * std::log2(2064.0)) < 2);
}

TEST_CASE("loda: the feature that is out of range gets the credit", "[detector]") {
  const FeatureMatrix rows = Rows(2, 2000, 12);
  const Loda loda = Loda::Fit(rows, Sha256("seed"), 100, Sha256);
  for (int f = 0; f < 12; ++f) {
    FeatureMatrix strange = rows.row(f);
    strange(0, f) = 9000;
    std::vector<int64_t> credit(12, 0);
    loda.AddCredit(strange.data(), credit);
    CHECK(std::max_element(credit.begin(), credit.end()) - credit.begin() == f);
  }
}

TEST_CASE("loda: weights are close to a standard normal distribution", "[detector]") {
  // Read from the file: 40 projections of 12 features out of 128.
  const Loda loda = Loda::Fit(Rows(3, 50, 128), Sha256("seed"), 200, Sha256);
  const std::vector<uint8_t> bytes = BytesOf(loda);
  LittleEndianReader reader(bytes);
  reader.U16();
  reader.U8();
  reader.U32();
  double sum = 0, squares = 0;
  int within = 0;
  constexpr int kWeights = 200 * 12;
  for (int p = 0; p < 200; ++p) {
    for (int term = 0; term < 12; ++term) {
      reader.U8();
      const double weight = (reader.U16() - 1530) / 256.0;
      sum += weight;
      squares += weight * weight;
      within += std::abs(weight) < 1;
    }
    reader.Raw(8 + 4 * Loda::kBins);
  }
  REQUIRE(reader.AtEnd());
  CHECK(std::abs(sum / kWeights) < 0.1);
  CHECK(std::abs(squares / kWeights - 1) < 0.12);
  CHECK(std::abs(within / static_cast<double>(kWeights) - 0.683) < 0.05);
}

TEST_CASE("loda: rows that are all equal and one feature are no exception", "[detector]") {
  FeatureMatrix rows(20, 1);
  rows.setConstant(700);
  const Loda loda = Loda::Fit(rows, Sha256("seed"), 10, Sha256);
  int32_t row = 700;
  const int64_t same = loda.SurprisalQ8(&row);
  row = 702;
  CHECK(loda.SurprisalQ8(&row) > same);
  std::vector<int64_t> credit(1, 0);
  loda.AddCredit(&row, credit);
  CHECK(credit[0] > 0);
}

TEST_CASE("loda: extremes neither overflow nor fall into a bin", "[detector]") {
  FeatureMatrix rows = Rows(4, 300, 128);
  rows.row(0).setConstant(kEncodedMax);
  rows.row(1).setConstant(kMissingView);
  const Loda loda = Loda::Fit(rows, Sha256("seed"), 256, Sha256);
  for (const int32_t value : {kEncodedMax, kMissingView, 0}) {
    FeatureMatrix row(1, 128);
    row.setConstant(value);
    CHECK(loda.SurprisalQ8(row.data()) >= 0);
  }
  // Fitted high, asked low: below every bin.
  FeatureMatrix high(50, 2);
  high.setConstant(kEncodedMax);
  const Loda narrow = Loda::Fit(high, Sha256("seed"), 50, Sha256);
  const int32_t low[2] = {kMissingView, kMissingView};
  CHECK(std::abs(narrow.SurprisalQ8(low) / 50 - 256 * std::log2(114.0)) < 2);
}

TEST_CASE("loda: damaged bytes are refused or mean the same bytes again", "[detector]") {
  const uint64_t seed = testing::TestSeed(5);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  const FeatureMatrix rows = Rows(5, 200, 5);
  const Loda loda = Loda::Fit(rows, Sha256("seed"), 3, Sha256);
  const std::vector<uint8_t> bytes = BytesOf(loda);
  LittleEndianReader whole(bytes);
  const std::optional<Loda> again = Loda::Read(&whole);
  REQUIRE(again.has_value());
  CHECK(whole.AtEnd());
  CHECK(BytesOf(*again) == bytes);
  for (int i = 0; i < 50; ++i) {
    CHECK(again->SurprisalQ8(rows.row(i).data()) == loda.SurprisalQ8(rows.row(i).data()));
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    LittleEndianReader reader(std::span<const uint8_t>(bytes).first(size));
    if (Loda::Read(&reader)) FAIL("accepted " << size << " of " << bytes.size());
  }
  for (int round = 0; round < 5000; ++round) {
    std::vector<uint8_t> hostile = bytes;
    hostile[random.Below(hostile.size())] ^= static_cast<uint8_t>(1 << random.Below(8));
    LittleEndianReader reader(hostile);
    const std::optional<Loda> read = Loda::Read(&reader);
    if (!read) continue;
    std::vector<int64_t> credit(read->feature_count(), 0);
    FeatureMatrix row(1, read->feature_count());
    row.setConstant(kEncodedMax);
    read->SurprisalQ8(row.data());
    read->AddCredit(row.data(), credit);
    if (reader.AtEnd() && BytesOf(*read) != hostile) FAIL("two encodings of one");
  }
}

TEST_CASE("loda: terms out of order and histograms that do not add up are refused", "[detector]") {
  const std::vector<uint8_t> bytes = BytesOf(Loda::Fit(Rows(6, 200, 5), Sha256("seed"), 1, Sha256));
  // u16 projections | u8 features | u32 rows | 3 terms of 3 bytes | i32 low | u32 width | counts.
  constexpr size_t kTerms = 7, kLow = kTerms + 9, kWidth = kLow + 4, kCounts = kWidth + 4;
  const auto reads = [&](auto change) {
    std::vector<uint8_t> changed = bytes;
    change(changed);
    LittleEndianReader reader(changed);
    return Loda::Read(&reader).has_value();
  };
  CHECK(reads([](auto&) {}));
  CHECK_FALSE(reads([](auto& b) { std::swap(b[kTerms], b[kTerms + 3]); }));
  CHECK_FALSE(reads([](auto& b) { b[kTerms + 3] = b[kTerms]; }));
  CHECK_FALSE(reads([](auto& b) { b[kTerms + 6] = 5; }));
  CHECK_FALSE(reads([](auto& b) { b[kTerms + 2] = 0xff; }));
  CHECK_FALSE(reads([](auto& b) { b[kLow + 3] = 0x7f; }));
  CHECK_FALSE(reads([](auto& b) { std::fill_n(b.begin() + kWidth, 4, uint8_t{0}); }));
  CHECK_FALSE(reads([](auto& b) { b[kWidth + 3] = 0x7f; }));
  CHECK_FALSE(reads([](auto& b) { ++b[kCounts]; }));
  CHECK_FALSE(reads([](auto& b) { b[kCounts + 3] ^= 0x80; }));
}

}  // namespace
}  // namespace vigil::detector
