// Drift notices over a cluster of whole nodes: events that change make one that all validators
// agree on, events that do not make none, and what one validator makes up is not on the chain.
#include <algorithm>
#include <optional>
#include <vector>

#include "node/driver/node.h"
#include "tests/sim/sim_cluster.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::ModelInfo;
using sim::SensorStream;
using sim::SimCluster;

constexpr int64_t kSecond = 1'000'000;
constexpr uint32_t kValidators = 3;

sim::NetworkOptions Options() {
  sim::NetworkOptions options;
  options.validators = kValidators;
  options.heartbeat_millis = 200;
  options.detector.window_rows_max = 512;
  options.detector.window_rows_min = 128;
  options.detector.period_events = 512;
  options.detector.trees = 10;
  options.detector.sample_rows = 64;
  options.detector.seed_reveals = 1;
  return options;
}

struct Network {
  SimCluster cluster{Options(), /*seed=*/71};
  SensorStream stream{&cluster.test_network().genesis(), &cluster.test_network().sensor_key(0),
                      "conn", 3};

  Network() {
    cluster.StartAll();
    REQUIRE(cluster.RunUntil([&] { return cluster.leader() != nullptr; }, 20 * kSecond));
  }
  void Commit(ledger::Record record) {
    std::optional<SubmitReceipt> receipt;
    cluster.node(0)->Submit(std::move(record), [&](const SubmitOutcome& outcome) {
      INFO(outcome.error.what);
      CHECK(outcome.error.ok());
      receipt = outcome.receipt;
    });
    REQUIRE(cluster.RunUntil([&] { return receipt.has_value(); }, 20 * kSecond));
  }
  void Traffic(int batches, uint32_t odd_permille) {
    for (int i = 0; i < batches; ++i) Commit(stream.NextBatch(50, odd_permille));
    cluster.RunFor(20 * kSecond);
  }
  // Active models of flows whose window was held against an earlier one, by period.
  std::vector<ModelInfo> Compared(uint32_t asked = 0) {
    auto models = cluster.node(asked)->Snapshot()->ListModels(1000);
    REQUIRE(models.ok());
    std::erase_if(*models, [](const ModelInfo& model) {
      return !model.active || model.event_type != 1 || model.drift.period == 0;
    });
    std::ranges::sort(*models, {}, &ModelInfo::period);
    return *std::move(models);
  }
};

TEST_CASE("drift notices: events that change make one and events that do not make none",
          "[detect]") {
  Network t;
  t.Traffic(48, /*odd_permille=*/10);
  const std::vector<ModelInfo> stable = t.Compared();
  REQUIRE(stable.size() >= 2);
  for (const ModelInfo& model : stable) {
    CAPTURE(model.period);
    CHECK(model.drift.drifted.empty());
    CHECK(model.drift.period < model.period);
  }
  t.Traffic(24, /*odd_permille=*/900);
  const std::vector<ModelInfo> after = t.Compared();
  REQUIRE(after.size() > stable.size());
  const auto noticed = std::ranges::find_if(
      after, [](const ModelInfo& model) { return !model.drift.drifted.empty(); });
  REQUIRE(noticed != after.end());
  CHECK(noticed->period > stable.back().period);
  CHECK(noticed->drift.drifted.front().psi_q8 >= ledger::kDriftNoticeQ8);
  CHECK(noticed->drift_height >= noticed->active_from);
  // The same for whoever asks another validator.
  for (uint32_t i = 1; i < kValidators; ++i) {
    const std::vector<ModelInfo> other = t.Compared(i);
    REQUIRE(other.size() == after.size());
    for (size_t m = 0; m < after.size(); ++m) CHECK(other[m].drift == after[m].drift);
  }
}

TEST_CASE("drift notices: a validator that makes one up is alone with it", "[detect]") {
  Network t;
  constexpr uint32_t kLiar = 2;
  t.cluster.Crash(kLiar, ledger::CrashMode::kProcessOnly);
  t.cluster.config(kLiar).detector_enabled = false;
  REQUIRE(t.cluster.Start(kLiar).ok());
  t.Traffic(48, /*odd_permille=*/10);
  const std::vector<ModelInfo> models = t.Compared();
  REQUIRE(models.size() >= 2);
  const ModelInfo& newest = models.back();
  ledger::ModelCommitmentBody lie;
  lie.event_type = newest.event_type;
  lie.period = newest.period;
  lie.window_end = newest.window_end;
  lie.model_digest = newest.digest;
  lie.window_digest = newest.window_digest;
  lie.row_count = newest.row_count;
  lie.threshold_q8 = newest.threshold_q8;
  lie.event_count = newest.event_count;
  lie.drift_period = newest.drift.period;
  lie.drifted = {{.feature = 1, .psi_q8 = 9'999}};
  ledger::Record record;
  record.leaf = ledger::SignRecord(lie, t.cluster.test_network().genesis().chain_id,
                                   t.cluster.test_network().record_key(kLiar));
  t.Commit(std::move(record));
  const std::vector<ModelInfo> after = t.Compared();
  REQUIRE(after.size() == models.size());
  CHECK(after.back().committed_by.size() == kValidators);
  CHECK(after.back().drift.drifted.empty());
}

}  // namespace
}  // namespace vigil::node
