// The transparency log of whole nodes: final under faults, guards that never go back, liars.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/log/policy.h"
#include "ledger/log/tiles.h"
#include "ledger/proof/fork_evidence.h"
#include "ledger/state/log_keys.h"
#include "node/driver/node.h"
#include "node/driver/peer_frame.h"
#include "node/log/cosign_note.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/node/log/cosign_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using sim::SensorStream;
using sim::SimCluster;

// Reads every cosignature that anybody sends, and remembers what is wrong with them.
class LogWatch {
 public:
  explicit LogWatch(SimCluster* cluster)
      : keys_(ledger::LogKeysOf(cluster->test_network().genesis())) {
    cluster->network().SetTap(
        [this](uint32_t from, absl::string_view frame) { OnFrame(from, frame); });
  }
  const std::string& wrong() const { return wrong_; }
  const CosignOracle& oracle() const { return oracle_; }
  const ledger::LogKeys& keys() const { return keys_; }

 private:
  void OnFrame(uint32_t from, absl::string_view frame) {
    const auto cosignature = DecodeCosignature(frame);
    if (!cosignature.ok()) return;
    const auto note = CheckSignedCheckpoint(keys_, ValidatorIndex(from), cosignature->note);
    const std::string wrong = note.ok() ? oracle_.OnNote(*note) : note.status().ToString();
    if (wrong_.empty()) wrong_ = wrong;
  }

  const ledger::LogKeys keys_;
  CosignOracle oracle_;
  std::string wrong_;
};

bool AllFinal(SimCluster* cluster) {
  const Height tip = cluster->node(0)->Status().executed;
  for (uint32_t i = 0; i < cluster->size(); ++i) {
    if (cluster->node(i)->Status().executed != tip || cluster->node(i)->FinalHeight() != tip) {
      return false;
    }
  }
  return true;
}

// What a node serves is what it says: a quorum's note, and tiles that lead to its root.
std::string CheckServed(const Node& node) {
  const auto note = node.Checkpoint();
  if (!note.ok()) return note.status().ToString();
  const auto verdict = ledger::CheckCheckpoint(ledger::LogPolicyOf(node.genesis()), *note);
  if (!verdict.ok()) return verdict.status().ToString();
  if (!verdict->quorum) return verdict->missing;
  const auto root = ledger::RootFromTiles(*node.tiles(), verdict->checkpoint.size);
  if (!root.ok()) return root.status().ToString();
  return *root == verdict->checkpoint.root ? "" : "the tiles lead to another root";
}

TEST_CASE("log: every record becomes final and the tiles bear the checkpoint out", "[log]") {
  for (const uint32_t validators : {1, 3, 4}) {
    SimCluster cluster({.validators = validators}, /*seed=*/31 + validators);
    LogWatch watch(&cluster);
    cluster.StartAll();
    const uint32_t leader = WaitForLeader(&cluster);
    SensorStream stream = StreamOf(cluster);
    for (int i = 0; i < 20; ++i) {
      const SubmitOutcome outcome = SubmitAndWait(&cluster, i % validators, stream.NextBatch(2));
      REQUIRE(outcome.error.ok());
      int answers = 0;
      cluster.node(leader)->WhenFinal(outcome.receipt.height, [&](const ServiceError& error) {
        CHECK(error.ok());
        ++answers;
      });
      REQUIRE(cluster.RunUntil([&] { return answers > 0; }, 2 * kSecond));
      CHECK(answers == 1);
      CHECK(cluster.node(leader)->FinalHeight() >= outcome.receipt.height);
    }
    for (uint32_t i = 0; i < validators; ++i) {
      REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
      CHECK(CheckServed(*cluster.node(i)) == "");
      CHECK(cluster.node(i)->Status().log.refusing_reason == "");
    }
    CHECK(watch.wrong() == "");
  }
}

TEST_CASE("log: nothing becomes final without a quorum", "[log]") {
  SimCluster cluster({.validators = 3}, /*seed=*/35);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
  // The others agree on, but their logs get no time.
  for (uint32_t i = 0; i < 3; ++i) {
    if (i != leader) cluster.SetFrozen(i, "log");
  }
  const SubmitOutcome outcome = SubmitAndWait(&cluster, leader, stream.NextBatch(1));
  REQUIRE(outcome.error.ok());
  cluster.RunFor(5 * kSecond);
  CHECK(cluster.node(leader)->FinalHeight() < outcome.receipt.height);
  cluster.SetFrozen((leader + 1) % 3, "");
  CHECK(cluster.RunUntil(
      [&] { return cluster.node(leader)->FinalHeight() >= outcome.receipt.height; }, 5 * kSecond));
}

TEST_CASE("log: who waits is answered when the node stops", "[log]") {
  SimCluster cluster({.validators = 3}, /*seed=*/36);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  std::vector<ServiceError> answers;
  cluster.node(leader)->WhenFinal(Height(1'000'000),
                                  [&](const ServiceError& error) { answers.push_back(error); });
  cluster.node(leader)->Stop();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].code == "node.stopping");
  cluster.node(leader)->WhenFinal(Height(1'000'000),
                                  [&](const ServiceError& error) { answers.push_back(error); });
  CHECK(answers.size() == 2);
}

TEST_CASE("log: a clean stop and a start go on where the files are", "[log]") {
  SimCluster cluster({.validators = 3}, /*seed=*/37);
  LogWatch watch(&cluster);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  }
  REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
  const Height final = cluster.node(leader)->FinalHeight();
  cluster.node(leader)->Stop();
  cluster.Crash(leader, CrashMode::kLoseUnsynced);
  // Everything synced is there: progress and, with it, the checkpoint.
  REQUIRE(cluster.Start(leader).ok());
  REQUIRE(cluster.RunUntil([&] { return cluster.node(leader)->FinalHeight() >= final; }, kSecond));
  CHECK(CheckServed(*cluster.node(leader)) == "");
  SECTION("and damaged tiles are made again from the journal") {
    cluster.Crash(leader, CrashMode::kProcessOnly);
    REQUIRE(cluster.disk(leader).FlipBit("/vigil/log/progress", 30, 1).ok());
    REQUIRE(cluster.Start(leader).ok());
    REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 10 * kSecond));
    CHECK(CheckServed(*cluster.node(leader)) == "");
  }
  CHECK(watch.wrong() == "");
}

TEST_CASE("log: a follower that lost all its log files makes them again", "[log]") {
  SimCluster cluster({.validators = 3}, /*seed=*/38);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  }
  const uint32_t follower = (leader + 1) % 3;
  cluster.Crash(follower, CrashMode::kLoseUnsynced);  // Nothing of the log was synced.
  REQUIRE(cluster.Start(follower).ok());
  REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 10 * kSecond));
  CHECK(CheckServed(*cluster.node(follower)) == "");
}

// Cosigns what `node` serves, as a witness outside would.
WitnessedCheckpoint WitnessedNow(const Node& node) {
  const auto note = ledger::DecodeSignedCheckpoint(node.Checkpoint().value());
  REQUIRE(note.ok());
  std::array<uint8_t, 32> seed{};
  return {.size = note->checkpoint.size,
          .line = ledger::CosignNote(ledger::SigningKey::FromSeed(seed), "witness.example",
                                     note->note.text, /*unix_seconds=*/1)};
}
bool HasOutsideLine(absl::string_view note) {
  return absl::StrContains(note, "\n\u2014 witness.example ");
}

TEST_CASE("log: a witness outside stands on the checkpoint that it cosigned and on no other",
          "[log]") {
  SimCluster cluster({.validators = 3}, /*seed=*/39);
  LogWatch watch(&cluster);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
  Node* node = cluster.node(leader);
  const WitnessedCheckpoint witnessed = WitnessedNow(*node);
  node->OnWitnessed(witnessed);
  CHECK(HasOutsideLine(node->Checkpoint().value()));
  CHECK(CheckServed(*node) == "");
  const auto in_file = [&] {
    return cluster.disk(leader).ReadAll("/vigil/log/checkpoint").value();
  };
  REQUIRE(cluster.RunUntil([&] { return HasOutsideLine(in_file()); }, 2 * kSecond));
  CHECK(in_file() == node->Checkpoint().value());

  SECTION("a larger checkpoint is served without it and an old line changes nothing") {
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
    REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
    CHECK_FALSE(HasOutsideLine(node->Checkpoint().value()));
    node->OnWitnessed(witnessed);
    CHECK_FALSE(HasOutsideLine(node->Checkpoint().value()));
    CHECK(CheckServed(*node) == "");
  }
  SECTION("a start believes the validators' lines of a stored checkpoint that bears it") {
    node->Stop();
    cluster.Crash(leader, CrashMode::kProcessOnly);
    for (uint32_t i = 0; i < 3; ++i) {
      if (i != leader) cluster.Crash(i, CrashMode::kProcessOnly);
    }
    REQUIRE(cluster.Start(leader).ok());  // Alone, so that nothing becomes final anew.
    REQUIRE(cluster.RunUntil([&] { return cluster.node(leader)->Checkpoint().ok(); }, 5 * kSecond));
    CHECK(CheckServed(*cluster.node(leader)) == "");
    CHECK(WitnessedNow(*cluster.node(leader)).size == witnessed.size);
  }
  CHECK(watch.wrong() == "");
}

// --- Liars.

// Sends to node `to` what validator `from` signed, as if it had come from `as`.
void Inject(SimCluster* cluster, uint32_t to, uint32_t as, const SignedCheckpoint& checkpoint) {
  PeerStream stream{.from = ValidatorIndex(as), .certificate_hash = Hash(), .greeted = true};
  REQUIRE(cluster->node(to)
              ->OnFrame(&stream, EncodeCosignature(
                                     {.asks = false, .note = EncodeSignedCheckpoint(checkpoint)}))
              .ok());
}

SignedCheckpoint SignAs(const SimCluster& cluster, const ledger::LogKeys& keys, uint32_t validator,
                        uint64_t size, const Hash& root) {
  const sim::TestNetwork& network = cluster.test_network();
  return SignCheckpoint(keys, ValidatorIndex(validator), network.log_key(validator),
                        network.cosigner_key(validator),
                        {.origin = keys.origin, .size = size, .root = root}, 1'700'000'000);
}

TEST_CASE("log: a peer that lies about the root leaves evidence and nothing else", "[log]") {
  SimCluster cluster({.validators = 4}, /*seed=*/40);
  LogWatch watch(&cluster);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
  const uint32_t honest = leader;
  const uint32_t liar = (leader + 1) % 4;
  const ledger::Tip tip = *cluster.node(honest)->Snapshot()->GetTip();
  Hash wrong = tip.tree.Root();
  wrong.bytes[0] ^= 1;
  const uint64_t invalid = cluster.node(honest)->counters().frames_invalid;

  SECTION("signed by itself: evidence is kept, and the chain goes on") {
    Inject(&cluster, honest, liar, SignAs(cluster, watch.keys(), liar, tip.tree.size(), wrong));
    cluster.RunFor(10'000);
    CHECK(cluster.node(honest)->Status().log.fork_count == 1);
    const auto files = cluster.disk(honest).List("/vigil/log/evidence");
    REQUIRE(files.ok());
    CHECK(*files == std::vector<std::string>{
                        absl::StrCat(tip.tree.size(), "-acme.v", liar, ".fork-evidence")});
    // A stranger with nothing but the policy learns who lied.
    const auto file =
        cluster.disk(honest).ReadAll(absl::StrCat("/vigil/log/evidence/", (*files)[0]));
    REQUIRE(file.ok());
    const auto notes = ledger::DecodeForkEvidence(*file);
    REQUIRE(notes.ok());
    const ledger::Policy policy = ledger::LogPolicyOf(cluster.test_network().genesis());
    const auto evidence = ledger::CheckForkEvidence(policy, notes->first, notes->second);
    REQUIRE(evidence.ok());
    const std::string name = absl::StrCat(watch.keys().origin, "/v/acme/v", liar, "/1");
    const auto names_liar = [&](const std::string& vkey) { return vkey.starts_with(name + "+"); };
    CHECK(
        std::any_of(evidence->culprits.begin(), evidence->culprits.end(), names_liar) !=
        std::any_of(evidence->against_quorum.begin(), evidence->against_quorum.end(), names_liar));
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
    REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
  }
  SECTION("in another validator's name: dropped and counted") {
    const uint32_t victim = (leader + 2) % 4;
    Inject(&cluster, honest, liar, SignAs(cluster, watch.keys(), victim, tip.tree.size(), wrong));
    cluster.RunFor(10'000);
    CHECK(cluster.node(honest)->counters().frames_invalid == invalid + 1);
    CHECK(cluster.node(honest)->Status().log.fork_count == 0);
  }
  SECTION("with a signature that is none: dropped and counted") {
    SignedCheckpoint bad = SignAs(cluster, watch.keys(), liar, tip.tree.size(), tip.tree.Root());
    bad.cosignature.signature[12] ^= 1;
    Inject(&cluster, honest, liar, bad);
    cluster.RunFor(10'000);
    CHECK(cluster.node(honest)->counters().frames_invalid == invalid + 1);
  }
  SECTION("about the future: found out when the chain gets there") {
    const uint64_t next_size = tip.tree.size() + 2;  // One record and its seal.
    Inject(&cluster, honest, liar, SignAs(cluster, watch.keys(), liar, next_size, wrong));
    cluster.RunFor(10'000);
    CHECK(cluster.node(honest)->Status().log.fork_count == 0);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
    }
    REQUIRE(cluster.RunUntil([&] { return cluster.node(honest)->Status().log.fork_count == 1; },
                             5 * kSecond));
  }
  CHECK(watch.wrong() == "");
}

TEST_CASE("log: two liars of four can neither make a lie final nor stop the truth", "[log]") {
  SimCluster cluster({.validators = 4}, /*seed=*/41);
  LogWatch watch(&cluster);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
  const ledger::Tip tip = *cluster.node(leader)->Snapshot()->GetTip();
  for (uint64_t ahead = 1; ahead < 40; ++ahead) {
    for (const uint32_t liar : {(leader + 1) % 4, (leader + 2) % 4}) {
      Hash wrong = RootAt(ahead);
      Inject(&cluster, leader, liar,
             SignAs(cluster, watch.keys(), liar, tip.tree.size() + ahead, wrong));
    }
  }
  for (int i = 0; i < 5; ++i) {
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  }
  REQUIRE(cluster.RunUntil([&] { return AllFinal(&cluster); }, 5 * kSecond));
  CHECK(CheckServed(*cluster.node(leader)) == "");
  CHECK(watch.wrong() == "");
}

// --- Crashes.

// How often the journal of a node says that what it signed may be forgotten.
uint64_t CountFloors(SimCluster* cluster, uint32_t i) {
  absl::Status tail;
  const auto journal = ledger::OpenJournalForReading(&cluster->disk(i), "/vigil/journal", &tail);
  REQUIRE(journal.ok());
  uint64_t count = 0;
  Height last(0);
  const absl::Status read =
      (*journal)->ForEach((*journal)->begin(), [&](const ledger::JournalReader::Frame& frame) {
        if (frame.type != ledger::JournalType::kCosigned) return true;
        const auto guard = DecodeCosignGuard(frame.body);
        REQUIRE(guard.ok());
        count += guard->floor > last ? 1 : 0;
        last = guard->floor;
        return true;
      });
  REQUIRE(read.ok());
  return count;
}

// Where so many journals were torn that no quorum may vote, the operator says that power was lost.
void LetOperatorDecide(SimCluster* cluster) {
  const auto is_non_voter = [&](uint32_t i) {
    return cluster->node(i)->Status().core.role == consensus::CoreRole::kNonVoter;
  };
  uint32_t non_voters = 0;
  for (uint32_t i = 0; i < cluster->size(); ++i) non_voters += is_non_voter(i) ? 1 : 0;
  for (uint32_t i = 0; i < cluster->size() && non_voters > 1; ++i) {
    if (!is_non_voter(i)) continue;
    cluster->Crash(i, CrashMode::kProcessOnly);
    cluster->config(i).accept_torn_tail = true;
    REQUIRE(cluster->Start(i).ok());
    cluster->config(i).accept_torn_tail = false;
    --non_voters;
  }
}

// Nodes crash at any moment of signing, with whatever their disks make of it, and come back.
// Returns how many of them did not know any more what they had signed.
uint64_t RunWithCrashes(uint64_t seed) {
  INFO("seed " << seed);
  SimCluster cluster({.validators = 4}, seed);
  LogWatch watch(&cluster);
  sim::NetworkFaults faults;
  faults.loss_permille = 50;
  faults.repeat_permille = 30;
  faults.delay_micros_max = 30'000;
  faults.reorder = true;
  cluster.network().SetFaults(faults);
  cluster.StartAll();
  cluster.SetHurried(true);
  SensorStream stream = StreamOf(cluster);
  OutcomeBox box;
  ledger::Record record;
  static constexpr CrashMode kModes[] = {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced,
                                         CrashMode::kAnyLoss};
  for (int round = 0; round < 25; ++round) {
    const auto victim = static_cast<uint32_t>(cluster.random().Below(4));
    cluster.FailDiskSoon(victim);
    for (int i = 0; i < 8; ++i) {
      const uint32_t to = static_cast<uint32_t>(cluster.random().Below(4));
      if (box == nullptr || (box->has_value() && (*box)->error.ok())) record = stream.NextBatch(1);
      if (box == nullptr || box->has_value()) box = SubmitTo(cluster.node(to), record);
      cluster.RunFor(static_cast<int64_t>(cluster.random().Below(100'000)));
    }
    cluster.RunUntil([&] { return !cluster.node(victim)->fatal().ok(); }, 2 * kSecond);
    cluster.Crash(victim, kModes[cluster.random().Below(3)]);
    cluster.RunFor(static_cast<int64_t>(cluster.random().Below(500'000)));
    REQUIRE(cluster.Start(victim).ok());
    REQUIRE(watch.wrong() == "");
    INFO(cluster.node(victim)->Status().refusing_reason);
    REQUIRE_FALSE(cluster.node(victim)->Status().refusing);
    LetOperatorDecide(&cluster);
  }
  cluster.network().SetFaults({});
  cluster.SetHurried(false);
  CHECK(cluster.RunUntil([&] { return AllFinal(&cluster); }, 30 * kSecond));
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK(cluster.node(i)->Status().log.fork_count == 0);
    CHECK(cluster.node(i)->Status().log.refusing_reason == "");
    CHECK(CheckServed(*cluster.node(i)) == "");
  }
  CHECK(watch.wrong() == "");
  CHECK(watch.oracle().count() > 20);
  uint64_t floors = 0;
  for (uint32_t i = 0; i < 4; ++i) floors += CountFloors(&cluster, i);
  return floors;
}

TEST_CASE("log: no validator ever signs a conflict at whatever moment it crashes", "[log]") {
  VIGIL_TEST_SEED(seed, 5100);
  uint64_t floors = 0;
  for (uint64_t i = 0; i < 3; ++i) floors += RunWithCrashes(seed + i);
  CHECK(floors > 0);
}

TEST_CASE("log: many seeds of crashes", "[log][.slow]") {
  VIGIL_TEST_SEED(seed, 9100);
  for (uint64_t i = 0; i < 60; ++i) RunWithCrashes(seed + i);
}

}  // namespace
}  // namespace vigil::node
