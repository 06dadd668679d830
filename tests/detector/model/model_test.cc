#include "detector/model/model.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "detector/features/event_schema.h"
#include "detector/forest/draws.h"
#include "detector/model/window_guard.h"
#include "ledger/base/random.h"
#include "tests/detector/support/labelled_data.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Hex;
using testing::Sha256;
using testing::SmallRows;
using testing::SmallSchema;

Model TrainSmall(const Parameters& parameters = {}, const char* seed = "seed",
                 const RawTable& rows = SmallRows(1, 3000)) {
  std::optional<Model> model = Model::Train(SmallSchema(), rows, Sha256(seed), parameters, Sha256);
  REQUIRE(model.has_value());
  return std::move(*model);
}

constexpr std::array<int64_t, 6> kOrdinary = {60'000, 80, 500, 443, 1, 7};

TEST_CASE("model: one digest on every compiler and level of optimisation", "[detector]") {
  CHECK(Hex(TrainSmall().digest()) ==
        "de9baf2924d245cf426fe8ca397bc52b5f54bba130e757c5483969b23960c19f");
}

TEST_CASE("model: one digest for events too", "[detector]") {
  SplitMix64 random(4);
  RawTable rows(700, static_cast<int>(EventSchema(EventType::kFlow).field_count()));
  for (int i = 0; i < 700; ++i) {
    testing::OwnedEvent event;
    testing::FillEvent(&random, 0, &event);
    RowBuffer buffer;
    const auto row = ReadRow(event.view, EventType::kFlow, Sha256, &buffer);
    std::copy(row.begin(), row.end(), rows.row(i).data());
  }
  const auto model =
      Model::Train(EventSchema(EventType::kFlow), rows, Sha256("seed"), Parameters{}, Sha256);
  REQUIRE(model.has_value());
  CHECK(Hex(model->digest()) == "812b3f3fbd23df760fb672f602c337eae5935f63fb07a2fa42bfaad2882be25a");
}

TEST_CASE("model: the digest is that of the file", "[detector]") {
  const Model model = TrainSmall();
  std::vector<uint8_t> message;
  for (const char c : std::string("vigil/detector/model/v1")) message.push_back(c);
  message.push_back(0);
  const std::vector<uint8_t> bytes = model.Serialize();
  message.insert(message.end(), bytes.begin(), bytes.end());
  CHECK(model.digest() == Sha256(message));
}

TEST_CASE("model: window and seed and parameters all decide the digest", "[detector]") {
  std::set<Digest> digests;
  digests.insert(TrainSmall().digest());
  digests.insert(TrainSmall({}, "other").digest());
  Parameters parameters;
  parameters.trees = 99;
  digests.insert(TrainSmall(parameters).digest());
  parameters = {};
  parameters.threshold_floor_q8 = 9999;
  digests.insert(TrainSmall(parameters).digest());
  RawTable rows = SmallRows(1, 3000);
  rows(1234, 0) += 1'000'000;
  digests.insert(TrainSmall({}, "seed", rows).digest());
  CHECK(digests.size() == 5);
  CHECK(TrainSmall().digest() == *digests.find(TrainSmall().digest()));
}

TEST_CASE("model: an outlier scores high and its feature is the reason", "[detector]") {
  const Model model = TrainSmall();
  CHECK(model.ScoreRow(kOrdinary).score_q8 < 4 * 256);
  std::array<int64_t, 6> strange = kOrdinary;
  strange[0] = 900'000'000;
  const Score score = model.ExplainRow(strange);
  CHECK(score.score_q8 >= model.threshold_q8());
  REQUIRE(!score.reasons.empty());
  CHECK(score.reasons[0].feature == 0);
}

TEST_CASE("model: a change of a constant column is seen by the surprisal", "[detector]") {
  const Model model = TrainSmall();
  std::array<int64_t, 6> strange = kOrdinary;
  strange[5] = 500'000;
  const Score score = model.ExplainRow(strange);
  CHECK(score.score_q8 >= model.threshold_q8());
  CHECK(score.component == Component::kSurprisal);
  REQUIRE(!score.reasons.empty());
  CHECK(score.reasons[0].feature == 5);
}

TEST_CASE("model: stronger anomalies rank higher without end", "[detector]") {
  const Model model = TrainSmall();
  uint32_t before = 0;
  for (int64_t bytes = 1 << 18; bytes < int64_t{1} << 50; bytes *= 4) {
    std::array<int64_t, 6> strange = kOrdinary;
    strange[0] = bytes;
    strange[5] = bytes;
    const uint32_t score = model.ScoreRow(strange).score_q8;
    CHECK(score > before);
    before = score;
  }
}

TEST_CASE("model: reasons are the largest shares and never exceed the score", "[detector]") {
  const Model model = TrainSmall();
  const RawTable rows = SmallRows(99, 500);
  for (int i = 0; i < 500; ++i) {
    const RawRow row(rows.row(i).data(), 6);
    const Score score = model.ExplainRow(row);
    CHECK(score.reasons.size() <= kReasonsMax);
    uint64_t sum = 0;
    for (size_t r = 0; r < score.reasons.size(); ++r) {
      sum += score.reasons[r].bits_q8;
      if (r > 0) CHECK(score.reasons[r].bits_q8 <= score.reasons[r - 1].bits_q8);
      CHECK(score.reasons[r].bits_q8 > 0);
    }
    CHECK(sum <= score.score_q8);
    const Score plain = model.ScoreRow(row);
    CHECK(plain.score_q8 == score.score_q8);
    CHECK(plain.component == score.component);
  }
}

TEST_CASE("model: about the promised share of fresh ordinary rows reaches the threshold",
          "[detector]") {
  Parameters parameters;
  parameters.threshold_floor_q8 = 0;
  parameters.threshold_quantile_ppm = 990'000;
  const Model model = TrainSmall(parameters, "seed", SmallRows(1, 8000));
  const RawTable fresh = SmallRows(2, 20'000);
  int alerts = 0;
  for (int i = 0; i < 20'000; ++i) {
    alerts += model.ScoreRow({fresh.row(i).data(), 6}).score_q8 >= model.threshold_q8();
  }
  CHECK(alerts > 60);  // 1 % of them is 200; 1,600 held-out rows leave much room.
  CHECK(alerts < 500);
}

TEST_CASE("model: the threshold is never below the floor", "[detector]") {
  Parameters parameters;
  parameters.threshold_floor_q8 = 20 * 256;
  CHECK(TrainSmall(parameters).threshold_q8() == 20 * 256);
}

TEST_CASE("model: too few different rows make no model", "[detector]") {
  const Schema schema = SmallSchema();
  Parameters parameters;
  parameters.identical_rows_max = 3;
  const RawTable same = SmallRows(1, 1).replicate(1000, 1);
  CHECK_FALSE(Model::Train(schema, same, Digest{}, parameters, Sha256).has_value());
  CHECK_FALSE(Model::Train(schema, RawTable(0, 6), Digest{}, parameters, Sha256).has_value());
  parameters.identical_rows_max = 10;
  const auto model = Model::Train(schema, same, Digest{}, parameters, Sha256);
  REQUIRE(model.has_value());
  CHECK(model->row_count() == 10);
  CHECK(model->ScoreRow({same.row(0).data(), 6}).score_q8 < 256);
}

TEST_CASE("model: rows of nothing but missing fields and extremes are scored", "[detector]") {
  RawTable rows = SmallRows(1, 600);
  for (int i = 0; i < 600; i += 10) rows.row(i).setConstant(i % 20 == 0 ? kMissing : INT64_MAX);
  const Model model = TrainSmall({}, "seed", rows);
  for (const int64_t value : {kMissing, INT64_MAX, int64_t{-1}, int64_t{0}}) {
    std::array<int64_t, 6> row;
    row.fill(value);
    CHECK(model.ExplainRow(row).score_q8 <= kScoreMaxQ8);
  }
}

TEST_CASE("window guard: keeps the first of equal rows", "[detector]") {
  const uint64_t seed = testing::TestSeed(31);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 50; ++round) {
    FeatureMatrix rows(static_cast<int>(1 + random.Below(200)), 3);
    for (int i = 0; i < rows.rows(); ++i) {
      for (int f = 0; f < 3; ++f) rows(i, f) = static_cast<int32_t>(random.Below(3));
    }
    const auto limit = static_cast<uint32_t>(1 + random.Below(9));
    std::map<std::vector<int32_t>, uint32_t> seen;
    std::vector<uint32_t> want;
    for (int i = 0; i < rows.rows(); ++i) {
      if (++seen[{rows(i, 0), rows(i, 1), rows(i, 2)}] <= limit) want.push_back(i);
    }
    CHECK(CapIdenticalRows(rows, limit) == want);
  }
}

TEST_CASE("model: a flood of equal events does not become normal", "[detector]") {
  // 60 % of the window is one attack row; the attack must still be stranger than ordinary rows.
  RawTable rows(5000, 6);
  rows << SmallRows(1, 2000), SmallRows(5, 1).replicate(3000, 1);
  constexpr std::array<int64_t, 6> kAttack = {900'000, 1, 3, 31'337, 9, 7};
  for (int i = 2000; i < 5000; ++i) std::copy(kAttack.begin(), kAttack.end(), rows.row(i).data());
  const RawTable fresh = SmallRows(77, 1000);
  const auto stranger_than = [&](uint32_t cap) {
    Parameters parameters;
    parameters.identical_rows_max = cap;
    const Model model = TrainSmall(parameters, "seed", rows);
    const uint32_t attack = model.ScoreRow(kAttack).score_q8;
    int below = 0;
    for (int i = 0; i < 1000; ++i)
      below += model.ScoreRow({fresh.row(i).data(), 6}).score_q8 < attack;
    return below;
  };
  CHECK(stranger_than(16) >= 980);
  CHECK(stranger_than(1024) < 900);  // What the guard is for.
}

TEST_CASE("model: held-out rows do not shape the trees or the counts", "[detector]") {
  // Changing what is held out changes thresholds and calibrations, but not the encoder or forest.
  RawTable rows = SmallRows(1, 1000);
  const Model before = TrainSmall({}, "seed", rows);
  CounterDraws draws(Sha256("seed"), DrawPurpose::kHeldOut, 0, Sha256);
  REQUIRE(before.row_count() == 1000);
  for (const uint32_t held_out : draws.Sample(200, 1000)) rows(held_out, 0) += 12'345'678;
  const Model after = TrainSmall({}, "seed", rows);
  REQUIRE(after.row_count() == 1000);
  const auto bytes_of = [](const auto& part) {
    LittleEndianWriter writer;
    part.Write(&writer);
    return writer.Take();
  };
  CHECK(bytes_of(before.encoder()) == bytes_of(after.encoder()));
  CHECK(bytes_of(before.forest()) == bytes_of(after.forest()));
  CHECK(before.digest() != after.digest());
}

TEST_CASE("event score: is that of its row", "[detector]") {
  SplitMix64 random(4);
  const Schema& schema = EventSchema(EventType::kApplication);
  RawTable rows(800, static_cast<int>(schema.field_count()));
  testing::OwnedEvent event;
  RowBuffer buffer;
  for (int i = 0; i < 800; ++i) {
    testing::FillEvent(&random, 1, &event);
    const auto row = ReadRow(event.view, EventType::kApplication, Sha256, &buffer);
    std::copy(row.begin(), row.end(), rows.row(i).data());
  }
  const auto model = Model::Train(schema, rows, Sha256("s"), Parameters{}, Sha256);
  REQUIRE(model.has_value());
  const Score ordinary = ScoreEvent(*model, event.view, Sha256);
  CHECK(ordinary == model->ExplainRow({rows.row(799).data(), schema.field_count()}));
  event.view.url_or_query =
      "http://x9f3k2q8z7.kq3j9x2m1.top/a/b/c/d/e/f?q=%41%42%43%44%45%46%47%48%49%4a%4b%4c";
  const Score strange = ScoreEvent(*model, event.view, Sha256);
  CHECK(strange.score_q8 > ordinary.score_q8);
  CHECK(strange.score_q8 >= model->threshold_q8());
}

}  // namespace
}  // namespace vigil::detector
