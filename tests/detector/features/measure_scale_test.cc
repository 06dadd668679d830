#include "detector/features/measure_scale.h"

#include <algorithm>
#include <cmath>

#include "detector/features/encoder.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

TEST_CASE("measure scale: the view is a symmetric logarithm of interquartile ranges",
          "[detector]") {
  std::vector<int64_t> raws;
  for (int64_t i = 0; i <= 400; ++i) raws.push_back(i * 10 - 1000);  // Median 1000, range 2000.
  const MeasureScale scale(raws);
  const int32_t centre = scale.View(1000);
  for (const int64_t away : {1, 50, 2000, 123'456, 1 << 30}) {
    const double bits = std::log2(1 + static_cast<double>(away) / 2000);
    CHECK(std::abs(scale.View(1000 + away) - centre - 256 * bits) <= 3);
    CHECK(scale.View(1000 + away) - centre == centre - scale.View(1000 - away));
  }
}

TEST_CASE("measure scale: never falls and extremes stay within the view", "[detector]") {
  const uint64_t seed = testing::TestSeed(6);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<int64_t> raws;
    for (int i = 0; i < 30; ++i) {
      raws.push_back(static_cast<int64_t>(random.Next()) >> random.Below(63));
    }
    const MeasureScale scale(raws);
    std::sort(raws.begin(), raws.end());
    int32_t before = 0;
    for (const int64_t raw : raws) {
      const int32_t view = raw == kMissing ? 0 : scale.View(raw);
      CHECK(view >= before);
      before = view;
    }
    CHECK(scale.View(INT64_MAX) <= kViewMax);
    CHECK(scale.View(INT64_MIN + 1) >= 0);
    CHECK(scale.View(kMissing) == kMissingView);
  }
}

TEST_CASE("measure scale: falls back where most numbers are one", "[detector]") {
  std::vector<int64_t> raws(1000, 5);
  CHECK(MeasureScale(raws).View(6) > MeasureScale(raws).View(5));
  for (int i = 0; i < 200; ++i) raws[static_cast<size_t>(i)] = 1005;
  // The range without the outer sixteenths, 1000, is the unit: one unit is one bit.
  const MeasureScale scale(raws);
  CHECK(std::abs(scale.View(1005) - scale.View(5) - 256.0) <= 2);
  CHECK(MeasureScale(std::vector<int64_t>(9, kMissing)).View(0) ==
        MeasureScale(std::vector<int64_t>{}).View(0));
}

TEST_CASE("measure scale: a column of measures survives the encoder's file", "[detector]") {
  const Schema schema(0, {{"m", FeatureKind::kMeasure}, {"c", FeatureKind::kCounter}}, {});
  RawTable table(300, 2);
  std::vector<uint32_t> all;
  for (int i = 0; i < 300; ++i) {
    table(i, 0) = i % 50 == 0 ? kMissing : i * i - 30'000;
    table(i, 1) = i;
    all.push_back(static_cast<uint32_t>(i));
  }
  const Encoder encoder = Encoder::Fit(schema, table, all);
  LittleEndianWriter writer;
  encoder.Write(&writer);
  LittleEndianReader reader(writer.bytes());
  const std::optional<Encoder> read = Encoder::Read(&reader, schema);
  REQUIRE(read.has_value());
  CHECK(reader.AtEnd());
  int32_t least = kEncodedMax, missing = 0;
  for (int i = 0; i < 300; ++i) {
    int32_t split[2], bits[2], split_again[2], bits_again[2];
    encoder.Encode({table.row(i).data(), 2}, split, bits);
    read->Encode({table.row(i).data(), 2}, split_again, bits_again);
    CHECK(std::equal(split, split + 2, split_again));
    CHECK(std::equal(bits, bits + 2, bits_again));
    if (i % 50 == 0) missing = split[0];
    if (i % 50 != 0) least = std::min(least, split[0]);
  }
  CHECK(missing == least - 512);  // Two bits below the least present one.
}

TEST_CASE("measure scale: numbers out of range are refused", "[detector]") {
  const auto read = [](int64_t centre, uint64_t unit) {
    LittleEndianWriter writer;
    writer.I64(centre).U64(unit);
    LittleEndianReader reader(writer.bytes());
    return MeasureScale::Read(&reader).has_value();
  };
  CHECK(read(0, 1));
  CHECK(read(-(int64_t{1} << 61), uint64_t{1} << 62));
  CHECK_FALSE(read(0, 0));
  CHECK_FALSE(read((int64_t{1} << 61) + 1, 1));
  CHECK_FALSE(read(0, (uint64_t{1} << 62) + 1));
}

}  // namespace
}  // namespace vigil::detector
