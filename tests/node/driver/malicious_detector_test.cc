// A validator whose detector lies: it forges alerts, raises strange events wrongly so that nobody
// else may, or says nothing at all. What the others confirm is what they would have confirmed.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::AlertBody;
using ledger::AlertInfo;
using ledger::AlertState;
using ledger::FaultInfo;
using ledger::ModelInfo;
using sim::SensorStream;
using sim::SimCluster;

constexpr uint32_t kLiar = 3;
constexpr uint32_t kValidators = 4;

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
  options.detector.threshold_floor_q8 = 256;
  return options;
}

// Four validators. The detector of the last is the test's: three honest ones are exactly as many as
// must confirm, two as must dispute.
struct Network {
  SimCluster cluster{Options(), /*seed=*/91};
  SensorStream stream = StreamOf(cluster);

  Network() {
    cluster.config(kLiar).detector_enabled = false;
    cluster.StartAll();
    WaitForLeader(&cluster);
    Traffic(16, 0);
    const bool learnt = cluster.RunUntil(
        [&] { return cluster.node(0)->Snapshot()->ActiveModel(1)->has_value(); }, 120 * kSecond);
    REQUIRE(learnt);
  }
  void Traffic(int batches, uint32_t odd_permille) {
    for (int i = 0; i < batches; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(50, odd_permille)).error.ok());
    }
  }
  std::vector<AlertInfo> Alerts(std::optional<AlertState> state = std::nullopt) {
    return *cluster.node(0)->Snapshot()->ListAlerts(RecordIndex(0), true, 10'000, state);
  }
  std::string Liar() { return cluster.test_network().genesis().validators[kLiar].identity(); }
  // The liar signs it and hands it to the leader's network like anybody.
  SubmitOutcome Say(const ledger::RecordBody& body) {
    return SubmitAndWait(&cluster, kLiar, Signed(body));
  }
  ledger::Record Signed(const ledger::RecordBody& body) {
    ledger::Record record;
    record.leaf = ledger::SignRecord(body, cluster.test_network().genesis().chain_id,
                                     cluster.test_network().record_key(kLiar));
    return record;
  }
  // Item `item` of the newest batch, raised with the active model.
  AlertBody Forged(RecordIndex batch, uint32_t item) {
    const auto reader = cluster.node(0)->Snapshot();
    const ModelInfo model = **reader->ActiveModel(1);
    AlertBody body;
    body.event = {.record_index = batch, .item = ItemIndex(item)};
    body.event_type = 1;
    body.period = model.period;
    body.model_digest = model.digest;
    body.threshold_q8 = model.threshold_q8;
    body.score_q8 = model.threshold_q8 + 4321;
    body.component = 1;
    body.reasons = {{.feature = 3, .bits_q8 = 900}};
    const ledger::BlockPtr block =
        *cluster.node(0)->LoadBlock(reader->BlockOfRecord(batch)->height);
    const ledger::Block::Entry& entry =
        block->records()[batch - reader->BlockOfRecord(batch)->first_index];
    body.event_leaf = ledger::LeafHash((*ledger::SplitPayload(entry.payload))[item]);
    return body;
  }
  // All honest detectors have read everything and owe nothing.
  void Settle() {
    const bool settled = cluster.RunUntil(
        [&] {
          for (uint32_t i = 0; i < kLiar; ++i) {
            const NodeStatus status = cluster.node(i)->Status();
            if (status.detector != status.executed || status.detection.duties > 0) return false;
          }
          return true;
        },
        120 * kSecond);
    REQUIRE(settled);
  }
  uint64_t RaisedBy(const std::string& identity, AlertState state) {
    const std::vector<AlertInfo> alerts = Alerts(state);
    return static_cast<uint64_t>(
        std::count_if(alerts.begin(), alerts.end(),
                      [&](const AlertInfo& alert) { return alert.proposer == identity; }));
  }
};

}  // namespace

TEST_CASE("malicious detector: forged alerts are contested and recorded and change nothing else",
          "[malicious]") {
  Network network;
  network.Traffic(6, /*odd_permille=*/40);
  network.Settle();
  const std::vector<AlertInfo> before = network.Alerts(AlertState::kConfirmed);
  REQUIRE(!before.empty());
  const SubmitOutcome batch =
      SubmitAndWait(&network.cluster, 0, network.stream.NextBatch(50, /*odd_permille=*/0));
  REQUIRE(batch.error.ok());
  std::set<RecordIndex> forged;
  for (uint32_t item = 0; item < 5; ++item) {
    const SubmitOutcome said = network.Say(network.Forged(batch.receipt.record_index, item));
    REQUIRE(said.error.ok());
    forged.insert(said.receipt.record_index);
  }
  network.cluster.RunFor(5 * kSecond);
  network.Settle();
  const auto reader = network.cluster.node(1)->Snapshot();
  for (const RecordIndex index : forged) {
    const AlertInfo alert = *reader->GetAlert(index);
    CHECK(alert.state == AlertState::kContested);
    CHECK(alert.proposer == network.Liar());
    const std::vector<FaultInfo> faults = *reader->FaultsOf(index);
    REQUIRE(faults.size() == 1);  // All honest ones say the same, and one of them says it.
    CHECK(faults[0].validator != network.Liar());
    CHECK(faults[0].fault.fault == ledger::AlertFault::kScore);
    CHECK(faults[0].fault.score_q8 != alert.score_q8);
    CHECK(faults[0].fault.threshold_q8 == alert.threshold_q8);
  }
  CHECK(reader->ListFaultyAlerts(RecordIndex(UINT64_MAX), 100)->size() == forged.size());
  // What was confirmed stands as it did, and nothing forged is among it.
  for (const AlertInfo& alert : before) {
    const AlertInfo now = *reader->GetAlert(alert.index);
    CHECK(now.state == AlertState::kConfirmed);
    CHECK(now.confirmed_height == alert.confirmed_height);
  }
  CHECK(network.RaisedBy(network.Liar(), AlertState::kConfirmed) == 0);
  CHECK(reader->GetTip()->alert_confirmed_count == network.Alerts(AlertState::kConfirmed).size());
}

TEST_CASE("malicious detector: being first with a wrong alert keeps no event from being confirmed",
          "[malicious]") {
  Network network;
  // The liar is quicker than everybody and raises every event, each with a wrong score.
  const SubmitOutcome batch =
      SubmitAndWait(&network.cluster, 0, network.stream.NextBatch(50, /*odd_permille=*/400));
  REQUIRE(batch.error.ok());
  std::vector<OutcomeBox> boxes;
  for (uint32_t item = 0; item < 50; ++item) {
    boxes.push_back(SubmitTo(network.cluster.node(kLiar),
                             network.Signed(network.Forged(batch.receipt.record_index, item))));
  }
  const bool answered = network.cluster.RunUntil(
      [&] {
        return std::all_of(boxes.begin(), boxes.end(),
                           [](const OutcomeBox& box) { return box->has_value(); });
      },
      60 * kSecond);
  REQUIRE(answered);
  std::map<uint32_t, RecordIndex> taken;
  for (uint32_t item = 0; item < 50; ++item) {
    const SubmitOutcome& said = **boxes[item];
    if (said.error.ok() && said.receipt.result == ledger::ResultCode::kOk) {
      taken[item] = said.receipt.record_index;
    }
  }
  REQUIRE(taken.size() > 30);
  network.cluster.RunFor(20 * kSecond);
  network.Settle();
  std::set<uint32_t> confirmed_items;
  for (const AlertInfo& alert : network.Alerts(AlertState::kConfirmed)) {
    CHECK(alert.proposer != network.Liar());
    if (alert.event.record_index == batch.receipt.record_index) {
      confirmed_items.insert(alert.event.item.value());
    }
  }
  // Some strange events were taken by the liar first and are confirmed all the same.
  uint64_t won_back = 0;
  for (const auto& [item, index] : taken) {
    CHECK(network.cluster.node(0)->Snapshot()->GetAlert(index)->state == AlertState::kContested);
    won_back += confirmed_items.contains(item) ? 1 : 0;
  }
  CHECK(won_back > 0);
  // Once contested, the liar does not get another turn for the same event.
  AlertBody once_more = network.Forged(batch.receipt.record_index, taken.begin()->first);
  once_more.score_q8 += 1;
  const SubmitOutcome again = network.Say(once_more);
  CHECK((again.error.status == absl::StatusCode::kAlreadyExists ||
         again.receipt.result == ledger::ResultCode::kAlreadyExists));
}

TEST_CASE("malicious detector: one that says nothing costs heights and no alert", "[malicious]") {
  Network network;
  network.Traffic(6, /*odd_permille=*/40);
  network.cluster.RunFor(10 * kSecond);
  network.Settle();
  const std::vector<AlertInfo> alerts = network.Alerts();
  REQUIRE(alerts.size() >= 3);
  uint64_t slowest = 0;
  const auto reader = network.cluster.node(0)->Snapshot();
  for (const AlertInfo& alert : alerts) {
    CHECK(alert.state == AlertState::kConfirmed);
    CHECK(alert.proposer != network.Liar());
    const Height event = reader->BlockOfRecord(alert.event.record_index)->height;
    slowest = std::max<uint64_t>(slowest, alert.height - event);
  }
  // Its turn passes; at worst all others are before whoever proposes, each with their patience.
  CHECK(slowest <= (kValidators - 1) * kProposerPatienceHeights + 8);
  // It disputes what is right: one of four cannot contest.
  const uint64_t confirmed_before = network.Alerts(AlertState::kConfirmed).size();
  ledger::AttestationBody disputes;
  for (const AlertInfo& alert : alerts) {
    disputes.attestations.push_back({.alert_index = alert.index, .verdict = 2, .score_q8 = 0});
  }
  REQUIRE(network.Say(disputes).error.ok());
  network.cluster.RunFor(5 * kSecond);
  CHECK(network.Alerts(AlertState::kConfirmed).size() == confirmed_before);
  CHECK(network.Alerts(AlertState::kContested).empty());
}

TEST_CASE("malicious detector: a liar alone records no fault against an honest validator",
          "[malicious]") {
  Network network;
  network.Traffic(6, /*odd_permille=*/40);
  network.Settle();
  const std::vector<AlertInfo> alerts = network.Alerts();
  REQUIRE(!alerts.empty());
  ledger::AttestationBody dispute;
  dispute.attestations = {{.alert_index = alerts[0].index, .verdict = 2, .score_q8 = 17}};
  REQUIRE(network.Say(dispute).error.ok());
  ledger::FaultProofBody fault;
  fault.alert_index = alerts[0].index;
  fault.fault = 1;
  fault.score_q8 = 17;
  const SubmitOutcome said = network.Say(fault);
  CHECK((!said.error.ok() || said.receipt.result == ledger::ResultCode::kInvalid));
  CHECK(network.cluster.node(0)->Snapshot()->FaultsOf(alerts[0].index)->empty());
}

}  // namespace vigil::node
