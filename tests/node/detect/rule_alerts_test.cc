// Alerts of rules over a cluster of whole nodes: what matches is raised once and confirmed by all,
// what a validator makes up is disputed, and a validator that was away says the same as the others.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/log/merkle.h"
#include "ledger/state/rules.h"
#include "node/detect/block_events.h"
#include "node/driver/node.h"
#include "tests/sim/sim_cluster.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::AlertBody;
using ledger::AlertInfo;
using ledger::AlertState;
using ledger::Record;
using sim::SensorStream;
using sim::SimCluster;

constexpr int64_t kSecond = 1'000'000;
constexpr uint32_t kValidators = 3;
constexpr uint32_t kLiar = 1;
constexpr uint32_t kScore = 9 * 256;
// Which of the lies is about other bytes, and from which on only the anchor is wrong.
constexpr size_t kEventLie = 5;
constexpr size_t kAnchorLies = 8;

sim::NetworkOptions Options() {
  sim::NetworkOptions options;
  options.validators = kValidators;
  options.snapshot_interval_blocks = 65;
  options.detector.window_rows_max = 512;
  options.detector.window_rows_min = 128;
  options.detector.period_events = 512;
  options.detector.trees = 10;
  options.detector.sample_rows = 64;
  options.detector.seed_reveals = 1;
  options.detector_rules = sim::kOddRules;
  return options;
}

struct Network {
  SimCluster cluster{Options(), /*seed=*/61};
  SensorStream stream{&cluster.test_network().genesis(), &cluster.test_network().sensor_key(0),
                      "conn", 3};

  Network() {
    cluster.StartAll();
    REQUIRE(cluster.RunUntil([&] { return cluster.leader() != nullptr; }, 20 * kSecond));
  }
  SubmitReceipt Commit(Record record) {
    std::optional<SubmitReceipt> receipt;
    cluster.node(0)->Submit(std::move(record), [&](const SubmitOutcome& outcome) {
      INFO(outcome.error.what);
      CHECK(outcome.error.ok());
      receipt = outcome.receipt;
    });
    REQUIRE(cluster.RunUntil([&] { return receipt.has_value(); }, 20 * kSecond));
    return *receipt;
  }
  void Traffic(int batches, uint32_t odd_permille) {
    for (int i = 0; i < batches; ++i) Commit(stream.NextBatch(50, odd_permille));
  }
  std::vector<AlertInfo> RuleAlerts() {
    auto alerts =
        cluster.node(0)->Snapshot()->ListAlerts(RecordIndex(0), true, 10'000, std::nullopt);
    REQUIRE(alerts.ok());
    std::erase_if(*alerts,
                  [](const AlertInfo& alert) { return alert.component != ledger::kRuleComponent; });
    return *std::move(alerts);
  }
  // Source and destination of each public event of the batch that `receipt` tells of, by item.
  std::map<uint32_t, std::string> OddPairs(const SubmitReceipt& receipt) {
    const auto block = cluster.node(0)->LoadBlock(receipt.height);
    REQUIRE(block.ok());
    executed.block = *block;
    executed.results = *cluster.node(0)->Snapshot()->GetResults(receipt.height);
    events = *EventsOf(executed);
    std::map<uint32_t, std::string> pairs;
    for (const BlockEventView& event : events) {
      if (event.ref.record_index != receipt.record_index || event.view.dst.ip[0] != 45) continue;
      pairs[event.ref.item.value()] = ToString(event.view.src.ip) + ToString(event.view.dst.ip);
      destinations.insert(detector::AddressKey(event.view.dst.ip));
    }
    return pairs;
  }
  // What an honest validator says of a match of rule 1.
  AlertBody RightAlert(const BlockEventView& event) const {
    const ledger::Genesis& genesis = cluster.test_network().genesis();
    AlertBody alert;
    alert.event = event.ref;
    alert.event_type = 1;
    alert.model_digest = ledger::RuleDigestOf(genesis.rules_digest, 1);
    alert.score_q8 = alert.threshold_q8 = kScore;
    alert.component = ledger::kRuleComponent;
    alert.event_leaf = ledger::LeafHash(event.bytes);
    alert.rule = 1;
    alert.rules_digest = genesis.rules_digest;
    alert.entity_kind = 3;
    alert.observed = 1;
    alert.anchor = event.ref;
    alert.anchor_kind = 1;
    return alert;
  }
  Record SignedByLiar(const AlertBody& body) {
    Record record;
    record.leaf = ledger::SignRecord(body, cluster.test_network().genesis().chain_id,
                                     cluster.test_network().record_key(kLiar));
    return record;
  }
  // From the next block on these rules count.
  void Replace(const std::string& file) {
    Commit(cluster.test_network().ProposeRules(0, Epoch(1), file, Newest(),
                                               absl::StrCat("change ", ++changes)));
    REQUIRE(Newest() == ledger::RulesDigestOf(file));
  }
  Hash Newest() {
    const auto reader = cluster.node(0)->Snapshot();
    return ledger::NewestRules(cluster.test_network().genesis(),
                               ledger::StateView(&reader->state()));
  }
  Hash RulesOf(const ledger::EventRef& event) {
    const auto reader = cluster.node(0)->Snapshot();
    return ledger::RulesOfRecord(cluster.test_network().genesis(),
                                 ledger::StateView(&reader->state()), event.record_index);
  }
  // Of everybody that the traffic is about, windows and what rules matched are the same.
  void CheckSameEntities(uint32_t one, uint32_t other) {
    size_t marks = 0;
    for (uint8_t host = 1; host < 30; ++host) {
      const std::array<uint8_t, 4> address = {10, 0, 0, host};
      const std::string source = detector::AddressKey(address);
      std::vector<std::pair<detector::EntityKind, std::string>> keys = {
          {detector::EntityKind::kSource, source}};
      for (const std::string& destination : destinations) {
        keys.emplace_back(detector::EntityKind::kPair, detector::PairKey(source, destination));
      }
      for (const auto& [kind, key] : keys) {
        const auto first = cluster.node(one)->FindEntity(kind, key);
        const auto second = cluster.node(other)->FindEntity(kind, key);
        REQUIRE(first.ok() == second.ok());
        if (!first.ok()) continue;
        marks += first->marks().size();
        detector::LittleEndianWriter a;
        detector::LittleEndianWriter b;
        first->Serialize(&a);
        second->Serialize(&b);
        CHECK(a.bytes() == b.bytes());
      }
    }
    CHECK(marks > 0);
  }
  void FreezeHonestDetectors(bool frozen) {
    for (uint32_t i = 0; i < kValidators; ++i) {
      if (i != kLiar) cluster.SetFrozen(i, frozen ? "detect" : "");
    }
  }

  ledger::ExecutedBlock executed;
  std::vector<BlockEventView> events;
  int changes = 0;  // Of rules.
  std::set<std::string>
      destinations;  // Keys of those of odd events, as far as they were looked at.
};

TEST_CASE("rule alerts: one per entity and quiet time and confirmed by every validator",
          "[detect]") {
  Network t;
  const SubmitReceipt receipt = t.Commit(t.stream.NextBatch(50, /*odd_permille=*/400));
  std::map<uint32_t, std::string> pairs = t.OddPairs(receipt);
  const auto source = ToString(t.events.front().view.src.ip);
  // The same again, with other events: none of these pairs is told of twice.
  t.Traffic(3, /*odd_permille=*/0);
  t.cluster.RunFor(30 * kSecond);
  std::set<std::string> different;
  std::set<uint32_t> first_items;
  for (const auto& [item, pair] : pairs) {
    if (different.insert(pair).second) first_items.insert(item);
  }
  REQUIRE(different.size() > 10);
  const std::vector<AlertInfo> alerts = t.RuleAlerts();
  std::set<uint32_t> told;
  for (const AlertInfo& alert : alerts) {
    told.insert(alert.event.item.value());
    CHECK(alert.event.record_index == receipt.record_index);
    CHECK(alert.state == AlertState::kConfirmed);
    CHECK(alert.verdicts.size() == kValidators);
    CHECK(alert.rule == 1);
    CHECK(alert.entity_kind == 3);
    CHECK(alert.observed == 1);
    CHECK(alert.score_q8 == kScore);
    CHECK(alert.rules_digest == t.cluster.test_network().genesis().rules_digest);
  }
  CHECK(alerts.size() == first_items.size());
  CHECK(told == first_items);

  // The alerts of one source are one incident, whichever pair each is of.
  std::map<std::string, RecordIndex> incidents;
  std::map<RecordIndex, size_t> sizes;
  for (const AlertInfo& alert : alerts) {
    const auto event = std::find_if(t.events.begin(), t.events.end(), [&](const auto& candidate) {
      return candidate.ref == alert.event;
    });
    REQUIRE(event != t.events.end());
    REQUIRE(alert.incident != RecordIndex(0));
    const auto known = incidents.try_emplace(ToString(event->view.src.ip), alert.incident).first;
    CHECK(known->second == alert.incident);
    CHECK(alert.anchor_kind == 1);
    ++sizes[alert.incident];
  }
  CHECK(sizes.size() == incidents.size());
  CHECK(sizes.size() < alerts.size());
  for (const auto& [incident, size] : sizes) {
    CHECK(t.cluster.node(2)->Snapshot()->GetIncident(incident)->alerts.size() == size);
  }
}

TEST_CASE("rule alerts: what a validator makes up is disputed and what it says rightly confirmed",
          "[detect]") {
  Network t;
  t.Traffic(2, /*odd_permille=*/0);
  t.cluster.RunFor(5 * kSecond);
  t.cluster.Crash(kLiar, ledger::CrashMode::kProcessOnly);
  t.cluster.config(kLiar).detector_enabled = false;
  REQUIRE(t.cluster.Start(kLiar).ok());
  t.FreezeHonestDetectors(true);
  const SubmitReceipt receipt = t.Commit(t.stream.NextBatch(50, /*odd_permille=*/500));
  const std::map<uint32_t, std::string> pairs = t.OddPairs(receipt);
  std::vector<BlockEventView> matched;
  std::vector<BlockEventView> ordinary;
  std::set<std::string> different;
  for (const BlockEventView& event : t.events) {
    if (event.ref.record_index != receipt.record_index) continue;
    const auto pair = pairs.find(event.ref.item.value());
    if (pair == pairs.end()) {
      ordinary.push_back(event);
    } else if (different.insert(pair->second).second) {
      matched.push_back(event);
    }
  }
  REQUIRE(matched.size() >= 12);
  REQUIRE(ordinary.size() >= 2);
  const ledger::Genesis& genesis = t.cluster.test_network().genesis();
  std::vector<AlertBody> lies;
  const auto lie = [&](const BlockEventView& event, auto change) {
    AlertBody body = t.RightAlert(event);
    change(&body);
    lies.push_back(body);
  };
  lie(ordinary[0], [](AlertBody*) {});  // No rule matched this event.
  lie(matched[0], [](AlertBody* body) { body->observed = 2; });
  lie(matched[1], [](AlertBody* body) { body->entity_kind = 1; });
  lie(matched[2], [](AlertBody* body) { body->event_type = 2; });
  lie(matched[3], [](AlertBody* body) { body->score_q8 = body->threshold_q8 = 60 * 256; });
  lie(matched[4], [](AlertBody* body) { body->event_leaf.bytes[0] ^= 1; });
  lie(matched[5], [&](AlertBody* body) {  // A rule that is there, and did not match.
    body->rule = 2;
    body->model_digest = ledger::RuleDigestOf(genesis.rules_digest, 2);
  });
  lie(matched[6], [&](AlertBody* body) {  // A rule that is not there.
    body->rule = 99;
    body->model_digest = ledger::RuleDigestOf(genesis.rules_digest, 99);
  });
  lie(matched[8], [](AlertBody* body) {  // Kept out of its incident.
    body->anchor_kind = 0;
    body->anchor = ledger::EventRef();
  });
  lie(matched[9], [](AlertBody* body) { body->anchor_kind = 6; });
  lie(matched[10], [&](AlertBody* body) {  // Put into somebody else's.
    const auto other = std::find_if(matched.begin(), matched.end(), [&](const auto& event) {
      return ToString(event.view.src.ip) != ToString(matched[10].view.src.ip);
    });
    REQUIRE(other->ref < body->event);
    body->anchor = other->ref;
  });
  std::map<RecordIndex, size_t> said;
  for (size_t i = 0; i < lies.size(); ++i) {
    said[t.Commit(t.SignedByLiar(lies[i])).record_index] = i;
  }
  const RecordIndex right = t.Commit(t.SignedByLiar(t.RightAlert(matched[7]))).record_index;
  t.FreezeHonestDetectors(false);
  t.cluster.RunFor(60 * kSecond);

  size_t disputed = 0;
  for (const AlertInfo& alert : t.RuleAlerts()) {
    const auto which = said.find(alert.index);
    if (which == said.end()) {
      CAPTURE(alert.index.value(), alert.proposer, alert.event.item.value());
      CHECK(alert.state == AlertState::kConfirmed);
      if (alert.index == right) CHECK(alert.proposer == genesis.validators[kLiar].identity());
      continue;
    }
    CAPTURE(which->second);
    CHECK(alert.state == AlertState::kContested);
    ++disputed;
    // What is wrong is recorded once, with the liar's name; a wrong anchor anybody can read.
    const auto faults = *t.cluster.node(0)->Snapshot()->FaultsOf(alert.index);
    CHECK(faults.size() == (which->second < kAnchorLies ? 1 : 0));
    for (const ledger::FaultInfo& fault : faults) {
      const bool other_event = which->second == kEventLie;
      CHECK(fault.validator != genesis.validators[kLiar].identity());
      CHECK(fault.fault.fault ==
            (other_event ? ledger::AlertFault::kEvent : ledger::AlertFault::kRule));
      CHECK(fault.fault.score_q8 == (other_event ? alert.score_q8 : 0));
    }
  }
  CHECK(disputed == lies.size());
}

TEST_CASE("rule alerts: a validator that was stopped says the same as the others afterwards",
          "[detect]") {
  Network t;
  t.Traffic(16, /*odd_permille=*/20);
  t.cluster.RunFor(5 * kSecond);
  t.cluster.Crash(2, ledger::CrashMode::kProcessOnly);
  t.Traffic(20, /*odd_permille=*/20);
  REQUIRE(t.cluster.Start(2).ok());
  t.cluster.RunFor(10 * kSecond);
  const Height since = t.cluster.node(0)->Status().executed;
  t.Traffic(20, /*odd_permille=*/40);
  t.cluster.RunFor(40 * kSecond);
  size_t after = 0;
  for (const AlertInfo& alert : t.RuleAlerts()) {
    CHECK(alert.state == AlertState::kConfirmed);
    for (const ledger::AlertVerdict& verdict : alert.verdicts) CHECK(verdict.verdict == 1);
    if (alert.height <= since) continue;
    ++after;
    CHECK(alert.verdicts.size() == kValidators);
  }
  CHECK(after > 5);
  // The windows of periods before and after are those of all three.
  const auto models = t.cluster.node(0)->Snapshot()->ListModels(1000);
  REQUIRE(models.ok());
  size_t complete = 0;
  for (const ledger::ModelInfo& model : *models) {
    if (model.committed_by.size() == kValidators) ++complete;
    CHECK_FALSE(model.window_digest.IsZero());
  }
  CHECK(complete >= 2);
  t.OddPairs(t.Commit(t.stream.NextBatch(50, /*odd_permille=*/400)));
  t.cluster.RunFor(5 * kSecond);
  t.CheckSameEntities(0, 2);
}

TEST_CASE("rule alerts: rules are replaced while events flow and every validator goes along",
          "[detect]") {
  Network t;
  const Hash first = t.Newest();
  const SubmitReceipt early = t.Commit(t.stream.NextBatch(50, /*odd_permille=*/400));
  const std::map<uint32_t, std::string> pairs = t.OddPairs(early);
  t.Replace(sim::kOddRulesToo);
  const Hash second = t.Newest();
  REQUIRE(first != second);
  const SubmitReceipt late = t.Commit(t.stream.NextBatch(50, /*odd_permille=*/400));
  t.OddPairs(late);
  t.cluster.RunFor(30 * kSecond);
  std::map<Hash, std::set<uint32_t>> told;  // Rules that matched, by file.
  size_t of_first = 0;
  std::set<std::string> before;
  for (const auto& [item, pair] : pairs) before.insert(pair);
  for (const AlertInfo& alert : t.RuleAlerts()) {
    CAPTURE(alert.index.value(), alert.rule);
    CHECK(alert.state == AlertState::kConfirmed);
    CHECK(alert.verdicts.size() == kValidators);
    CHECK(alert.rules_digest == t.RulesOf(alert.event));
    CHECK(alert.model_digest == ledger::RuleDigestOf(alert.rules_digest, alert.rule));
    told[alert.rules_digest].insert(alert.rule);
    if (alert.rules_digest == first) ++of_first;
    const bool is_late = alert.event.record_index == late.record_index;
    CHECK(is_late == (alert.rules_digest == second));
    if (alert.rule == 3) CHECK(alert.score_q8 == 11 * 256);
  }
  CHECK(told[first] == std::set<uint32_t>{1});
  CHECK(told[second].contains(3));
  CHECK(of_first == before.size());
  for (uint32_t i = 0; i < kValidators; ++i) {
    CHECK(t.cluster.node(i)->Status().detection.rules == second);
    t.CheckSameEntities(0, i);
  }
  // Windows and what rules matched are committed to alike.
  t.Traffic(30, /*odd_permille=*/10);
  t.cluster.RunFor(30 * kSecond);
  const auto models = t.cluster.node(0)->Snapshot()->ListModels(1000);
  REQUIRE(models.ok());
  size_t complete = 0;
  for (const ledger::ModelInfo& model : *models) {
    CHECK(model.active);
    complete += model.committed_by.size() == kValidators ? 1 : 0;
  }
  CHECK(complete >= 1);
}

TEST_CASE("rule alerts: a validator that was away while rules changed says the same as the others",
          "[detect]") {
  Network t;
  const auto stop = GENERATE(0, 1, 2);  // Before the change, before it was read, behind it.
  CAPTURE(stop);
  t.Traffic(16, /*odd_permille=*/20);
  t.OddPairs(t.Commit(t.stream.NextBatch(50, /*odd_permille=*/400)));
  t.cluster.RunFor(5 * kSecond);
  if (stop == 0) t.cluster.Crash(2, ledger::CrashMode::kProcessOnly);
  if (stop == 1) t.cluster.SetFrozen(2, "detect");
  t.Replace(sim::kOddRulesToo);
  t.OddPairs(t.Commit(t.stream.NextBatch(50, /*odd_permille=*/400)));
  if (stop == 2) t.cluster.RunFor(5 * kSecond);
  t.Traffic(12, /*odd_permille=*/20);
  if (stop != 0) t.cluster.Crash(2, ledger::CrashMode::kProcessOnly);
  t.cluster.SetFrozen(2, "");
  t.Replace(sim::kOddRules);
  t.Traffic(2, /*odd_permille=*/100);
  t.Replace(sim::kOddRulesToo);
  REQUIRE(t.cluster.Start(2).ok());
  t.cluster.RunFor(10 * kSecond);
  const Height since = t.cluster.node(0)->Status().executed;
  t.OddPairs(t.Commit(t.stream.NextBatch(50, /*odd_permille=*/400)));
  t.Traffic(20, /*odd_permille=*/40);
  t.cluster.RunFor(40 * kSecond);
  size_t after = 0;
  std::set<Hash> files;
  for (const AlertInfo& alert : t.RuleAlerts()) {
    CHECK(alert.state == AlertState::kConfirmed);
    for (const ledger::AlertVerdict& verdict : alert.verdicts) CHECK(verdict.verdict == 1);
    files.insert(alert.rules_digest);
    if (alert.height <= since) continue;
    ++after;
    CHECK(alert.verdicts.size() == kValidators);
  }
  CHECK(after > 5);
  CHECK(files.size() == 2);
  t.CheckSameEntities(0, 2);
  t.CheckSameEntities(1, 2);
  const auto models = t.cluster.node(0)->Snapshot()->ListModels(1000);
  REQUIRE(models.ok());
  size_t complete = 0;
  for (const ledger::ModelInfo& model : *models) {
    complete += model.committed_by.size() == kValidators ? 1 : 0;
  }
  CHECK(complete >= 2);
}

TEST_CASE(
    "rule alerts: one by rules of another time is refused and one that they do not match "
    "disputed",
    "[detect]") {
  Network t;
  const Hash first = t.Newest();
  t.Traffic(2, /*odd_permille=*/0);
  t.cluster.RunFor(5 * kSecond);
  t.cluster.Crash(kLiar, ledger::CrashMode::kProcessOnly);
  t.cluster.config(kLiar).detector_enabled = false;
  REQUIRE(t.cluster.Start(kLiar).ok());
  t.FreezeHonestDetectors(true);
  const auto matched_in = [&](const SubmitReceipt& receipt) {
    const std::map<uint32_t, std::string> pairs = t.OddPairs(receipt);
    std::vector<BlockEventView> matched;
    std::set<std::string> different;
    for (const BlockEventView& event : t.events) {
      const auto pair = pairs.find(event.ref.item.value());
      if (event.ref.record_index != receipt.record_index || pair == pairs.end()) continue;
      if (different.insert(pair->second).second) matched.push_back(event);
    }
    REQUIRE(matched.size() >= 4);
    return matched;
  };
  const auto under = [&](AlertBody body, const Hash& rules, uint32_t rule) {
    body.rules_digest = rules;
    body.rule = rule;
    body.model_digest = ledger::RuleDigestOf(rules, rule);
    if (rule == 3) body.score_q8 = body.threshold_q8 = 11 * 256;
    return body;
  };
  // What the right alerts say is made while the bytes of their block are at hand.
  std::vector<AlertBody> early;
  for (const BlockEventView& event : matched_in(t.Commit(t.stream.NextBatch(50, 500)))) {
    early.push_back(t.RightAlert(event));
  }
  t.Replace(sim::kOddRulesToo);
  const Hash second = t.Newest();
  std::vector<AlertBody> late;
  for (const BlockEventView& event : matched_in(t.Commit(t.stream.NextBatch(50, 500)))) {
    late.push_back(t.RightAlert(event));
  }
  const auto refused = [&](const AlertBody& body) {
    const SubmitReceipt receipt = t.Commit(t.SignedByLiar(body));
    const auto results = t.cluster.node(0)->Snapshot()->GetResults(receipt.height);
    REQUIRE(results.ok());
    for (const ledger::RecordResult& result : *results) {
      if (result.index == receipt.record_index) CHECK(result.code == ledger::ResultCode::kNotFound);
    }
  };
  refused(under(early[0], second, 1));
  refused(under(late[0], first, 1));
  // The file is the right one, but its rule 1 waits for a second event, and has no rule 2 any more.
  const RecordIndex early_enough = t.Commit(t.SignedByLiar(under(late[1], second, 1))).record_index;
  const RecordIndex gone = t.Commit(t.SignedByLiar(under(late[2], second, 2))).record_index;
  // These are right, each under its own rules.
  const std::set<RecordIndex> right = {
      t.Commit(t.SignedByLiar(under(early[1], first, 1))).record_index,
      t.Commit(t.SignedByLiar(under(late[3], second, 3))).record_index};
  t.FreezeHonestDetectors(false);
  t.cluster.RunFor(60 * kSecond);
  size_t seen = 0;
  for (const AlertInfo& alert : t.RuleAlerts()) {
    CAPTURE(alert.index.value(), alert.rule);
    const bool lie = alert.index == early_enough || alert.index == gone;
    CHECK(alert.state == (lie ? AlertState::kContested : AlertState::kConfirmed));
    seen += lie || right.contains(alert.index) ? 1 : 0;
    if (!lie) continue;
    const auto faults = *t.cluster.node(0)->Snapshot()->FaultsOf(alert.index);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].fault.fault == ledger::AlertFault::kRule);
  }
  CHECK(seen == 4);
}

TEST_CASE("rule alerts: a network whose rules are none of this version has no detector",
          "[detect]") {
  sim::NetworkOptions options = Options();
  options.detector_rules = "vigil-rules 1\nversion 1\nrule 1 x\n";
  SimCluster cluster(options, /*seed=*/62);
  const absl::Status started = cluster.Start(0);
  CHECK(absl::IsFailedPrecondition(started));
  CHECK(absl::StrContains(started.message(), "parameters.detector.rules: line 3: rule 1: "));
}

}  // namespace
}  // namespace vigil::node
