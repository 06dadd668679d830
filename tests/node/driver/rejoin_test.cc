// Joining with an empty journal: what a validator that may have voted before must not do.
#include <string>
#include <vector>

#include "consensus/raft/codec.h"
#include "node/driver/recovery.h"
#include "tests/node/driver/cluster_support.h"

namespace vigil::node {
namespace {

using consensus::CoreRole;
using ledger::CrashMode;
using sim::SensorStream;
using sim::SimCluster;

constexpr char kJournal[] = "/vigil/journal";
constexpr char kGuard[] = "/vigil/rollback_guard";

bool Votes(SimCluster* cluster, uint32_t i) {
  const NodeStatus status = cluster->node(i)->Status();
  return !status.refusing && status.core.role != CoreRole::kNonVoter;
}

void RemoveFilesOf(ledger::FaultyFileSystem* disk, const std::string& folder) {
  const auto names = disk->List(folder);
  REQUIRE(names.ok());
  for (const std::string& name : *names) {
    REQUIRE(disk->Remove(folder + "/" + name).ok());
  }
  REQUIRE(disk->SyncDir(folder).ok());
}

// Three validators with some history; one of them is down and has lost its journal.
struct LostJournal {
  SimCluster cluster{{.validators = 3}, /*seed=*/61};
  SensorStream stream = StreamOf(cluster);
  uint32_t lost = 0;
  uint32_t other = 0;
  View view;

  explicit LostJournal(bool keeps_guard) {
    cluster.StartAll();
    const uint32_t leader = WaitForLeader(&cluster);
    lost = (leader + 1) % 3;
    other = (leader + 2) % 3;
    Submit(20);
    cluster.RunFor(2 * kSecond);
    view = cluster.node(lost)->Status().core.view;
    cluster.Crash(lost, CrashMode::kLoseUnsynced);
    RemoveFilesOf(&cluster.disk(lost), kJournal);
    if (!keeps_guard) {
      REQUIRE(cluster.disk(lost).Remove(kGuard).ok());
      REQUIRE(cluster.disk(lost).SyncDir("/vigil").ok());
    }
    Submit(10);
  }
  void Submit(int batches) {
    for (int i = 0; i < batches; ++i) {
      REQUIRE(SubmitAndWait(&cluster, other, stream.NextBatch(3)).error.ok());
    }
  }
  void CheckIsWhole() {
    REQUIRE(cluster.RunUntil([&] { return Votes(&cluster, lost); }, 30 * kSecond));
    Submit(5);
    const Height height = cluster.node(other)->Status().executed;
    REQUIRE(cluster.RunUntil([&] { return cluster.node(lost)->Status().final >= height; },
                             30 * kSecond));
    CHECK(*cluster.node(lost)->Snapshot()->StateDigest(height) ==
          *cluster.node(other)->Snapshot()->StateDigest(height));
    REQUIRE(cluster.RunUntil([&] { return cluster.node(lost)->Status().log.cosigned_size > 0; },
                             30 * kSecond));
  }
};

TEST_CASE("rejoin: a validator that lost its journal comes back and votes and cosigns again",
          "[rejoin]") {
  const bool keeps_guard = GENERATE(true, false);
  LostJournal t(keeps_guard);
  if (keeps_guard) {
    REQUIRE(t.cluster.Start(t.lost).ok());
    CHECK(t.cluster.node(t.lost)->Status().refusing);
    CHECK(t.cluster.node(t.lost)->Status().refusing_reason.find("vigild rejoin") !=
          std::string::npos);
    t.cluster.Crash(t.lost, CrashMode::kLoseUnsynced);
  }
  const auto kept = t.cluster.Rejoin(t.lost);
  INFO(kept.status());
  REQUIRE(kept.ok());
  CHECK(kept->empty());  // Nothing was left to keep.
  REQUIRE(t.cluster.Start(t.lost).ok());
  CHECK_FALSE(Votes(&t.cluster, t.lost));
  // The others have no snapshot yet, so it follows from the first block.
  REQUIRE(t.cluster.RunUntil([&] { return !t.cluster.node(t.lost)->Status().join.active; },
                             30 * kSecond));
  if (keeps_guard) CHECK(t.cluster.node(t.lost)->Status().core.view >= t.view);
  t.CheckIsWhole();
  const View now = t.cluster.node(t.lost)->Status().core.view;
  if (keeps_guard) {
    CHECK(now < View(consensus::kForgottenTerms));
  } else {
    CHECK(now > View(t.view.value() + consensus::kForgottenTerms));
  }
  // Its floor was on disk before it signed anything.
  t.cluster.Crash(t.lost, CrashMode::kLoseUnsynced);
  absl::Status damage;
  const auto reader = ledger::OpenJournalForReading(&t.cluster.disk(t.lost), kJournal, &damage);
  REQUIRE(reader.ok());
  std::vector<CosignGuard> guards;
  REQUIRE((*reader)
              ->ForEach((*reader)->begin(),
                        [&](const ledger::JournalReader::Frame& frame) {
                          if (frame.type != ledger::JournalType::kCosigned) return true;
                          guards.push_back(*DecodeCosignGuard(frame.body));
                          return true;
                        })
              .ok());
  REQUIRE(guards.size() >= 2);
  CHECK(guards[0].size == 0);
  CHECK(guards[0].floor >= Height(20));
  CHECK(guards[1].floor == guards[0].floor);
  // And it goes on like any other.
  REQUIRE(t.cluster.Start(t.lost).ok());
  t.CheckIsWhole();
}

TEST_CASE("rejoin: a sound journal is given up only when told so and kept all the same",
          "[rejoin]") {
  SimCluster cluster({.validators = 3}, /*seed=*/62);
  cluster.StartAll();
  SensorStream stream = StreamOf(cluster);
  const uint32_t leader = WaitForLeader(&cluster);
  REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(3)).error.ok());
  const uint32_t one = (leader + 1) % 3;
  cluster.RunFor(kSecond);
  cluster.Crash(one, CrashMode::kProcessOnly);
  const auto refused = cluster.Rejoin(one);
  CHECK(absl::IsFailedPrecondition(refused.status()));
  CHECK(refused.status().message().find("--even-if-sound") != absl::string_view::npos);
  const auto kept = cluster.Rejoin(one, /*even_if_sound=*/true);
  REQUIRE(kept.ok());
  CHECK(*kept == std::string(kJournal) + ".lost-1");
  CHECK(cluster.disk(one).List(*kept)->size() == 1);
  REQUIRE(cluster.Start(one).ok());
  REQUIRE(cluster.RunUntil([&] { return Votes(&cluster, one); }, 30 * kSecond));
}

TEST_CASE("rejoin: no word of an operator about a torn end gives back votes that are lost",
          "[rejoin]") {
  LostJournal t(/*keeps_guard=*/true);
  REQUIRE(t.cluster.Rejoin(t.lost).ok());
  for (uint32_t i = 0; i < 3; ++i) {
    if (i != t.lost) t.cluster.Crash(i, CrashMode::kLoseUnsynced);
  }
  t.cluster.config(t.lost).accept_torn_tail = true;
  REQUIRE(t.cluster.Start(t.lost).ok());
  t.cluster.RunFor(5 * kSecond);
  CHECK_FALSE(Votes(&t.cluster, t.lost));
}

TEST_CASE("rejoin: with it a lost journal is not one of two that elect without what is committed",
          "[rejoin]") {
  LostJournal t(/*keeps_guard=*/true);
  const Height committed = t.cluster.node(t.other)->Status().core.committed.height;
  REQUIRE(t.cluster.Rejoin(t.lost).ok());
  for (uint32_t i = 0; i < 3; ++i) {
    if (i != t.lost) t.cluster.Crash(i, CrashMode::kLoseUnsynced);
  }
  // One of the others and the one that joins are two of three, but not a quorum of voters.
  REQUIRE(t.cluster.Start(t.lost).ok());
  REQUIRE(t.cluster.Start(t.other).ok());
  t.cluster.RunFor(10 * kSecond);
  CHECK(t.cluster.leader() == nullptr);
  CHECK_FALSE(Votes(&t.cluster, t.lost));
  for (uint32_t i = 0; i < 3; ++i) {
    if (t.cluster.node(i) == nullptr) REQUIRE(t.cluster.Start(i).ok());
  }
  t.CheckIsWhole();
  CHECK(t.cluster.node(t.lost)->Status().core.committed.height > committed);
}

TEST_CASE("rejoin: a crash anywhere on the way leaves what can be repeated and never a voter",
          "[rejoin]") {
  const bool keeps_guard = GENERATE(true, false);
  for (uint64_t step = 0;; ++step) {
    LostJournal t(keeps_guard);
    ledger::FaultyFileSystem& disk = t.cluster.disk(t.lost);
    disk.CrashAt(disk.operation_count() + step);
    const bool done = t.cluster.Rejoin(t.lost).ok();
    disk.Crash(CrashMode::kLoseUnsynced);
    INFO("crash at operation " << step << (done ? ", behind the last one" : ""));
    const absl::Status started = t.cluster.Start(t.lost);
    if (started.ok()) {
      CHECK_FALSE(Votes(&t.cluster, t.lost));
      t.cluster.Crash(t.lost, CrashMode::kLoseUnsynced);
    }
    const auto again = t.cluster.Rejoin(t.lost, /*even_if_sound=*/true);
    INFO(again.status());
    REQUIRE(again.ok());
    REQUIRE(t.cluster.Start(t.lost).ok());
    t.CheckIsWhole();
    if (done) break;
    REQUIRE(step < 200);
  }
}

TEST_CASE("rejoin: one whose very first group was torn has not joined and an operator decides",
          "[rejoin]") {
  const sim::TestNetwork network({.validators = 3});
  ledger::FaultyFileSystem disk(7);
  const JournalPlace place{&disk, "/v/journal", "/v/rollback_guard", network.journal_id(0), {}};
  REQUIRE(disk.MakeDirs("/v").ok());
  REQUIRE(CreateJournal(place).ok());
  auto opened = OpenJournal(place);
  REQUIRE(opened.ok());
  // What the core writes when its first group was lost.
  const std::string vote = consensus::EncodeRaftVoteRecord(
      {.epoch = Epoch(1), .term = View(0), .voted_for = std::nullopt, .may_vote = false});
  REQUIRE(opened->journal->Append(ledger::JournalType::kVote, AsBytes(vote)).ok());
  REQUIRE(opened->journal->Sync().ok());
  const auto scan = ScanJournal(network.genesis(), *opened->reader);
  REQUIRE(scan.ok());
  CHECK_FALSE(scan->joined);
  CHECK_FALSE(scan->IsNew());
  CHECK_FALSE(RecoveredFrom(*scan, *opened, Height(0), false).forgot_votes);
  CHECK(RecoveredFrom(*scan, *opened, Height(0), /*accept_torn_tail=*/true).may_vote);
}

TEST_CASE("join: a fifth validator joins a network that runs", "[rejoin]") {
  SimCluster cluster({.validators = 5}, /*seed=*/63);
  for (uint32_t i = 0; i < 4; ++i) REQUIRE(cluster.Start(i).ok());
  SensorStream stream = StreamOf(cluster);
  WaitForLeader(&cluster);
  for (int i = 0; i < 20; ++i) REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(3)).error.ok());
  cluster.SetBeginning(4, Beginning::kJoin);
  REQUIRE(cluster.Start(4).ok());
  CHECK_FALSE(Votes(&cluster, 4));
  REQUIRE(cluster.RunUntil([&] { return Votes(&cluster, 4); }, 30 * kSecond));
  // It counts: with two others down it is one of the three that are needed.
  cluster.Crash(0, CrashMode::kLoseUnsynced);
  cluster.Crash(1, CrashMode::kLoseUnsynced);
  CHECK(SubmitAndWait(&cluster, 4, stream.NextBatch(3)).error.ok());
}

TEST_CASE("join: a network of which everybody joins does not begin", "[rejoin]") {
  SimCluster cluster({.validators = 3}, /*seed=*/64);
  for (uint32_t i = 0; i < 3; ++i) cluster.SetBeginning(i, Beginning::kJoin);
  cluster.StartAll();
  cluster.RunFor(10 * kSecond);
  CHECK(cluster.leader() == nullptr);
}

TEST_CASE("join: a folder of one that ran is not made for joining by init", "[rejoin]") {
  LostJournal t(/*keeps_guard=*/true);
  const absl::Status made =
      Node::Init(&t.cluster.disk(t.lost), "/vigil", t.cluster.test_network().journal_id(t.lost), "",
                 Beginning::kJoin);
  CHECK(absl::IsAlreadyExists(made));
  CHECK(made.message().find("vigild rejoin") != absl::string_view::npos);
  // And one is made once.
  ledger::FaultyFileSystem disk(5);
  const ledger::JournalId id = t.cluster.test_network().journal_id(0);
  REQUIRE(Node::Init(&disk, "/v", id, "", Beginning::kJoin).ok());
  CHECK(absl::IsAlreadyExists(Node::Init(&disk, "/v", id, "", Beginning::kJoin)));
  CHECK(absl::IsAlreadyExists(Node::Init(&disk, "/v", id, "", Beginning::kNewNetwork)));
}

}  // namespace
}  // namespace vigil::node
