// Nodes together: forwarding, leadership, peers that misbehave, disks that fail.
#include <vector>

#include "node/driver/node.h"
#include "node/driver/peer_frame.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::ResultCode;
using sim::SensorStream;
using sim::SimCluster;

uint32_t Other(const SimCluster& cluster, uint32_t leader) { return (leader + 1) % cluster.size(); }

TEST_CASE("cluster: a follower forwards to the leader and answers from its own chain",
          "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/11);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  const uint32_t follower = Other(cluster, leader);
  SensorStream stream = StreamOf(cluster);
  for (int i = 0; i < 5; ++i) {
    const SubmitOutcome outcome = SubmitAndWait(&cluster, follower, stream.NextBatch(2));
    REQUIRE(outcome.error.ok());
    CHECK(outcome.receipt.result == ResultCode::kOk);
    CHECK(cluster.node(follower)->Status().executed >= outcome.receipt.height);
  }
  CHECK(cluster.node(follower)->counters().records_forwarded == 5);
  CHECK(cluster.node(follower)->counters().blocks_built == 0);
}

TEST_CASE("cluster: one stream over several nodes stays in order", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/12);
  cluster.StartAll();
  WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  std::vector<OutcomeBox> boxes;
  for (uint32_t i = 0; i < 30; ++i) {
    boxes.push_back(SubmitTo(cluster.node(i % 3), stream.NextBatch(1)));
  }
  REQUIRE(cluster.RunUntil(
      [&] {
        for (const OutcomeBox& box : boxes) {
          if (!box->has_value()) return false;
        }
        return true;
      },
      20 * kSecond));
  for (const OutcomeBox& box : boxes) CHECK((*box)->receipt.result == ResultCode::kOk);
}

TEST_CASE("cluster: what was forwarded to a leader that dies reaches the next one", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/13);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  const uint32_t follower = Other(cluster, leader);
  SensorStream stream = StreamOf(cluster);
  REQUIRE(SubmitAndWait(&cluster, follower, stream.NextBatch(1)).error.ok());
  cluster.SetPaused(leader, true);
  const OutcomeBox box = SubmitTo(cluster.node(follower), stream.NextBatch(1));
  cluster.RunFor(100'000);
  CHECK_FALSE(box->has_value());
  cluster.Crash(leader, CrashMode::kLoseUnsynced);
  REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, 20 * kSecond));
  CHECK((*box)->receipt.result == ResultCode::kOk);
}

TEST_CASE("cluster: a lost forward is sent again", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/14);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  const uint32_t follower = Other(cluster, leader);
  cluster.RunFor(kSecond);
  sim::NetworkFaults deaf;
  deaf.loss_permille = 1000;
  cluster.network().SetFaults(deaf);
  SensorStream stream = StreamOf(cluster);
  const OutcomeBox box = SubmitTo(cluster.node(follower), stream.NextBatch(1));
  cluster.RunFor(100'000);
  CHECK(cluster.node(follower)->counters().records_forwarded == 1);
  cluster.network().SetFaults({});
  REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, 10 * kSecond));
  CHECK((*box)->receipt.result == ResultCode::kOk);
  CHECK(cluster.node(follower)->counters().records_forwarded >= 2);
}

TEST_CASE("cluster: a full lane at the leader reaches the client of a follower", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/15);
  for (uint32_t i = 0; i < 3; ++i) cluster.config(i).mempool.lane_bytes_max = {9000, 9000, 9000};
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  const uint32_t follower = Other(cluster, leader);
  cluster.RunFor(kSecond);
  // Held records fill the leader's lane: their predecessors never come.
  SensorStream hole = StreamOf(cluster, /*sensor=*/1);
  hole.NextBatch(1);
  std::vector<OutcomeBox> held;
  for (int i = 0; i < 12; ++i) {
    held.push_back(SubmitTo(cluster.node(leader), hole.NextBatch(1)));
  }
  cluster.RunFor(100'000);
  SensorStream stream = StreamOf(cluster);
  const SubmitOutcome outcome = SubmitAndWait(&cluster, follower, stream.NextBatch(4), kSecond);
  CHECK(outcome.error.code == "lane.full");
  CHECK(outcome.error.retry_after_millis > 0);
}

TEST_CASE("cluster: nothing is acknowledged before a quorum has it on disk", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/22);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  const uint32_t follower = Other(cluster, leader);
  cluster.Crash(3 - leader - follower, CrashMode::kLoseUnsynced);
  SensorStream stream = StreamOf(cluster);
  REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(1)).error.ok());
  for (const uint32_t slow : {follower, leader}) {
    // Everything runs but the disk of one of the two that are left.
    cluster.SetFrozen(slow, "journal");
    const OutcomeBox box = SubmitTo(cluster.node(leader), stream.NextBatch(1));
    cluster.RunFor(300'000);
    CHECK_FALSE(box->has_value());
    cluster.SetFrozen(slow, "");
    REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, 20 * kSecond));
    CHECK((*box)->error.ok());
  }
}

TEST_CASE("cluster: a vote is not given before it is on disk", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/23);
  cluster.StartAll();
  for (uint32_t i = 0; i < 3; ++i) cluster.SetFrozen(i, "journal");
  cluster.RunFor(10 * kSecond);
  CHECK(cluster.leader() == nullptr);
  for (uint32_t i = 0; i < 3; ++i) cluster.SetFrozen(i, "");
  WaitForLeader(&cluster);
}

TEST_CASE("cluster: a lone validator acknowledges nothing before its own disk has it",
          "[cluster]") {
  SimCluster cluster({.validators = 1}, /*seed=*/24);
  cluster.StartAll();
  WaitForLeader(&cluster);
  cluster.RunFor(kSecond);
  SensorStream stream = StreamOf(cluster);
  cluster.SetFrozen(0, "journal");
  const OutcomeBox box = SubmitTo(cluster.node(0), stream.NextBatch(1));
  cluster.RunFor(5 * kSecond);
  CHECK_FALSE(box->has_value());
  cluster.SetFrozen(0, "");
  REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, 20 * kSecond));
}

TEST_CASE("cluster: a leader without a quorum acknowledges nothing", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/16);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  cluster.RunFor(kSecond);
  for (uint32_t i = 0; i < 3; ++i) {
    if (i == leader) continue;
    cluster.network().SetCut(leader, i, true);
    cluster.network().SetCut(i, leader, true);
  }
  SensorStream lonely = StreamOf(cluster);
  const OutcomeBox box = SubmitTo(cluster.node(leader), lonely.NextBatch(1));
  cluster.RunFor(10 * kSecond);
  CHECK_FALSE(box->has_value());
  // The majority goes on.
  SensorStream stream = StreamOf(cluster, /*sensor=*/1);
  CHECK(SubmitAndWait(&cluster, Other(cluster, leader), stream.NextBatch(1)).error.ok());
  cluster.network().MendAll();
  REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, 20 * kSecond));
  CHECK((*box)->receipt.result == ResultCode::kOk);
}

TEST_CASE("cluster: a follower that was away long catches up from journals", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/17);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  const uint32_t away = Other(cluster, leader);
  cluster.Crash(away, CrashMode::kLoseUnsynced);
  SensorStream stream = StreamOf(cluster);
  for (int i = 0; i < 60; ++i) {
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(40)).error.ok());
  }
  REQUIRE(cluster.Start(away).ok());
  REQUIRE(cluster.RunUntil(
      [&] {
        return cluster.node(away)->Status().executed == cluster.node(leader)->Status().executed;
      },
      30 * kSecond));
  CHECK(cluster.node(away)->Snapshot()->GetTip()->state_digest ==
        cluster.node(leader)->Snapshot()->GetTip()->state_digest);
  REQUIRE(cluster.RunUntil(
      [&] {
        const NodeStatus status = cluster.node(away)->Status();
        return status.indexed == status.executed && status.detector == status.executed;
      },
      30 * kSecond));
}

TEST_CASE("cluster: a node whose disk fails falls silent and says why", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/18);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  cluster.RunFor(kSecond);
  SensorStream stream = StreamOf(cluster);
  cluster.disk(leader).FailAt(cluster.disk(leader).operation_count(), ledger::DiskFault::kIoError);
  const OutcomeBox box = SubmitTo(cluster.node(leader), stream.NextBatch(1));
  REQUIRE(cluster.RunUntil([&] { return !cluster.node(leader)->fatal().ok(); }, 5 * kSecond));
  CHECK_FALSE(box->has_value());
  const NodeStatus status = cluster.node(leader)->Status();
  CHECK(status.refusing);
  CHECK_FALSE(status.refusing_reason.empty());
  const uint64_t sent = cluster.node(leader)->counters().frames_sent;
  cluster.RunFor(5 * kSecond);
  CHECK(cluster.node(leader)->counters().frames_sent == sent);
  CHECK((*SubmitTo(cluster.node(leader), stream.NextBatch(1)))->error.code == "node.refusing");
  SensorStream other = StreamOf(cluster, /*sensor=*/1);
  CHECK(SubmitAndWait(&cluster, Other(cluster, leader), other.NextBatch(1)).error.ok());
}

TEST_CASE("cluster: frames before a good hello or of strangers count for nothing", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/19);
  cluster.StartAll();
  WaitForLeader(&cluster);
  Node& node = *cluster.node(0);
  const Hash before = node.core_digest();
  const auto invalid = [&] { return node.counters().frames_invalid.load(); };
  HelloFrame hello;
  hello.chain_id = node.genesis().chain_id;
  hello.journal_id = cluster.test_network().journal_id(1);
  hello.validator = ValidatorIndex(1);
  const auto expect_refused = [&](HelloFrame bad) {
    const uint64_t count = invalid();
    node.OnFrame(ValidatorIndex(1), EncodeHello(bad));
    CHECK(invalid() == count + 1);
    // The stream is not believed any more.
    node.OnFrame(ValidatorIndex(1), EncodeConsensusHead("x", 0));
    CHECK(invalid() == count + 2);
  };
  HelloFrame bad = hello;
  bad.chain_id.bytes[0] ^= 1;
  expect_refused(bad);
  bad = hello;
  bad.journal_id.bytes[0] ^= 1;  // A copy, or a validator that was made anew.
  expect_refused(bad);
  bad = hello;
  bad.validator = ValidatorIndex(2);
  expect_refused(bad);
  bad = hello;
  bad.protocol_version = 2;
  expect_refused(bad);
  uint64_t count = invalid();
  node.OnFrame(ValidatorIndex(7), EncodeHello(hello));
  node.OnFrame(ValidatorIndex(0), EncodeHello(hello));  // That is we ourselves.
  node.OnFrame(ValidatorIndex(2), "");
  node.OnFrame(ValidatorIndex(2), "\x09garbage");
  CHECK(invalid() == count + 4);
  node.OnFrame(ValidatorIndex(1), EncodeHello(hello));
  CHECK(invalid() == count + 4);
  CHECK(node.core_digest() == before);
}

TEST_CASE("cluster: a forwarded record that is malformed is refused and none enters a block",
          "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/20);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  cluster.RunFor(kSecond);
  Node& node = *cluster.node(leader);
  const ValidatorIndex peer(Other(cluster, leader));
  SensorStream stream = StreamOf(cluster);
  ledger::Record damaged = stream.NextBatch(3);
  damaged.payload.back() = static_cast<char>(damaged.payload.back() ^ 1);
  const auto stranger_key = ledger::SigningKey::FromSeed({9});
  SensorStream stranger(&node.genesis(), &stranger_key, "conn", 1);
  node.OnFrame(peer,
               EncodeForward({std::make_shared<const ledger::Record>(damaged),
                              std::make_shared<const ledger::Record>(stranger.NextBatch(1))}));
  const uint64_t records = node.Snapshot()->GetTip()->event_count;
  cluster.RunFor(3 * kSecond);
  CHECK(node.Snapshot()->GetTip()->event_count == records);
  CHECK(node.fatal().ok());
  for (uint32_t i = 0; i < 3; ++i) CHECK(cluster.node(i)->fatal().ok());
}

TEST_CASE("cluster: a block with a flipped bit does not reach the core", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/21);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  SensorStream stream = StreamOf(cluster);
  const SubmitOutcome outcome = SubmitAndWait(&cluster, leader, stream.NextBatch(3));
  const auto block = cluster.node(leader)->LoadBlock(outcome.receipt.height);
  REQUIRE(block.ok());
  Node& follower = *cluster.node(Other(cluster, leader));
  cluster.RunFor(kSecond);
  const Hash before = follower.core_digest();
  for (size_t at = 0; at < (*block)->frame().size(); at += 7) {
    std::string frame = (*block)->frame();
    frame[at] = static_cast<char>(frame[at] ^ 0x10);
    std::string message = EncodeConsensusHead("whatever", 1);
    ByteWriter(&message).Prefixed(frame);
    const uint64_t invalid = follower.counters().frames_invalid;
    follower.OnFrame(ValidatorIndex(leader), message);
    CHECK(follower.counters().frames_invalid == invalid + 1);
  }
  CHECK(follower.core_digest() == before);
}

}  // namespace
}  // namespace vigil::node
