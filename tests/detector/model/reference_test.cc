// The model against a second, slow implementation of the same definitions.
#include "tests/detector/support/reference_model.h"

#include "detector/model/model.h"
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
                           const Parameters& parameters, const Digest& seed) {
  const auto model = Model::Train(schema, window, seed, parameters, Sha256);
  REQUIRE(model.has_value());
  const testing::ReferenceModel reference(schema, window, seed, parameters, Sha256);
  CHECK(model->threshold_q8() == reference.threshold_q8());
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
    parameters.threshold_quantile_ppm = static_cast<uint32_t>(900'000 + random.Below(99'999));
    const RawTable window =
        testing::SmallRows(random.Next(), static_cast<int>(20 + random.Below(400)));
    const RawTable probes = testing::SmallRows(random.Next(), 60);
    Compare(testing::SmallSchema(), window, probes, parameters,
            Sha256("round" + std::to_string(round)));
  }
}

}  // namespace
}  // namespace vigil::detector
