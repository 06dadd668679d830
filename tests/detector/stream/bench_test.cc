// What the detector does to every event, one thread. Run with: detector_stream_test "[!benchmark]"
#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "detector/entities/entity_table.h"
#include "detector/features/event_schema.h"
#include "detector/model/model.h"
#include "detector/rules/rule_matcher.h"
#include "ledger/crypto/sha256_bytes.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

constexpr int kEvents = 20'000;
constexpr int kRows = 4'096;
constexpr int kRounds = 15;
constexpr uint64_t kMillis = 1'700'000'000'000;

const Hash32 kHash = &ledger::Sha256Bytes;

// Flows of many sources: as many as the table of entities holds, some again and again.
std::deque<testing::OwnedEvent> Flows(int count) {
  std::deque<testing::OwnedEvent> events(static_cast<size_t>(count));
  SplitMix64 random(11);
  for (size_t i = 0; i < events.size(); ++i) {
    testing::OwnedEvent& event = events[i];
    testing::FillEvent(&random, /*kind=*/0, &event);
    const uint64_t host = random.Chance(700) ? random.Below(50) : random.Below(6'000);
    event.src_ip = {10, 1, static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)};
    event.dst_ip = {192, 0, static_cast<uint8_t>(random.Below(3)),
                    static_cast<uint8_t>(random.Below(200))};
    event.view.time_unix_nano = (kMillis + i) * 1'000'000;
  }
  return events;
}

// Median over rounds, in microseconds per event.
void Report(const std::string& what, const std::function<uint64_t()>& work) {
  std::vector<double> micros;
  uint64_t sum = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    sum += work();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    micros.push_back(took.count() / kEvents);
  }
  std::sort(micros.begin(), micros.end());
  std::cout << "  " << std::left << std::setw(48) << what << std::fixed << std::setprecision(2)
            << micros[kRounds / 2] << " (least " << micros[0] << ")\n";
  CHECK(sum > 0);
}

// One pass over all events, as a validator makes it.
struct Pass {
  bool entities = false;
  bool rules = false;
  bool score = false;
  bool explain = false;

  uint64_t Run(const std::deque<testing::OwnedEvent>& events, const Model& model) const {
    EntityTable table(kHash);
    std::string error;
    RuleMatcher matcher(*ParseRules(BuiltInRules(), kHash, &error));
    uint64_t sum = 0;
    uint64_t height = 0;
    for (size_t i = 0; i < events.size(); ++i) {
      if (i % 1'000 == 0) matcher.BeginBlock(++height);
      const EventView& view = events[i].view;
      const EventType type = TypeOf(view);
      RowBuffer buffer;
      const std::span<const int64_t> row = ReadRow(view, type, kHash, &buffer);
      sum += static_cast<uint64_t>(row[0] & 1) + 1;
      if (entities) {
        const EntityTable::Touched touched = table.Observe(view, type, kMillis + i);
        if (rules) matcher.OnEvent(view, type, height, static_cast<uint32_t>(i), touched);
      }
      if (score) sum += model.ScoreRow(row).score_q8;
      if (explain) sum += model.ExplainRow(row).score_q8;
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("bench: encode and score and explain with entity windows", "[.][!benchmark]") {
  const std::deque<testing::OwnedEvent> window = Flows(kRows);
  const Schema& schema = EventSchema(EventType::kFlow);
  RawTable rows(kRows, static_cast<Eigen::Index>(schema.field_count()));
  for (size_t i = 0; i < window.size(); ++i) {
    RowBuffer buffer;
    const auto row = ReadRow(window[i].view, EventType::kFlow, kHash, &buffer);
    for (size_t f = 0; f < row.size(); ++f) {
      rows(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(f)) = row[f];
    }
  }
  const std::optional<Model> model = Model::Train(schema, rows, Digest{3}, Parameters(), kHash);
  REQUIRE(model.has_value());
  const std::deque<testing::OwnedEvent> events = Flows(kEvents);
  std::cout << "microseconds per event, one thread, median of " << kRounds << " rounds of "
            << kEvents << " flows\n";
  const auto report = [&](const std::string& what, const Pass& pass) {
    Report(what, [&] { return pass.Run(events, *model); });
  };
  report("encode", {});
  report("encode, entities", {.entities = true});
  report("encode, entities, rules", {.entities = true, .rules = true});
  report("encode, score", {.score = true});
  report("encode, score, explain", {.score = true, .explain = true});
  report("encode, entities, rules, score", {.entities = true, .rules = true, .score = true});
  report("encode, entities, rules, score, explain",
         {.entities = true, .rules = true, .score = true, .explain = true});
}

}  // namespace vigil::detector
