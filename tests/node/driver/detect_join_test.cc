// The detector of a validator that joined by a snapshot: its windows are those of the others, and
// it says the same as they, whoever serves it what it lacks, and whenever it is stopped.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/state/rules.h"
#include "node/driver/detector_actor.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/peer_frame.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::ModelInfo;
using sim::SensorStream;
using sim::SimCluster;

constexpr uint64_t kInterval = 65;
constexpr uint32_t kLate = 3;
constexpr char kCheckpoints[] = "/vigil/checkpoints";

sim::NetworkOptions Options() {
  sim::NetworkOptions options;
  options.validators = 4;
  options.heartbeat_millis = 200;
  options.snapshot_interval_blocks = kInterval;
  options.detector.window_rows_max = 512;
  options.detector.window_rows_min = 128;
  options.detector.period_events = 512;
  options.detector.trees = 10;
  options.detector.sample_rows = 64;
  options.detector.seed_reveals = 1;
  options.detector.threshold_floor_q8 = 256;
  options.detector_rules = sim::kOddRules;
  return options;
}

// Three validators of four with traffic, snapshots and models; the fourth never ran.
struct Network {
  SimCluster cluster{Options(), /*seed=*/81};
  SensorStream stream = StreamOf(cluster);
  std::vector<std::string> log;  // Of the late one.

  explicit Network(int batches = 55) {
    cluster.SetLogTap([this](uint32_t i, LogLevel, absl::string_view line) {
      if (i == kLate) log.emplace_back(line);
    });
    for (uint32_t i = 0; i < kLate; ++i) REQUIRE(cluster.Start(i).ok());
    WaitForLeader(&cluster);
    Traffic(batches);
    REQUIRE(
        cluster.RunUntil([&] { return Final(0) >= Height(2 * kInterval + 10); }, 120 * kSecond));
    cluster.SetBeginning(kLate, Beginning::kJoin);
  }
  void Traffic(int batches, uint32_t odd_permille = 5) {
    for (int i = 0; i < batches; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(50, odd_permille)).error.ok());
    }
    cluster.RunFor(3 * kSecond);
  }
  Node& late() { return *cluster.node(kLate); }
  bool IsUp() { return cluster.node(kLate) != nullptr; }
  Height Final(uint32_t i) { return cluster.node(i)->Status().final; }
  bool IsWarm() {
    if (!IsUp()) return false;
    const NodeStatus status = late().Status();
    return !status.join.active && status.warmth.warm && status.detector == status.executed;
  }
  void WaitUntilWarm() {
    const bool warm = cluster.RunUntil([&] { return IsWarm(); }, 120 * kSecond);
    INFO(Tail());
    REQUIRE(warm);
  }
  std::string Tail() {
    std::string text;
    if (IsUp()) text = absl::StrCat("phase: ", late().Status().warmth.phase);
    for (size_t i = log.size() > 20 ? log.size() - 20 : 0; i < log.size(); ++i) {
      absl::StrAppend(&text, "\n", log[i]);
    }
    return text;
  }
  bool Logged(absl::string_view text) const {
    return std::any_of(log.begin(), log.end(),
                       [&](const std::string& line) { return absl::StrContains(line, text); });
  }
  std::vector<ModelInfo> Models() { return *cluster.node(0)->Snapshot()->ListModels(1000); }
  std::string Identity() { return cluster.test_network().genesis().validators[kLate].identity(); }

  // What it says of everything that comes from now on is what the others say.
  void CheckSaysTheSame() {
    const Height since = cluster.node(0)->Status().executed;
    const uint64_t alerts_before = AlertCount();
    Traffic(24);
    Traffic(8, /*odd_permille=*/40);
    cluster.RunFor(20 * kSecond);
    INFO(Tail());
    std::set<std::pair<uint64_t, uint32_t>> seen;
    size_t said = 0;
    for (const ModelInfo& model : Models()) {
      if (model.window_end <= since) continue;
      CAPTURE(model.period, model.event_type, model.window_end.value());
      // One statement of each: of model and windows.
      CHECK(seen.emplace(model.period, model.event_type).second);
      CHECK_FALSE(model.window_digest.IsZero());
      said += std::count(model.committed_by.begin(), model.committed_by.end(), Identity());
    }
    CHECK(said >= 2);
    CHECK(said == seen.size());

    REQUIRE(AlertCount() > alerts_before);
    size_t judged = 0;
    size_t proposed = 0;
    const auto alerts =
        cluster.node(0)->Snapshot()->ListAlerts(RecordIndex(0), true, 10'000, std::nullopt);
    REQUIRE(alerts.ok());
    for (const ledger::AlertInfo& alert : *alerts) {
      if (alert.height <= since) continue;
      CHECK(alert.state == ledger::AlertState::kConfirmed);
      if (alert.proposer == Identity()) ++proposed;
      for (const ledger::AlertVerdict& verdict : alert.verdicts) {
        CHECK(verdict.verdict == 1);
        if (verdict.validator == Identity()) ++judged;
      }
    }
    CHECK(judged > 0);
    CHECK(proposed > 0);
  }
  uint64_t AlertCount() { return cluster.node(0)->Snapshot()->GetTip()->alert_count; }
};

bool IsOfDetector(const FetchAnswer& answer) {
  return answer.id >= kDetectFetchIdMin && answer.id <= kDetectFetchIdMax;
}

TEST_CASE("detect join: a validator that joined by a snapshot says what the others say",
          "[detect_join]") {
  Network t;
  REQUIRE(t.cluster.Start(kLate).ok());
  t.WaitUntilWarm();
  CHECK(t.Logged("joins by the snapshot of height"));
  CHECK(t.Logged("goes on from the checkpoint of height"));
  CHECK(t.Logged("is warm"));
  CHECK(t.late().Status().warmth.bytes_fetched > 0);
  CHECK(t.late().Status().warmth.phase.empty());
  // It follows, and what it can search begins with the first block that it has.
  t.Traffic(2);
  const Height tip = t.late().Status().executed;
  Height first(1);
  while (first < tip && !t.late().LoadBlock(first).ok()) first = first.Next();
  CHECK(first > Height(kInterval));
  CHECK(first < tip);
  CHECK(t.late().index().first_height() == first);
  t.CheckSaysTheSame();

  SECTION("also after a restart, which goes on from its own files") {
    t.cluster.Crash(kLate, CrashMode::kProcessOnly);
    t.log.clear();
    REQUIRE(t.cluster.Start(kLate).ok());
    t.WaitUntilWarm();
    CHECK_FALSE(t.Logged("goes on from the checkpoint"));
    CHECK(t.late().Status().warmth.bytes_fetched == 0);
    t.CheckSaysTheSame();
  }
  SECTION("also when everything of the detector is lost") {
    t.cluster.Crash(kLate, CrashMode::kProcessOnly);
    t.log.clear();
    ledger::FaultyFileSystem& disk = t.cluster.disk(kLate);
    for (const std::string folder : {"/vigil/checkpoints", "/vigil/detect"}) {
      const auto names = disk.List(folder);
      REQUIRE(names.ok());
      for (const std::string& name : *names) {
        REQUIRE(disk.Remove(absl::StrCat(folder, "/", name)).ok());
      }
    }
    REQUIRE(t.cluster.Start(kLate).ok());
    t.WaitUntilWarm();
    CHECK(t.Logged("goes on from the checkpoint"));
    t.CheckSaysTheSame();
  }
}

TEST_CASE("detect join: a validator that joins after rules were replaced goes by them as others do",
          "[detect_join]") {
  Network t;
  const sim::TestNetwork& network = t.cluster.test_network();
  const Hash first = network.genesis().rules_digest;
  const Hash second = ledger::RulesDigestOf(sim::kOddRulesToo);
  REQUIRE(SubmitAndWait(&t.cluster, 0, network.ProposeRules(0, Epoch(1), sim::kOddRulesToo, first))
              .error.ok());
  // The checkpoint that it goes on from lies before the change, or behind it.
  const bool behind = GENERATE(false, true);
  CAPTURE(behind);
  t.Traffic(behind ? 60 : 1, /*odd_permille=*/40);
  REQUIRE(t.cluster.Start(kLate).ok());
  t.WaitUntilWarm();
  CHECK(t.Logged("goes on from the checkpoint of height"));
  t.CheckSaysTheSame();
  CHECK(t.Logged("are held against rules") != behind);
  CHECK(t.late().Status().detection.rules == second);
  // A change that it sees itself.
  REQUIRE(SubmitAndWait(&t.cluster, 0, network.ProposeRules(0, Epoch(1), sim::kOddRules, second))
              .error.ok());
  t.CheckSaysTheSame();
  CHECK(t.late().Status().detection.rules == first);
}

TEST_CASE("detect join: what a validator lies about is counted and fetched from another",
          "[detect_join]") {
  Network t;
  uint64_t lies = 0;
  std::set<uint32_t> liars = {0, 1};
  std::set<uint32_t> models;  // Ids of requests.
  t.cluster.network().SetTap([&](uint32_t from, absl::string_view frame) {
    const auto request = DecodeFetchRequest(frame);
    if (from == kLate && request.ok() && request->kind == FetchKind::kModel) {
      models.insert(request->id);
    }
  });
  std::function<void(FetchAnswer*)> lie;
  SECTION("a byte of a window") {
    lie = [&](FetchAnswer* answer) { answer->body[answer->body.size() / 2] ^= 1; };
  }
  SECTION("a byte of a model") {
    lie = [&](FetchAnswer* answer) {
      if (models.contains(answer->id)) answer->body[answer->body.size() - 1] ^= 1;
    };
  }
  SECTION("an endless file") {
    lie = [](FetchAnswer* answer) { answer->body[0] = 0x7f; };
  }
  SECTION("nothing at all") {
    lie = [](FetchAnswer* answer) { answer->body.clear(); };
  }
  t.cluster.network().SetAlter([&](uint32_t from, absl::string_view frame) {
    auto answer = DecodeFetchAnswer(frame);
    if (!liars.contains(from) || !answer.ok() || !IsOfDetector(*answer) || answer->body.empty()) {
      return std::string(frame);
    }
    const std::string before = answer->body;
    lie(&*answer);
    if (answer->body != before) ++lies;
    return EncodeFetchAnswer(*answer);
  });
  REQUIRE(t.cluster.Start(kLate).ok());
  t.WaitUntilWarm();
  CHECK(lies > 0);
  CHECK(t.late().Status().warmth.bad_answers == lies);
  CHECK(t.Logged("answered what does not hold"));
  t.CheckSaysTheSame();
}

TEST_CASE("detect join: with peers that all lie it stays cold and says nothing", "[detect_join]") {
  Network t;
  t.cluster.network().SetAlter([&](uint32_t, absl::string_view frame) {
    auto answer = DecodeFetchAnswer(frame);
    if (!answer.ok() || !IsOfDetector(*answer) || answer->body.empty()) return std::string(frame);
    answer->body.back() ^= 1;
    return EncodeFetchAnswer(*answer);
  });
  REQUIRE(t.cluster.Start(kLate).ok());
  REQUIRE(
      t.cluster.RunUntil([&] { return t.IsUp() && !t.late().Status().join.active; }, 60 * kSecond));
  t.Traffic(20);
  t.cluster.RunFor(30 * kSecond);
  CHECK_FALSE(t.late().Status().warmth.warm);
  CHECK_FALSE(t.late().Status().warmth.phase.empty());
  CHECK(t.late().Status().detector == Height(0));
  for (const ModelInfo& model : t.Models()) {
    CHECK(std::count(model.committed_by.begin(), model.committed_by.end(), t.Identity()) == 0);
  }
  t.cluster.network().SetAlter(nullptr);
  t.WaitUntilWarm();
  t.CheckSaysTheSame();
}

TEST_CASE("detect join: a crash anywhere on the way costs nothing", "[detect_join]") {
  Network t;
  REQUIRE(t.cluster.Start(kLate).ok());
  REQUIRE(
      t.cluster.RunUntil([&] { return t.IsUp() && !t.late().Status().join.active; }, 60 * kSecond));
  // Each life gets a little further.
  int lives = 0;
  for (; lives < 60 && !t.IsWarm(); ++lives) {
    t.cluster.RunUntil([&] { return t.IsWarm(); }, 2'000 * (lives + 1));
    if (t.IsWarm()) break;
    t.cluster.Crash(kLate, CrashMode::kLoseUnsynced);
    REQUIRE(t.cluster.Start(kLate).ok());
  }
  CHECK(lives > 2);
  t.WaitUntilWarm();
  t.CheckSaysTheSame();
}

TEST_CASE("detect join: before a checkpoint is confirmed it reads the blocks of others",
          "[detect_join]") {
  Network t(/*batches=*/6);
  REQUIRE(t.Models().empty());
  uint64_t lies = 0;
  SECTION("honest ones") {}
  SECTION("of which one lies") {
    t.cluster.network().SetAlter([&](uint32_t from, absl::string_view frame) {
      auto answer = DecodeFetchAnswer(frame);
      if (from != 0 || !answer.ok() || !IsOfDetector(*answer) || answer->body.empty()) {
        return std::string(frame);
      }
      ++lies;
      answer->body[answer->body.size() - 20] ^= 1;
      return EncodeFetchAnswer(*answer);
    });
  }
  REQUIRE(t.cluster.Start(kLate).ok());
  t.WaitUntilWarm();
  INFO(t.Tail());
  CHECK(t.late().Status().warmth.bad_answers == lies);
  CHECK_FALSE(t.Logged("goes on from the checkpoint"));
  CHECK(t.Logged("joins by the snapshot of height"));
  t.CheckSaysTheSame();
}

TEST_CASE("detect join: where nobody keeps a checkpoint it waits for the next", "[detect_join]") {
  Network t;
  for (uint32_t i = 0; i < kLate; ++i) {
    const auto names = t.cluster.disk(i).List(kCheckpoints);
    REQUIRE(names.ok());
    for (const std::string& name : *names) {
      REQUIRE(t.cluster.disk(i).Remove(absl::StrCat(kCheckpoints, "/", name)).ok());
    }
  }
  REQUIRE(t.cluster.Start(kLate).ok());
  REQUIRE(t.cluster.RunUntil(
      [&] {
        return t.IsUp() && absl::StrContains(t.late().Status().warmth.phase, "waits for the next");
      },
      60 * kSecond));
  CHECK_FALSE(t.late().Status().warmth.warm);
  t.Traffic(30);
  t.WaitUntilWarm();
  CHECK(t.Logged("goes on from the checkpoint"));
  t.CheckSaysTheSame();
}

}  // namespace
}  // namespace vigil::node
