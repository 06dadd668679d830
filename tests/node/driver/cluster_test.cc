// Nodes together: forwarding, leadership, peers that misbehave, disks that fail.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
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

TEST_CASE("cluster: a lone record waits for no others and many share blocks", "[cluster]") {
  SimCluster cluster({.validators = 3}, /*seed=*/15);
  cluster.StartAll();
  const uint32_t leader = WaitForLeader(&cluster);
  const Node& leads = *cluster.node(leader);
  cluster.RunFor(kSecond);
  std::vector<SensorStream> streams;
  for (int i = 0; i < 64; ++i) streams.push_back(StreamOf(cluster, 0, absl::StrCat("s", i)));
  for (int i = 0; i < 5; ++i) {
    const uint64_t built = leads.counters().blocks_built;
    const OutcomeBox box = SubmitTo(cluster.node(leader), streams[0].NextBatch(1));
    // Less than what gathers would wait for at least.
    REQUIRE(cluster.RunUntil([&] { return leads.counters().blocks_built > built; }, 4'000));
    REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, kSecond));
  }

  const uint64_t built = leads.counters().blocks_built;
  const int64_t began = cluster.clock().MonotonicMicros();
  std::vector<OutcomeBox> boxes;
  for (SensorStream& stream : streams) {
    boxes.push_back(SubmitTo(cluster.node(leader), stream.NextBatch(1)));
    cluster.RunFor(100);
  }
  REQUIRE(cluster.RunUntil(
      [&] { return std::all_of(boxes.begin(), boxes.end(), [](const auto& box) { return *box; }); },
      kSecond));
  for (const OutcomeBox& box : boxes) CHECK((*box)->receipt.result == ResultCode::kOk);
  // One for the first, one for what came while that was under way, then one every 5 ms.
  const auto micros = static_cast<uint64_t>(cluster.clock().MonotonicMicros() - began);
  CAPTURE(micros);
  CHECK(leads.counters().blocks_built - built <= 2 + micros / 5'000);
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
  const ledger::Record first = lonely.NextBatch(1);
  const OutcomeBox box = SubmitTo(cluster.node(leader), first);
  const auto leaderless = [&] { return box->has_value(); };
  REQUIRE(cluster.RunUntil(leaderless, 10 * kSecond));
  CHECK((*box)->error.code == "node.no_leader");
  CHECK((*box)->error.retry_after_millis > 0);
  CHECK_THAT((*box)->error.what, Catch::Contains("may still be committed"));
  // Who comes later is told at once, and nothing is kept of it.
  CHECK_THAT((*SubmitTo(cluster.node(leader), lonely.NextBatch(1)))->error.what,
             Catch::Contains("was not taken"));
  // The majority goes on.
  SensorStream stream = StreamOf(cluster, /*sensor=*/1);
  CHECK(SubmitAndWait(&cluster, Other(cluster, leader), stream.NextBatch(1)).error.ok());
  cluster.network().MendAll();
  // What was handed on is there, or the same bytes bring it there: once.
  REQUIRE(cluster.RunUntil([&] { return cluster.node(leader)->Status().core.leader.has_value(); },
                           20 * kSecond));
  CHECK(SubmitAndWait(&cluster, leader, first).error.ok());
  CHECK(SubmitAndWait(&cluster, leader, first).receipt.result == ResultCode::kDuplicate);
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
  Node& sender = *cluster.node(1);
  Hash certificate;
  certificate.bytes.fill(7);
  const std::string good = sender.Hello(ValidatorIndex(0), certificate);
  const auto stream = [&](uint32_t from) {
    return PeerStream{.from = ValidatorIndex(from), .certificate_hash = certificate};
  };
  PeerStream honest = stream(1);
  REQUIRE(node.OnFrame(&honest, good).ok());
  REQUIRE(honest.greeted);
  const auto expect_refused = [&](PeerStream bad, std::string frame) {
    const uint64_t count = invalid();
    CHECK_FALSE(node.OnFrame(&bad, std::move(frame)).ok());
    CHECK(invalid() == count + 1);
    CHECK_FALSE(bad.greeted);
    CHECK_FALSE(node.OnFrame(&bad, EncodeConsensusHead("x", 0)).ok());
    // What the peer says on its other stream counts as before.
    const uint64_t dropped = node.counters().frames_dropped;
    const uint64_t told = invalid();
    CHECK(node.OnFrame(&honest, EncodeConsensusHead("x", 0)).ok());
    CHECK(node.counters().frames_dropped == dropped);
    CHECK(invalid() == told);
  };
  const auto damaged = [&](size_t at) {
    std::string frame = good;
    frame[at] = static_cast<char>(frame[at] ^ 1);
    return frame;
  };
  expect_refused(stream(1), damaged(1));   // Another chain.
  expect_refused(stream(1), damaged(33));  // A copied journal, or one that was made anew.
  expect_refused(stream(1), damaged(52));  // Another version.
  expect_refused(stream(1), damaged(56));  // Another validator.
  expect_refused(stream(1), damaged(57));  // Not signed so.
  expect_refused(stream(2), good);         // Under another validator's certificate.
  expect_refused(stream(7), good);         // A stranger's.
  expect_refused(stream(0), node.Hello(ValidatorIndex(0), certificate));    // That is we ourselves.
  expect_refused(stream(1), sender.Hello(ValidatorIndex(2), certificate));  // For another receiver.
  PeerStream stolen = stream(1);
  stolen.certificate_hash.bytes[0] ^= 1;  // A certificate that the validator never had.
  expect_refused(stolen, good);
  expect_refused(stream(1), "");
  expect_refused(stream(1), "\x09garbage");
  const uint64_t count = invalid();
  CHECK(node.OnFrame(&honest, "\x09garbage").ok());  // Counted; the stream goes on.
  CHECK(node.OnFrame(&honest, good).ok());
  CHECK(invalid() == count + 2);
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
  PeerStream talk{.from = peer, .certificate_hash = Hash(), .greeted = true};
  REQUIRE(node.OnFrame(&talk, EncodeForward(
                                  {std::make_shared<const ledger::Record>(damaged),
                                   std::make_shared<const ledger::Record>(stranger.NextBatch(1))}))
              .ok());
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
    PeerStream talk{.from = ValidatorIndex(leader), .certificate_hash = Hash(), .greeted = true};
    REQUIRE(follower.OnFrame(&talk, message).ok());
    CHECK(follower.counters().frames_invalid == invalid + 1);
  }
  CHECK(follower.core_digest() == before);
}

}  // namespace
}  // namespace vigil::node
