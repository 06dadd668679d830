// How well models find labelled attacks, and how fast. Slow: run with the tag [.slow].
#include <algorithm>
#include <ctime>
#include <iostream>

#include "detector/features/event_schema.h"
#include "detector/forest/draws.h"
#include "detector/model/model.h"
#include "ledger/base/random.h"
#include "tests/detector/support/labelled_data.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::LabelledTable;
using testing::Quality;
using testing::Sha256;

constexpr int kSeeds = 5;
// Not a purpose of the protocol: which rows of a data set a test takes.
constexpr DrawPurpose kTestRows = static_cast<DrawPurpose>(1000);

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// CPU time: other work on the machine must not count.
double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Rows drawn from those of the wanted label; `attack_count` of them attacks.
RawTable DrawWindow(const LabelledTable& table, const Digest& seed, uint32_t rows,
                    std::optional<uint32_t> attack_count) {
  std::vector<uint32_t> pools[2];
  for (uint32_t i = 0; i < table.is_attack.size(); ++i) {
    pools[attack_count && table.is_attack[i] ? 1 : 0].push_back(i);
  }
  CounterDraws draws(seed, kTestRows, 0, Sha256);
  RawTable window(rows, table.rows.cols());
  int filled = 0;
  for (int kind = 0; kind < 2; ++kind) {
    const uint32_t attacks = attack_count.value_or(0);
    const uint32_t wanted = kind == 1 ? attacks : rows - attacks;
    for (const uint32_t drawn : draws.Sample(wanted, static_cast<uint32_t>(pools[kind].size()))) {
      window.row(filled++) = table.rows.row(pools[kind][drawn]);
    }
  }
  return window;
}

// Medians over kSeeds windows.
Quality Measure(const char* name, const Schema& schema, const LabelledTable& train,
                const LabelledTable& test, uint32_t rows, std::optional<uint32_t> attacks) {
  std::vector<double> auc, precision, recall;
  double train_seconds = 0, score_seconds = 0;
  for (int round = 0; round < kSeeds; ++round) {
    const Digest seed = Sha256("seed" + std::to_string(round));
    const RawTable window = DrawWindow(train, seed, rows, attacks);
    const double begin = Seconds();
    const auto model = Model::Train(schema, window, seed, Parameters{}, Sha256);
    const double trained = Seconds();
    REQUIRE(model.has_value());
    std::vector<uint32_t> scores;
    for (int i = 0; i < test.rows.rows(); ++i) {
      scores.push_back(model->ScoreRow({test.rows.row(i).data(), schema.field_count()}).score_q8);
    }
    train_seconds += trained - begin;
    score_seconds += Seconds() - trained;
    const Quality quality = testing::Judge(scores, test.is_attack);
    auc.push_back(quality.auc);
    precision.push_back(quality.average_precision);
    recall.push_back(quality.recall_at_1_percent);
  }
  const Quality median{Median(auc), Median(precision), Median(recall)};
  std::cout << name << ", window " << rows << ": AUC " << median.auc << "  AP "
            << median.average_precision << "  TPR at 1 % FPR " << median.recall_at_1_percent
            << "  (train " << train_seconds / kSeeds * 1e3 << " ms, score "
            << score_seconds / kSeeds / static_cast<double>(test.rows.rows()) * 1e6
            << " us a row)\n";
  return median;
}

TEST_CASE("quality figures: agree with hand-worked cases", "[detector]") {
  const Quality perfect = testing::Judge({1, 2, 9, 8}, {false, false, true, true});
  CHECK(perfect.auc == Approx(1.0));
  CHECK(perfect.average_precision == Approx(1.0));
  CHECK(perfect.recall_at_1_percent == Approx(1.0));
  const Quality tied = testing::Judge({5, 5, 5, 5}, {false, true, false, true});
  CHECK(tied.auc == Approx(0.5));
  CHECK(tied.average_precision == Approx(0.5));
  // Ranks: attack, normal, attack, normal. Three of four pairs are ordered right.
  const Quality mixed = testing::Judge({9, 8, 7, 6}, {true, false, true, false});
  CHECK(mixed.auc == Approx(0.75));
  CHECK(mixed.average_precision == Approx(0.5 + 0.5 * 2 / 3));
  CHECK(mixed.recall_at_1_percent == Approx(0.5));
}

TEST_CASE("quality: NSL-KDD attacks are found after training on normal rows", "[detector][.slow]") {
  const auto train = testing::LoadNslKdd("KDDTrain+.txt.gz");
  const auto test = testing::LoadNslKdd("KDDTest+.txt.gz");
  if (!train || !test) {
    WARN("NSL-KDD is not in " << testing::SharedFolder());
    return;
  }
  REQUIRE(train->is_attack.size() == 125'973);
  REQUIRE(test->is_attack.size() == 22'544);
  const Schema schema = testing::NslKddSchema();
  const Quality clean = Measure("NSL-KDD normal", schema, *train, *test, 16'384, 0);
  CHECK(clean.auc >= 0.965);
  CHECK(clean.average_precision >= 0.970);
  CHECK(clean.recall_at_1_percent >= 0.58);
  Measure("NSL-KDD normal", schema, *train, *test, 4'096, 0);
  CHECK(Measure("NSL-KDD 5 % attacks", schema, *train, *test, 16'384, 819).auc >= 0.965);
}

TEST_CASE("quality: KDD99 web and mail attacks are found without labels", "[detector][.slow]") {
  const auto http = testing::LoadKddService("16_http.npz");
  const auto smtp = testing::LoadKddService("34_smtp.npz");
  if (!http || !smtp) {
    WARN("KDD99 http and smtp are not in " << testing::SharedFolder());
    return;
  }
  REQUIRE(http->is_attack.size() == 567'498);
  REQUIRE(smtp->is_attack.size() == 95'156);
  const Schema schema = testing::KddServiceSchema();
  const Quality web = Measure("KDD99 http", schema, *http, *http, 16'384, std::nullopt);
  CHECK(web.auc >= 0.993);
  CHECK(web.recall_at_1_percent >= 0.99);
  const Quality mail = Measure("KDD99 smtp", schema, *smtp, *smtp, 16'384, std::nullopt);
  CHECK(mail.auc >= 0.91);
  CHECK(mail.recall_at_1_percent >= 0.65);
}

TEST_CASE("speed: training and scoring of flows", "[detector][.slow]") {
  SplitMix64 random(4);
  const Schema& schema = EventSchema(EventType::kFlow);
  RawTable rows(16'384, static_cast<int>(schema.field_count()));
  std::vector<testing::OwnedEvent> events(2'000);
  for (testing::OwnedEvent& event : events) testing::FillEvent(&random, 0, &event);
  RowBuffer buffer;
  testing::OwnedEvent event;
  for (int i = 0; i < 16'384; ++i) {
    testing::FillEvent(&random, 0, &event);
    const auto row = ReadRow(event.view, EventType::kFlow, Sha256, &buffer);
    std::copy(row.begin(), row.end(), rows.row(i).data());
  }
  const double begin = Seconds();
  const auto model = Model::Train(schema, rows, Sha256("s"), Parameters{}, Sha256);
  const double trained = Seconds();
  REQUIRE(model.has_value());
  uint64_t sum = 0;
  for (int round = 0; round < 20; ++round) {
    for (const testing::OwnedEvent& one : events) {
      sum += model->ScoreRow(ReadRow(one.view, EventType::kFlow, Sha256, &buffer)).score_q8;
    }
  }
  const double scored = Seconds();
  for (const testing::OwnedEvent& one : events) {
    sum += ScoreEvent(*model, one.view, Sha256).score_q8;
  }
  const double explained = Seconds();
  CHECK(sum > 0);
  std::cout << "flow: train on 16,384 rows of " << schema.feature_count() << " features "
            << (trained - begin) * 1e3 << " ms, read and score "
            << (scored - trained) / 40'000 * 1e6 << " us, with reasons "
            << (explained - scored) / 2'000 * 1e6 << " us an event, model "
            << model->Serialize().size() << " bytes\n";
}

}  // namespace
}  // namespace vigil::detector
