#include "client/table/separation.h"

#include "ledger/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::client {
namespace {

TEST_CASE("separation: agrees with hand-worked cases", "[client]") {
  const Separation perfect = Separate({{1, false}, {2, false}, {9, true}, {8, true}});
  CHECK(perfect.auc == Approx(1));
  CHECK(perfect.average_precision == Approx(1));
  CHECK(perfect.tpr_at_1_percent == Approx(1));
  const Separation tied = Separate({{5, false}, {5, true}, {5, false}, {5, true}});
  CHECK(tied.auc == Approx(0.5));
  CHECK(tied.average_precision == Approx(0.5));
  // Ranks: attack, other, attack, other.
  const Separation mixed = Separate({{9, true}, {8, false}, {7, true}, {6, false}});
  CHECK(mixed.auc == Approx(0.75));
  CHECK(mixed.average_precision == Approx(0.5 + 0.5 * 2 / 3));
  CHECK(mixed.tpr_at_1_percent == Approx(0.5));
}

TEST_CASE("separation: AUC is the share of pairs in the right order", "[client]") {
  const uint64_t seed = TestSeed(84);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 50; ++round) {
    std::vector<ScoredRow> rows = {{3, true}, {3, false}};
    for (int i = 0; i < 60; ++i) {
      const bool is_attack = random.Chance(300);
      rows.push_back({static_cast<uint32_t>(random.Below(20) + (is_attack ? 5 : 0)), is_attack});
    }
    double right = 0, pairs = 0;
    for (const ScoredRow& attack : rows) {
      for (const ScoredRow& other : rows) {
        if (!attack.is_attack || other.is_attack) continue;
        pairs += 1;
        right += attack.score_q8 > other.score_q8 ? 1 : attack.score_q8 == other.score_q8 ? 0.5 : 0;
      }
    }
    const Separation separation = Separate(rows);
    CHECK(separation.auc == Approx(right / pairs));
    double area = 0;
    for (size_t i = 1; i < separation.roc.size(); ++i) {
      area += (separation.roc[i].x - separation.roc[i - 1].x) *
              (separation.roc[i].y + separation.roc[i - 1].y) / 2;
    }
    CHECK(area == Approx(separation.auc));
    CHECK(separation.roc.back().x == Approx(1));
    CHECK(separation.roc.back().y == Approx(1));
    CHECK(separation.precision_recall.back().x == Approx(1));
  }
}

}  // namespace
}  // namespace vigil::client
