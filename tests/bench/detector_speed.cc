// What one thread of the detector takes: to fit a model, and to judge an event, alone and with the
// windows of its entities and the built-in rules. detector_speed.py runs it beside others.
//
//   detector_speed [ROUNDS] [ROWS_FILE]
//
// Events are generated flows. Prints one line of JSON: CPU time, medians over the rounds.
// ROWS_FILE: the rows that were fitted and then those judged, as little-endian int64, shape
// (fit_rows + judged, columns) in the figures.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detector/entities/entity_table.h"
#include "detector/features/event_schema.h"
#include "detector/features/event_type.h"
#include "detector/model/model.h"
#include "detector/rules/rule_matcher.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/random.h"
#include "ledger/crypto/sha256_bytes.h"
#include "tests/detector/support/synthetic.h"

namespace vigil::detector {
namespace {

constexpr int kFitRows = 16'384;
constexpr int kJudged = 100'000;
constexpr uint64_t kBlockMillis = 1'700'000'000'000;

constexpr Hash32 Hash = &ledger::Sha256Bytes;

using Events = std::vector<std::unique_ptr<testing::OwnedEvent>>;

Events MakeFlows(uint64_t seed, int count) {
  SplitMix64 random(seed);
  Events events;
  for (int i = 0; i < count; ++i) {
    events.push_back(std::make_unique<testing::OwnedEvent>());
    testing::FillEvent(&random, 0, events.back().get());
    // A thousand events a second, from 7,650 addresses.
    EventView& view = events.back()->view;
    events.back()->src_ip[2] = static_cast<uint8_t>(random.Below(255));
    view.time_unix_nano = (kBlockMillis + static_cast<uint64_t>(i)) * 1'000'000;
  }
  return events;
}

RawTable RowsOf(const Events& events) {
  const EventType type = TypeOf(events[0]->view);
  RawTable table(static_cast<int>(events.size()),
                 static_cast<int>(EventSchema(type).field_count()));
  RowBuffer buffer;
  for (size_t i = 0; i < events.size(); ++i) {
    const std::span<const int64_t> row = ReadRow(events[i]->view, type, Hash, &buffer);
    std::copy(row.begin(), row.end(), table.row(static_cast<int>(i)).data());
  }
  return table;
}

// CPU time: machines are shared.
double SecondsOf(const std::function<void()>& work) {
  const auto cpu_seconds = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  };
  const double begin = cpu_seconds();
  work();
  return cpu_seconds() - begin;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// What was judged, so that no compiler leaves the work out.
uint64_t sum_q8 = 0;

double JudgeMicros(const Model& model, const Events& events) {
  return 1e6 / kJudged * SecondsOf([&] {
           for (const auto& event : events) sum_q8 += ScoreEvent(model, event->view, Hash).score_q8;
         });
}

struct EntityRun {
  double micros = 0;
  uint64_t entities = 0;
  uint64_t matches = 0;
};

EntityRun JudgeWithEntities(const Model& model, const RuleSet& rules, const Events& events) {
  constexpr size_t kPerBlock = 1'000;
  EntityTable table(Hash);
  RuleMatcher matcher(rules);
  EntityRun run;
  run.micros = 1e6 / kJudged * SecondsOf([&] {
                 for (size_t i = 0; i < events.size(); ++i) {
                   const EventView& view = events[i]->view;
                   if (i % kPerBlock == 0) matcher.BeginBlock(1 + i / kPerBlock);
                   const EntityTable::Touched touched =
                       table.Observe(view, EventType::kFlow, kBlockMillis + i);
                   matcher.OnEvent(view, EventType::kFlow, i, 0, touched);
                   sum_q8 += ScoreEvent(model, view, Hash).score_q8;
                   if (i % kPerBlock == kPerBlock - 1) run.matches += matcher.EndBlock().size();
                 }
               });
  for (const EntityKind kind : kEntityKinds) run.entities += table.size(kind);
  return run;
}

int Run(int rounds, const char* rows_file) {
  const Events fitted = MakeFlows(1, kFitRows);
  const Events judged = MakeFlows(2, kJudged);
  const RawTable window = RowsOf(fitted);
  const RawTable rows = RowsOf(judged);
  if (rows_file != nullptr) {
    std::ofstream file(rows_file, std::ios::binary);
    for (const RawTable* table : {&window, &rows})
      file.write(reinterpret_cast<const char*>(table->data()), 8 * table->size());
    if (!file.flush()) return std::cerr << rows_file << " cannot be written\n", 1;
  }
  std::string error;
  const std::optional<RuleSet> rules = ParseRules(BuiltInRules(), Hash, &error);
  if (!rules.has_value()) return std::cerr << error << '\n', 1;
  std::optional<Model> model;
  std::vector<double> fit, score, explain, entities;
  EntityRun run;
  for (int round = 0; round < rounds; ++round) {
    fit.push_back(SecondsOf([&] {
      model = Model::Train(EventSchema(EventType::kFlow), window, Digest{}, Parameters(), Hash);
    }));
    if (!model.has_value()) return std::cerr << "there is no model\n", 1;
    score.push_back(1e6 / kJudged * SecondsOf([&] {
                      for (int i = 0; i < rows.rows(); ++i)
                        sum_q8 += model->ScoreRow(RawRow(rows.row(i).data(), rows.cols())).score_q8;
                    }));
    explain.push_back(JudgeMicros(*model, judged));
    run = JudgeWithEntities(*model, *rules, judged);
    entities.push_back(run.micros);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"fit_rows\":%d,\"judged\":%d,\"columns\":%d,\"rounds\":%d,\"fit_seconds\":%.4f,"
      "\"score_row_micros\":%.2f,\"event_micros\":%.2f,\"event_with_entities_micros\":%.2f,"
      "\"entities\":%llu,\"rule_matches\":%llu,\"model_bytes\":%zu,\"peak_kilobytes\":%ld,"
      "\"sum_q8\":%llu}\n",
      kFitRows, kJudged, static_cast<int>(rows.cols()), rounds, Median(fit), Median(score),
      Median(explain), Median(entities), static_cast<unsigned long long>(run.entities),
      static_cast<unsigned long long>(run.matches), model->Serialize().size(), usage.ru_maxrss,
      static_cast<unsigned long long>(sum_q8));
  return 0;
}

}  // namespace
}  // namespace vigil::detector

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  if (rounds < 1) {
    std::cerr << "detector_speed [ROUNDS, at least 1] [ROWS_FILE]\n";
    return 2;
  }
  return vigil::detector::Run(rounds, argc > 2 ? argv[2] : nullptr);
}
