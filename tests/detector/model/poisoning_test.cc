// What somebody who controls some of the events can do to a model, with each guard and without it.
// The figures of docs/detecting.md (Attacks) are printed by these tests.
#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include "detector/features/event_schema.h"
#include "detector/model/drift.h"
#include "detector/model/model.h"
#include "detector/model/row_marks.h"
#include "detector/model/window_guard.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Sha256;
using testing::SmallRows;
using testing::SmallSchema;

constexpr Eigen::Index kFields = 6;
constexpr int kFresh = 2000;

// Transfers of unusual size to a port that nobody uses, each a little different.
RawTable AttackRows(uint64_t seed, int rows) {
  SplitMix64 random(seed);
  RawTable table(rows, kFields);
  for (int i = 0; i < rows; ++i) {
    table.row(i) << static_cast<int64_t>(30'000'000 + random.Below(9'000'000)),
        static_cast<int64_t>(4000 + random.Below(900)), static_cast<int64_t>(20 + random.Below(9)),
        31'337, 9, 7;
  }
  return table;
}

// `ordinary` rows of nine sensors in turn and `attacks` of one more, as a window of the chain.
RawTable Window(const RawTable& ordinary, const RawTable& attacks) {
  RawTable window(ordinary.rows() + attacks.rows(), kFields + Eigen::Index{kRowMarks});
  window.leftCols(kFields) << ordinary, attacks;
  for (Eigen::Index i = 0; i < window.rows(); ++i) {
    window(i, kFields + kReporterMark) = i < ordinary.rows() ? i % 9 : 99;
    window(i, kFields + kEventMark) = EventMarkOf(static_cast<uint64_t>(i), 0);
    window(i, kFields + kLeftOutMark) = 0;
  }
  return window;
}

Model Train(const RawTable& window, uint32_t previous_threshold_q8 = 0) {
  auto model = Model::Train(SmallSchema(), window, Sha256("poison"), Parameters(), Sha256,
                            previous_threshold_q8);
  REQUIRE(model.has_value());
  return std::move(*model);
}

struct Figures {
  double auc = 0;        // Of attacks against fresh ordinary rows.
  int found = 0;         // Of 100 attacks, at the model's threshold.
  double threshold = 0;  // Bits.
};

Figures Judge(const Model& model) {
  const RawTable ordinary = SmallRows(4242, kFresh), attacks = AttackRows(77, 100);
  std::vector<uint32_t> scores;
  for (int i = 0; i < kFresh; ++i) {
    scores.push_back(model.ScoreRow({ordinary.row(i).data(), size_t{kFields}}).score_q8);
  }
  Figures figures;
  figures.threshold = model.threshold_q8() / 256.0;
  double wins = 0;
  for (int i = 0; i < 100; ++i) {
    const uint32_t score = model.ScoreRow({attacks.row(i).data(), size_t{kFields}}).score_q8;
    figures.found += score >= model.threshold_q8();
    for (const uint32_t other : scores) {
      wins += other < score ? 1 : other == score ? 0.5 : 0;
    }
  }
  figures.auc = wins / (100.0 * kFresh);
  return figures;
}

void Tell(const char* what, const Figures& figures) {
  std::cout << "poisoning: " << what << ": AUC " << figures.auc << ", " << figures.found
            << " of 100 found, threshold " << figures.threshold << " bits\n";
}

}  // namespace

TEST_CASE("poisoning: one sensor's flood of varied rows has a bounded share", "[detector]") {
  // Six of ten rows are the attacker's, no two alike, so that the cap on equal rows does nothing.
  const RawTable window = Window(SmallRows(1, 1600), AttackRows(2, 2400));
  RawTable unmarked = window.leftCols(kFields);
  const Figures clean = Judge(Train(Window(SmallRows(1, 1600), AttackRows(2, 0))));
  const Figures without = Judge(Train(unmarked));
  const Model guarded = Train(window);
  const Figures with = Judge(guarded);
  Tell("no attack in the window", clean);
  Tell("60 % by one of ten sensors, without the cap on shares", without);
  Tell("60 % by one of ten sensors, with it", with);
  CHECK(guarded.row_count() == 2000);  // 1,600 and a fifth of the whole.
  CHECK(clean.found == 100);
  CHECK(without.auc < 0.6);
  CHECK(with.auc > without.auc + 0.2);
}

TEST_CASE("poisoning: what was confirmed as an attack is not learnt", "[detector]") {
  // The attacker has a majority of all sensors; nineteen of twenty attacks were confirmed in time.
  RawTable window = Window(SmallRows(1, 1800), AttackRows(2, 2200));
  for (Eigen::Index i = 0; i < window.rows(); ++i) window(i, kFields + kReporterMark) = i % 7;
  const Figures without = Judge(Train(window));
  for (Eigen::Index i = 1800; i < window.rows(); ++i) {
    window(i, kFields + kLeftOutMark) = i % 20 == 0 ? 0 : 1;
  }
  const Model guarded = Train(window);
  const Figures with = Judge(guarded);
  Tell("55 % attacks by all sensors, nothing left out", without);
  Tell("55 % attacks by all sensors, 95 % of them left out", with);
  CHECK(guarded.row_count() == 1910);
  CHECK(without.auc < 0.6);
  CHECK(with.auc > 0.95);
  // An analyst's verdict puts an event back: the row counts again.
  window(1801, kFields + kLeftOutMark) = 0;
  CHECK(Train(window).row_count() == 1911);
}

TEST_CASE("poisoning: one window does not move the threshold by more than a bit", "[detector]") {
  const Model before = Train(Window(SmallRows(1, 4000), AttackRows(2, 0)));
  // Three of a hundred rows are noise of many sensors, so strange that the quantile follows them.
  RawTable noisy = SmallRows(3, 4000);
  SplitMix64 random(9);
  for (int i = 0; i < 4000; i += 33) {
    for (int f = 0; f < 5; ++f) noisy(i, f) = static_cast<int64_t>(random.Next() >> 5);
  }
  const RawTable window = Window(noisy, AttackRows(2, 0));
  const Model free = Train(window);
  const Model bounded = Train(window, before.threshold_q8());
  Tell("before the noise", Judge(before));
  Tell("3 % noise, threshold free", Judge(free));
  // Bits are ranks in the window's own held-out rows, so a quantile of them hardly moves by itself.
  CHECK(free.threshold_q8() < before.threshold_q8() + kThresholdStepQ8);
  CHECK(bounded.threshold_q8() == free.threshold_q8());
  CHECK(Train(window, free.threshold_q8() - 400).threshold_q8() ==
        free.threshold_q8() - 400 + kThresholdStepQ8);
  // Downwards too, and never below the floor.
  CHECK(Train(Window(SmallRows(1, 4000), AttackRows(2, 0)), before.threshold_q8() + 1000)
            .threshold_q8() == before.threshold_q8() + 1000 - kThresholdStepQ8);
  Parameters floor;
  CHECK(Train(Window(SmallRows(1, 4000), AttackRows(2, 0)), 1).threshold_q8() ==
        floor.threshold_floor_q8);
}

TEST_CASE("poisoning: slow drift moves the model and is told once it is fast enough",
          "[detector]") {
  // All bytes grow by a constant factor per period.
  const auto grown = [](double factor, int periods) {
    RawTable rows = SmallRows(5, 4000);
    double scale = 1;
    for (int i = 0; i < periods; ++i) scale *= factor;
    for (int i = 0; i < 4000; ++i) {
      rows(i, 0) = static_cast<int64_t>(static_cast<double>(rows(i, 0)) * scale);
    }
    return Train(rows);
  };
  const Model start = grown(1, 0);
  for (const double factor : {1.02, 1.1, 1.5, 2.0}) {
    const uint32_t psi = DriftBetween(start, grown(factor, 1)).front().psi_q8;
    std::cout << "poisoning: bytes grow by " << factor << " a period: index " << psi / 256.0
              << (psi >= kDriftLimitQ8 ? ", told\n" : ", not told\n");
    if (factor < 1.05) CHECK(psi < kDriftLimitQ8);
    if (factor >= 2.0) CHECK(psi >= kDriftLimitQ8);
  }
  // Each step is below the limit, all of them together are not.
  CHECK(DriftBetween(start, grown(1.1, 20)).front().psi_q8 > 4 * kDriftLimitQ8);
}

TEST_CASE("share cap: nobody has more than the share and few rows are not made fewer",
          "[detector]") {
  const uint64_t seed = testing::TestSeed(61);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 200; ++round) {
    const uint64_t reporters = 1 + random.Below(12);
    std::vector<ReportedRow> rows;
    const uint64_t count = 1 + random.Below(600);
    for (uint64_t i = 0; i < count; ++i) {
      const bool flood = random.Chance(static_cast<uint32_t>(random.Below(900)));
      rows.push_back(
          {flood ? 0 : static_cast<int64_t>(random.Below(reporters)), EventMarkOf(i, 0)});
    }
    const auto rows_min = static_cast<uint32_t>(random.Below(200));
    const auto kept = CapShare(rows, rows_min, Sha256(std::to_string(round)), Sha256);
    CHECK(std::is_sorted(kept.begin(), kept.end()));
    CHECK(std::set<uint32_t>(kept.begin(), kept.end()).size() == kept.size());
    std::map<int64_t, size_t> before, after;
    for (const ReportedRow& row : rows) ++before[row.reporter];
    for (const uint32_t i : kept) ++after[rows[i].reporter];
    if (before.size() == 1) {
      CHECK(kept.size() == rows.size());
      continue;
    }
    CHECK(kept.size() >= std::min<size_t>(rows.size(), rows_min));
    CHECK(after.size() == before.size());  // Nobody loses all.
    if (kept.size() <= rows_min) continue;
    for (const auto& [reporter, own] : after) {
      // Raising the cap to rows_min may leave up to one row per reporter more.
      if (kept.size() <= rows_min + before.size()) continue;
      CHECK(own * (before.size() < 4 ? 2 : before.size()) <=
            (before.size() < 4 ? 1 : 2) * kept.size());
    }
  }
}

TEST_CASE("share cap: which rows stay follows from the seed and from nothing that comes before it",
          "[detector]") {
  std::vector<ReportedRow> rows;
  for (uint32_t i = 0; i < 4000; ++i) {
    rows.push_back({i % 10 == 0 ? 1 : 2, EventMarkOf(i / 10, i % 10)});
  }
  const auto kept_of = [&](const char* seed) {
    const auto kept = CapShare(rows, 64, Sha256(seed), Sha256);
    std::set<uint32_t> flood;
    for (const uint32_t i : kept) {
      if (rows[i].reporter == 2) flood.insert(i);
    }
    return flood;
  };
  const std::set<uint32_t> first = kept_of("a"), second = kept_of("b");
  CHECK(first.size() == 400);
  CHECK(kept_of("a") == first);
  std::vector<uint32_t> both;
  std::set_intersection(first.begin(), first.end(), second.begin(), second.end(),
                        std::back_inserter(both));
  // One in nine of 400 by chance, 44; whoever wants a row in needs luck with the seed.
  CHECK(both.size() > 15);
  CHECK(both.size() < 80);
  // Early and late rows alike.
  const auto early = std::count_if(first.begin(), first.end(), [](uint32_t i) { return i < 2000; });
  CHECK(early > 150);
  CHECK(early < 250);
}

TEST_CASE("poisoning: a sensor's clock decides nothing", "[detector]") {
  SplitMix64 random(3);
  testing::OwnedEvent event;
  testing::FillEvent(&random, 0, &event);
  const auto row_at = [&](uint64_t time) {
    event.view.time_unix_nano = time;
    event.view.end_time_unix_nano = time / 2;
    RowBuffer buffer;
    const auto row = ReadRow(event.view, EventType::kFlow, Sha256, &buffer);
    return std::vector<int64_t>(row.begin(), row.end());
  };
  const std::vector<int64_t> now = row_at(1'700'000'000'000'000'000);
  for (const uint64_t time : {uint64_t{0}, uint64_t{1}, UINT64_MAX, uint64_t{1} << 62}) {
    CHECK(row_at(time) == now);
  }
}

TEST_CASE("cold model: the surprisal alone decides and its bits are whole", "[detector]") {
  Parameters parameters;
  parameters.window_rows_min = 512;
  const auto cold = Model::Train(SmallSchema(), SmallRows(1, 500), Sha256("s"), parameters, Sha256);
  const auto warm = Model::Train(SmallSchema(), SmallRows(1, 900), Sha256("s"), parameters, Sha256);
  REQUIRE(cold.has_value());
  REQUIRE(warm.has_value());
  CHECK(cold->cold());
  CHECK_FALSE(warm->cold());
  const RawTable attacks = AttackRows(3, 50);
  for (int i = 0; i < 50; ++i) {
    const Score score = cold->ExplainRow({attacks.row(i).data(), size_t{kFields}});
    CHECK(score.component == Component::kSurprisal);
    CHECK(score.score_q8 >= cold->threshold_q8());
    CHECK(!score.reasons.empty());
  }
  const std::vector<uint8_t> bytes = cold->Serialize();
  const auto read = Model::Parse(bytes, SmallSchema(), Sha256);
  REQUIRE(read.has_value());
  CHECK(read->cold());
  CHECK(read->Serialize() == bytes);
  CHECK(bytes.size() < warm->Serialize().size() / 4);
}

}  // namespace vigil::detector
