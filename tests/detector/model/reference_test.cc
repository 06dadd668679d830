// The model against a second, slow implementation of the same definitions.
#include "tests/detector/support/reference_model.h"

#include "detector/model/model.h"
#include "detector/model/row_marks.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Sha256;

// Every kind of feature, with more values than are kept of a number and of a category.
Schema WideSchema() {
  return Schema(
      0,
      {{"bytes", FeatureKind::kCounter},
       {"score", FeatureKind::kMeasure},
       {"share", FeatureKind::kLinear},
       {"host", FeatureKind::kCategory},
       {"state", FeatureKind::kCategory},
       {"flag", FeatureKind::kCategory},
       {"constant", FeatureKind::kMeasure}},
      {{"host+state", {"host", "state"}}, {"host+state+flag", {"host", "state", "flag"}}});
}

RawTable WideRows(SplitMix64* random, int rows) {
  RawTable table(rows, 7);
  for (int i = 0; i < rows; ++i) {
    table(i, 0) = static_cast<int64_t>(random->Below(uint64_t{1} << random->Below(40)));
    table(i, 1) = static_cast<int64_t>(random->Below(4'000'000)) - 3'000'000;
    table(i, 2) = static_cast<int64_t>(random->Below(30));
    table(i, 3) = static_cast<int64_t>(random->Next() >> random->Below(60));
    table(i, 4) = static_cast<int64_t>(random->Below(3));
    table(i, 5) = static_cast<int64_t>(random->Below(2));
    table(i, 6) = -5;
    for (int f = 0; f < 7; ++f) {
      if (random->Chance(15)) table(i, f) = kMissing;
    }
    if (i > 0 && random->Chance(300)) table.row(i) = table.row(static_cast<int>(random->Below(i)));
  }
  return table;
}

// Compares scores and reasons of every probe; returns how often each component decided.
std::array<int, 4> Compare(const Schema& schema, const RawTable& window, const RawTable& probes,
                           const Parameters& parameters, const Digest& seed,
                           uint32_t previous_threshold_q8 = 0) {
  const auto model = Model::Train(schema, window, seed, parameters, Sha256, previous_threshold_q8);
  REQUIRE(model.has_value());
  const testing::ReferenceModel reference(schema, window, seed, parameters, Sha256,
                                          previous_threshold_q8);
  CHECK(model->threshold_q8() == reference.threshold_q8());
  CHECK(model->row_count() == reference.row_count());
  std::array<int, 4> decided{};
  for (int i = 0; i < probes.rows(); ++i) {
    const RawRow row(probes.row(i).data(), schema.field_count());
    const Score want = reference.Explain({row.begin(), row.end()});
    if (!(model->ExplainRow(row) == want)) FAIL("row " << i << " is scored differently");
    ++decided[static_cast<size_t>(want.component)];
  }
  return decided;
}

TEST_CASE("reference: equal scores and reasons and thresholds bit for bit", "[detector]") {
  const uint64_t seed = testing::TestSeed(71);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  Parameters parameters;
  parameters.threshold_floor_q8 = 0;
  const Schema schema = WideSchema();
  const RawTable window = WideRows(&random, 4000);
  RawTable probes(400, 7);
  probes << WideRows(&random, 300), window.topRows(100);
  for (int i = 0; i < 300; i += 4) {
    for (int f = 0; f < 7; ++f) {
      if (random.Chance(300)) probes(i, f) = static_cast<int64_t>(random.Next());
    }
  }
  const std::array<int, 4> decided =
      Compare(schema, window, probes, parameters, Sha256("reference"));
  CHECK(decided[1] > 10);
  CHECK(decided[2] > 10);
  CHECK(decided[3] > 10);
}

TEST_CASE("reference: equal for small and equal and short windows", "[detector]") {
  const uint64_t seed = testing::TestSeed(72);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 12; ++round) {
    Parameters parameters;
    parameters.trees = static_cast<uint32_t>(10 + random.Below(20));
    parameters.sample_rows = static_cast<uint32_t>(16 + random.Below(100));
    parameters.identical_rows_max = static_cast<uint32_t>(1 + random.Below(20));
    parameters.window_rows_min = static_cast<uint32_t>(10 + random.Below(200));
    parameters.threshold_quantile_ppm = static_cast<uint32_t>(900'000 + random.Below(99'999));
    const RawTable window =
        testing::SmallRows(random.Next(), static_cast<int>(20 + random.Below(400)));
    const RawTable probes = testing::SmallRows(random.Next(), 60);
    Compare(testing::SmallSchema(), window, probes, parameters,
            Sha256("round" + std::to_string(round)));
  }
}

TEST_CASE("reference: equal with reporters and left out rows and the threshold of before",
          "[detector]") {
  const uint64_t seed = testing::TestSeed(73);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  int cold = 0, capped = 0, stepped = 0;
  for (int round = 0; round < 24; ++round) {
    Parameters parameters;
    parameters.trees = 10;
    parameters.sample_rows = 64;
    parameters.window_rows_min = static_cast<uint32_t>(64 + random.Below(400));
    parameters.threshold_floor_q8 = 256;
    const RawTable plain =
        testing::SmallRows(random.Next(), static_cast<int>(80 + random.Below(500)));
    RawTable window(plain.rows(), plain.cols() + static_cast<Eigen::Index>(kRowMarks));
    window.leftCols(plain.cols()) = plain;
    const uint64_t reporters = 1 + random.Below(4);
    const auto dominant = static_cast<int>(random.Below(1000));
    for (Eigen::Index i = 0; i < window.rows(); ++i) {
      const auto fields = plain.cols();
      window(i, fields) = random.Chance(static_cast<uint32_t>(dominant))
                              ? 7
                              : static_cast<int64_t>(random.Below(reporters));
      window(i, fields + 1) = EventMarkOf(static_cast<uint64_t>(1000 + i / 3), i % 3);
      window(i, fields + 2) = random.Chance(50) ? 1 : 0;
    }
    const auto previous =
        round % 3 == 0 ? 0 : static_cast<uint32_t>(1 + random.Below(round % 3 == 1 ? 400 : 9000));
    const Digest model_seed = Sha256("marked" + std::to_string(round));
    Compare(testing::SmallSchema(), window, testing::SmallRows(random.Next(), 40), parameters,
            model_seed, previous);
    const auto model =
        Model::Train(testing::SmallSchema(), window, model_seed, parameters, Sha256, previous);
    const auto free = Model::Train(testing::SmallSchema(), window, model_seed, parameters, Sha256);
    cold += model->cold() ? 1 : 0;
    stepped += model->threshold_q8() != free->threshold_q8() ? 1 : 0;
    RawTable alone = window;
    alone.col(plain.cols()).setConstant(1);
    capped +=
        Model::Train(testing::SmallSchema(), alone, model_seed, parameters, Sha256)->row_count() >
                model->row_count()
            ? 1
            : 0;
  }
  CHECK(cold >= 3);
  CHECK(capped >= 3);
  CHECK(stepped >= 3);
}

}  // namespace
}  // namespace vigil::detector
