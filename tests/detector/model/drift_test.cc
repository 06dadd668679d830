#include "detector/model/drift.h"

#include <cmath>

#include "detector/model/claim.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::SmallRows;
using testing::SmallSchema;

Model Trained(const RawTable& rows, uint8_t seed = 1) {
  Parameters parameters;
  parameters.trees = 10;
  return *Model::Train(SmallSchema(), rows, Digest{seed}, parameters, &testing::Sha256);
}

// The definition, in floating point.
double SlowIndex(const std::vector<uint32_t>& before, const std::vector<uint32_t>& after) {
  double p_rows = 0, q_rows = 0, sum = 0;
  for (const uint32_t count : before) p_rows += count + 1;
  for (const uint32_t count : after) q_rows += count + 1;
  for (size_t i = 0; i < before.size(); ++i) {
    const double p = (before[i] + 1) / p_rows, q = (after[i] + 1) / q_rows;
    sum += (q - p) * std::log(q / p);
  }
  return sum;
}

uint32_t DriftOf(const std::vector<FeatureDrift>& drifts, uint16_t feature) {
  for (const FeatureDrift& drift : drifts) {
    if (drift.feature == feature) return drift.psi_q8;
  }
  FAIL("feature " << feature << " is not there");
  return 0;
}

}  // namespace

TEST_CASE("drift: the integer index is the definition's to a 1/256", "[model]") {
  const uint64_t seed = testing::TestSeed(81);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const size_t bins = 2 + random.Below(10);
    std::vector<uint32_t> before, after;
    for (size_t i = 0; i < bins; ++i) {
      before.push_back(static_cast<uint32_t>(random.Below(uint64_t{1} << random.Below(15))));
      after.push_back(static_cast<uint32_t>(random.Below(uint64_t{1} << random.Below(15))));
    }
    const double expected = 256 * SlowIndex(before, after);
    INFO("round " << round << ", expected " << expected);
    CHECK(std::abs(StabilityIndexQ8(before, after) - expected) <= 1.0);
    CHECK(StabilityIndexQ8(before, before) == 0);
  }
}

TEST_CASE("drift: histograms of the largest counts neither overflow nor vanish", "[model]") {
  const std::vector<uint32_t> one = {kRowsCountMax, 0};
  const std::vector<uint32_t> other = {0, kRowsCountMax};
  CHECK(StabilityIndexQ8(one, one) == 0);
  // 2 ln(2^24): all went from one bin to the other.
  CHECK(std::abs(StabilityIndexQ8(one, other) / 256.0 - 2 * std::log(1 << 24)) < 0.1);
}

TEST_CASE("drift: windows of the same traffic stay below the limit", "[model]") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto drifts =
        DriftBetween(Trained(SmallRows(seed, 2000)), Trained(SmallRows(seed + 100, 2000)));
    REQUIRE(drifts.size() == SmallSchema().feature_count());
    INFO("seed " << seed << ", largest " << drifts[0].psi_q8 << " in " << drifts[0].feature);
    CHECK(drifts[0].psi_q8 < kDriftLimitQ8 / 2);
    for (size_t i = 1; i < drifts.size(); ++i) CHECK(drifts[i - 1].psi_q8 >= drifts[i].psi_q8);
  }
}

TEST_CASE("drift: the feature that changed is named and is beyond the limit", "[model]") {
  const RawTable before = SmallRows(3, 2000);
  SECTION("a number that doubled") {
    RawTable after = SmallRows(4, 2000);
    for (Eigen::Index i = 0; i < after.rows(); ++i) after(i, 0) *= 3;
    const auto drifts = DriftBetween(Trained(before), Trained(after));
    CHECK(drifts[0].feature == 0);
    CHECK(drifts[0].psi_q8 >= kDriftLimitQ8);
    CHECK(DriftOf(drifts, 2) < kDriftLimitQ8);
  }
  SECTION("a number that is missing from now on") {
    RawTable after = SmallRows(4, 2000);
    for (Eigen::Index i = 0; i < after.rows(); ++i) after(i, 1) = kMissing;
    const auto drifts = DriftBetween(Trained(before), Trained(after));
    CHECK(drifts[0].feature == 1);
    CHECK(drifts[0].psi_q8 >= kDriftLimitQ8);
  }
  SECTION("values of a category that are new") {
    RawTable after = SmallRows(4, 2000);
    for (Eigen::Index i = 0; i < after.rows(); i += 2) after(i, 3) = 50'000 + i % 100;
    const auto drifts = DriftBetween(Trained(before), Trained(after));
    CHECK((drifts[0].feature == 3 || drifts[0].feature == 6));  // The port or its combination.
    CHECK(DriftOf(drifts, 3) >= kDriftLimitQ8);
    // A notice names those beyond the limit alone.
    const auto beyond = DriftBeyondLimit(Trained(before), Trained(after));
    REQUIRE(!beyond.empty());
    CHECK(beyond.size() <= kDriftedMax);
    for (size_t i = 0; i < beyond.size(); ++i) CHECK(beyond[i] == drifts[i]);
    CHECK(beyond.back().psi_q8 >= kDriftLimitQ8);
    CHECK(DriftBeyondLimit(Trained(before), Trained(before)).empty());
  }
}

TEST_CASE("drift: a model read from its file drifts by the same as the one that was trained",
          "[model]") {
  const Model before = Trained(SmallRows(3, 1500));
  const Model after = Trained(SmallRows(9, 1500), 2);
  const auto read = [](const Model& model) {
    return *Model::Parse(model.Serialize(), SmallSchema(), &testing::Sha256);
  };
  CHECK(DriftBetween(before, after) == DriftBetween(read(before), read(after)));
}

TEST_CASE("claim: the first difference is named and none is missed", "[model]") {
  const Score right{3000, Component::kLoda, {{4, 700}, {1, 20}}};
  const Claim claim{3000, 2500, 2, {{4, 700}, {1, 20}}};
  CHECK(Compare(claim, right, 2500) == Difference::kNone);
  Claim wrong = claim;
  wrong.score_q8 = 3001;
  CHECK(Compare(wrong, right, 2500) == Difference::kScore);
  CHECK(Compare(claim, right, 2501) == Difference::kThreshold);
  wrong = claim;
  wrong.threshold_q8 = 3100;
  CHECK(Compare(wrong, right, 3100) == Difference::kThreshold);  // No alert at all.
  wrong = claim;
  wrong.component = 1;
  CHECK(Compare(wrong, right, 2500) == Difference::kExplanation);
  wrong = claim;
  wrong.reasons.pop_back();
  CHECK(Compare(wrong, right, 2500) == Difference::kExplanation);
  wrong = claim;
  wrong.reasons[1].feature = 2;
  CHECK(Compare(wrong, right, 2500) == Difference::kExplanation);
}

}  // namespace vigil::detector
