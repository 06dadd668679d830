#include <algorithm>
#include <cmath>
#include <map>

#include "detector/features/category_column.h"
#include "detector/features/encoder.h"
#include "detector/features/integer_log.h"
#include "detector/features/numeric_column.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::SmallRows;
using testing::SmallSchema;

template <typename Column>
std::vector<uint8_t> BytesOf(const Column& column) {
  LittleEndianWriter writer;
  column.Write(&writer);
  return writer.Take();
}

// The definition, by counting, in floating point.
double SlowSurprisal(const std::vector<int32_t>& views, int32_t view) {
  std::vector<int32_t> sorted;
  for (const int32_t other : views) {
    if (other != kMissingView) sorted.push_back(other);
  }
  std::sort(sorted.begin(), sorted.end());
  const auto present = static_cast<double>(sorted.size());
  const double missing = static_cast<double>(views.size()) - present;
  const double whole = std::log2(present + missing + 2);
  if (view == kMissingView) return 256 * (whole - std::log2(missing + 1));
  const auto low =
      std::count_if(sorted.begin(), sorted.end(), [&](int32_t v) { return v <= view; });
  const auto high =
      std::count_if(sorted.begin(), sorted.end(), [&](int32_t v) { return v >= view; });
  const double tail =
      std::log2(present + 2) - std::log2(static_cast<double>(std::min(low, high)) + 1) - 1;
  // The outermost sixteenth of the rows makes four bits.
  const size_t outer = sorted.size() / 16 + 1;
  const double distance = view > sorted.back() ? sorted.back() - sorted[sorted.size() - outer]
                                               : sorted[outer - 1] - sorted.front();
  const double slope = std::clamp(4 * 256 / std::max(distance, 1.0), 1.0, 4.0);
  const double beyond = std::max({view - sorted.back(), sorted.front() - view, 0}) * slope;
  return 256 * (whole - std::log2(present + 1) + std::max(tail, 0.0)) + beyond;
}

TEST_CASE("numeric column: surprisal agrees with counting", "[detector]") {
  const uint64_t seed = testing::TestSeed(3);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 60; ++round) {
    std::vector<int32_t> views;
    const uint64_t spread = 1 + random.Below(500);
    for (uint64_t i = 0, rows = 1 + random.Below(800); i < rows; ++i) {
      views.push_back(random.Chance(100) ? kMissingView
                                         : static_cast<int32_t>(2000 + random.Below(spread)));
    }
    views.push_back(2000);
    const NumericColumn column(views);
    for (int i = 0; i < 200; ++i) {
      const auto view = static_cast<int32_t>(1900 + random.Below(spread + 200));
      CHECK(std::abs(column.SurprisalQ8(view) - SlowSurprisal(views, view)) <= 3);
    }
    CHECK(std::abs(column.SurprisalQ8(kMissingView) - SlowSurprisal(views, kMissingView)) <= 2);
  }
}

TEST_CASE("numeric column: stays small and keeps both tails exact for many values", "[detector]") {
  std::vector<int32_t> views;
  for (int32_t i = 0; i < 16'000; ++i) views.push_back(i);
  const NumericColumn column(views);
  CHECK(BytesOf(column).size() <= 10 + 6 * NumericColumn::kKnotsMax);
  for (const int32_t view : {0, 1, 40, 15'960, 15'998, 15'999, 16'384}) {
    CHECK(std::abs(column.SurprisalQ8(view) - SlowSurprisal(views, view)) <= 3);
  }
  for (int32_t view = 8'001; view < 16'384; ++view) {
    if (column.SurprisalQ8(view) < column.SurprisalQ8(view - 1)) FAIL("falls at " << view);
    if (column.MidRank(view) < column.MidRank(view - 1)) FAIL("rank falls at " << view);
  }
  CHECK(column.MidRank(0) == 0);
  CHECK(std::abs(column.MidRank(8'000) - 127) <= 2);
  CHECK(column.MidRank(16'000) == 255);
}

TEST_CASE("numeric column: the view parts missing from zero and bounds any number", "[detector]") {
  CHECK(ViewOf(FeatureKind::kCounter, kMissing) == kMissingView);
  CHECK(ViewOf(FeatureKind::kCounter, -1) == kMissingView);
  CHECK(ViewOf(FeatureKind::kCounter, 0) == 0);
  CHECK(ViewOf(FeatureKind::kCounter, 1) == Log2Q8(9));
  CHECK(ViewOf(FeatureKind::kCounter, INT64_MAX) == 63 * 256);
  CHECK(ViewOf(FeatureKind::kLinear, 17) == 17);
  CHECK(ViewOf(FeatureKind::kLinear, INT64_MAX) == 16'384);
}

TEST_CASE("numeric column: nothing seen makes presence the surprise", "[detector]") {
  const NumericColumn column(std::vector<int32_t>(100, kMissingView));
  CHECK(column.SurprisalQ8(kMissingView) < 10);
  CHECK(column.SurprisalQ8(500) == Log2Q8(102));
}

TEST_CASE("category column: surprisal agrees with counting and unseen is largest", "[detector]") {
  const uint64_t seed = testing::TestSeed(4);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  std::vector<CategoryKey> keys;
  std::map<CategoryKey, double> counts;
  for (int i = 0; i < 5000; ++i) {
    keys.push_back({random.Below(1 + random.Below(60)), random.Below(3), 0});
    ++counts[keys.back()];
  }
  const CategoryColumn column(keys, 2);
  for (const auto& [key, count] : counts) {
    CHECK(std::abs(column.SurprisalQ8(key) - 256 * std::log2(5002 / (count + 1))) <= 2);
  }
  CHECK(std::abs(column.SurprisalQ8({999, 0, 0}) - 256 * std::log2(5002)) <= 2);
}

TEST_CASE("category column: a full dictionary keeps the most frequent values", "[detector]") {
  std::vector<CategoryKey> keys;
  for (uint64_t value = 0; value < 4000; ++value) {
    const int times = value % 2 == 0 ? 1 : 3;
    for (int i = 0; i < times; ++i) keys.push_back({value, 0, 0});
  }
  std::reverse(keys.begin(), keys.end());
  const CategoryColumn column(keys, 1);
  CHECK(BytesOf(column).size() == 10 + 12 * CategoryColumn::kEntriesMax);
  const int32_t frequent = column.SurprisalQ8({3999, 0, 0});
  const int32_t rare = column.SurprisalQ8({0, 0, 0});
  CHECK(frequent < rare);
  CHECK(column.SurprisalQ8({3998, 0, 0}) == rare);  // Left out, in the rest bucket.
  CHECK(column.SurprisalQ8({77'777, 0, 0}) == rare);
  std::sort(keys.begin(), keys.end());
  CHECK(BytesOf(CategoryColumn(keys, 1)) == BytesOf(column));
}

TEST_CASE("encoder: counts only the chosen rows and writes both views", "[detector]") {
  const Schema schema = SmallSchema();
  const RawTable table = SmallRows(5, 400);
  std::vector<uint32_t> chosen;
  for (uint32_t i = 0; i < 400; i += 2) chosen.push_back(i);
  const Encoder encoder = Encoder::Fit(schema, table, chosen);
  RawTable half(200, table.cols());
  std::vector<uint32_t> all;
  for (uint32_t i = 0; i < 200; ++i) {
    half.row(i) = table.row(2 * i);
    all.push_back(i);
  }
  const Encoder same = Encoder::Fit(schema, half, all);
  CHECK(BytesOf(encoder) == BytesOf(same));
  const FeatureMatrix split = encoder.SplitView(table, chosen);
  for (size_t i = 0; i < chosen.size(); ++i) {
    int32_t one[7], surprisal[7];
    encoder.Encode({table.row(chosen[i]).data(), 6}, one, surprisal);
    for (int f = 0; f < 7; ++f) CHECK(one[f] == split(static_cast<int>(i), f));
    CHECK(one[0] == ViewOf(FeatureKind::kCounter, table(chosen[i], 0)));
    CHECK(one[3] == surprisal[3]);
    CHECK(surprisal[5] < 8);  // The constant column surprises nobody.
  }
}

TEST_CASE("encoder: damaged bytes are refused or mean the same bytes again", "[detector]") {
  const uint64_t seed = testing::TestSeed(6);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  const Schema schema = SmallSchema();
  const RawTable table = SmallRows(7, 300);
  std::vector<uint32_t> all;
  for (uint32_t i = 0; i < 300; ++i) all.push_back(i);
  const std::vector<uint8_t> bytes = BytesOf(Encoder::Fit(schema, table, all));
  LittleEndianReader whole(bytes);
  REQUIRE(Encoder::Read(&whole, schema).has_value());
  CHECK(whole.AtEnd());
  for (size_t size = 0; size < bytes.size(); ++size) {
    LittleEndianReader reader(std::span<const uint8_t>(bytes).first(size));
    if (Encoder::Read(&reader, schema)) FAIL("accepted " << size << " of " << bytes.size());
  }
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<uint8_t> hostile = bytes;
    hostile[random.Below(hostile.size())] ^= static_cast<uint8_t>(1 << random.Below(8));
    LittleEndianReader reader(hostile);
    const std::optional<Encoder> encoder = Encoder::Read(&reader, schema);
    refused += !encoder;
    if (encoder && reader.AtEnd() && BytesOf(*encoder) != hostile) FAIL("two encodings of one");
  }
  CHECK(refused > 1000);
}

TEST_CASE("numeric column: a table that does not rise or does not add up is refused",
          "[detector]") {
  const auto read = [](uint32_t present, uint16_t second, uint32_t first_rows,
                       uint32_t second_rows) {
    LittleEndianWriter writer;
    writer.U32(present).U32(0).U16(2).U16(10).U32(first_rows).U16(second).U32(second_rows);
    LittleEndianReader reader(writer.bytes());
    return NumericColumn::Read(&reader).has_value();
  };
  CHECK(read(5, 11, 3, 5));
  CHECK_FALSE(read(5, 10, 3, 5));
  CHECK_FALSE(read(5, 11, 5, 5));
  CHECK_FALSE(read(5, 11, 0, 5));
  CHECK_FALSE(read(6, 11, 3, 5));
  CHECK_FALSE(read(5, kViewMax + 1, 3, 5));
  CHECK_FALSE(read(kRowsCountMax + 1, 11, 3, kRowsCountMax + 1));
}

TEST_CASE("category column: keys out of order or counts that do not add up are refused",
          "[detector]") {
  const auto read = [](uint32_t total, uint32_t rest, uint64_t second, uint32_t second_count) {
    LittleEndianWriter writer;
    writer.U32(total).U32(rest).U16(2).U64(10).U32(3).U64(second).U32(second_count);
    LittleEndianReader reader(writer.bytes());
    return CategoryColumn::Read(&reader, 1).has_value();
  };
  CHECK(read(5, 0, 11, 2));
  CHECK_FALSE(read(5, 0, 10, 2));  // Twice the same key.
  CHECK_FALSE(read(5, 0, 9, 2));
  CHECK_FALSE(read(3, 0, 11, 0));
  CHECK_FALSE(read(6, 0, 11, 2));
  CHECK_FALSE(read(7, 1, 11, 2));  // Something was left out of a dictionary that is not full.
}

TEST_CASE("reader: a length beyond the input neither allocates nor reads", "[detector]") {
  LittleEndianWriter writer;
  writer.U32(kRowsCountMax).U32(0).U16(512);  // 512 knots announced, none there.
  LittleEndianReader reader(writer.bytes());
  CHECK_FALSE(NumericColumn::Read(&reader).has_value());
  CHECK_FALSE(reader.ok());
  CHECK(reader.U64() == 0);
}

}  // namespace
}  // namespace vigil::detector
