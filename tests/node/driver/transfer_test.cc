// Handing leadership over, through whole nodes: who takes over, what it costs, what is refused.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "node/driver/transfer_desk.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using OutcomeOfTransfer = std::shared_ptr<std::optional<TransferOutcome>>;

OutcomeOfTransfer Transfer(Node* node, std::optional<ValidatorIndex> to) {
  auto box = std::make_shared<std::optional<TransferOutcome>>();
  node->TransferLeadership(to, [box](const TransferOutcome& outcome) {
    CHECK_FALSE(box->has_value());  // Exactly once.
    *box = outcome;
  });
  return box;
}

struct Cluster {
  explicit Cluster(uint64_t seed) : cluster({.validators = 3}, seed), stream(StreamOf(cluster)) {
    cluster.StartAll();
    leader = WaitForLeader(&cluster);
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(2)).error.ok());
  }
  uint32_t follower(uint32_t which = 0) const { return (leader + 1 + which) % 3; }
  TransferOutcome Await(const OutcomeOfTransfer& box) {
    REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, 20 * kSecond));
    return **box;
  }
  consensus::CoreRole RoleOf(uint32_t node) { return cluster.node(node)->Status().core.role; }
  // How long nobody acknowledges anything from now on, asked at node `node`.
  int64_t MicrosUntilAcknowledged(uint32_t node) {
    const int64_t begun = cluster.clock().MonotonicMicros();
    REQUIRE(SubmitAndWait(&cluster, node, stream.NextBatch(1)).error.ok());
    return cluster.clock().MonotonicMicros() - begun;
  }

  sim::SimCluster cluster;
  sim::SensorStream stream;
  uint32_t leader = 0;
};

TEST_CASE("transfer: whom one names leads next without an election timeout", "[transfer]") {
  Cluster net(21);
  const uint32_t to = net.follower(1);
  const int64_t begun = net.cluster.clock().MonotonicMicros();
  const TransferOutcome outcome =
      net.Await(Transfer(net.cluster.node(net.leader), ValidatorIndex(to)));
  CHECK(outcome.error.ok());
  CHECK(outcome.leader == ValidatorIndex(to));
  CHECK(net.RoleOf(to) == consensus::CoreRole::kLeader);
  CHECK(net.RoleOf(net.leader) == consensus::CoreRole::kFollower);
  net.MicrosUntilAcknowledged(net.leader);
  const int64_t shortest_timeout =
      int64_t{net.cluster.config(0).election_timeout_ticks_min} * consensus::kTickMillis * 1000;
  CHECK(net.cluster.clock().MonotonicMicros() - begun < shortest_timeout);
  // Whoever asks again because the answer was lost is told the same.
  const TransferOutcome again =
      net.Await(Transfer(net.cluster.node(net.leader), ValidatorIndex(to)));
  CHECK(again.error.ok());
}

TEST_CASE("transfer: a rolling restart that hands over first costs no election timeout",
          "[transfer]") {
  Cluster net(22);
  const int64_t shortest_timeout =
      int64_t{net.cluster.config(0).election_timeout_ticks_min} * consensus::kTickMillis * 1000;
  int64_t worst_handed = 0, least_killed = INT64_MAX;
  for (uint32_t round = 0; round < 6; ++round) {
    const bool hands_over = round % 2 == 0;
    const uint32_t leader = WaitForLeader(&net.cluster);
    net.leader = leader;
    if (hands_over) {
      const TransferOutcome outcome = net.Await(Transfer(net.cluster.node(leader), std::nullopt));
      REQUIRE(outcome.error.ok());
    }
    net.cluster.Crash(leader, ledger::CrashMode::kProcessOnly);
    const int64_t micros = net.MicrosUntilAcknowledged(net.follower());
    if (hands_over) {
      worst_handed = std::max(worst_handed, micros);
    } else {
      least_killed = std::min(least_killed, micros);
    }
    REQUIRE(net.cluster.Start(leader).ok());
    net.cluster.RunFor(3 * kSecond);
  }
  INFO("handed over " << worst_handed << " us at most, killed " << least_killed << " at least");
  CHECK(worst_handed < shortest_timeout);
  CHECK(least_killed >= shortest_timeout);
}

TEST_CASE("transfer: it goes to whoever has most of the chain", "[transfer]") {
  Cluster net(23);
  const uint32_t behind = net.follower(), ahead = net.follower(1);
  net.cluster.network().SetCut(net.leader, behind, true);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(SubmitAndWait(&net.cluster, net.leader, net.stream.NextBatch(1)).error.ok());
  }
  const TransferOutcome outcome = net.Await(Transfer(net.cluster.node(net.leader), std::nullopt));
  CHECK(outcome.error.ok());
  CHECK(outcome.leader == ValidatorIndex(ahead));
}

TEST_CASE("transfer: what cannot be is refused with the reason", "[transfer]") {
  Cluster net(24);
  Node* const leader = net.cluster.node(net.leader);
  SECTION("not the leader") {
    const TransferOutcome outcome =
        net.Await(Transfer(net.cluster.node(net.follower()), ValidatorIndex(net.follower(1))));
    CHECK(outcome.error.code == "transfer.not_leader");
    CHECK_THAT(
        outcome.error.what,
        Catch::Contains(net.cluster.test_network().genesis().validators[net.leader].identity()));
  }
  SECTION("to one that is down") {
    net.cluster.Crash(net.follower(), ledger::CrashMode::kProcessOnly);
    net.cluster.RunFor(2 * kSecond);
    const TransferOutcome outcome = net.Await(Transfer(leader, ValidatorIndex(net.follower())));
    CHECK(outcome.error.code == "transfer.target");
    CHECK(net.RoleOf(net.leader) == consensus::CoreRole::kLeader);
  }
  SECTION("to one that stands still: given up, and it leads on") {
    net.cluster.SetPaused(net.follower(), true);
    const TransferOutcome outcome = net.Await(Transfer(leader, ValidatorIndex(net.follower())));
    CHECK(outcome.error.code == "transfer.given_up");
    net.cluster.SetPaused(net.follower(), false);
    net.MicrosUntilAcknowledged(net.leader);
  }
  SECTION("another one is under way") {
    net.cluster.SetPaused(net.follower(), true);
    const OutcomeOfTransfer first = Transfer(leader, ValidatorIndex(net.follower()));
    const OutcomeOfTransfer second = Transfer(leader, std::nullopt);
    REQUIRE(second->has_value());
    CHECK((*second)->error.code == "transfer.busy");
    net.Await(first);
  }
  SECTION("the node stops") {
    net.cluster.SetPaused(net.follower(), true);
    const OutcomeOfTransfer waiting = Transfer(leader, ValidatorIndex(net.follower()));
    leader->AnswerWaiting();
    REQUIRE(waiting->has_value());
    CHECK((*waiting)->error.code == "node.stopping");
  }
}

TEST_CASE("transfer: one validator alone has nobody to hand over to", "[transfer]") {
  sim::SimCluster cluster({.validators = 1}, 25);
  cluster.StartAll();
  WaitForLeader(&cluster);
  const OutcomeOfTransfer box = Transfer(cluster.node(0), std::nullopt);
  REQUIRE(cluster.RunUntil([&] { return box->has_value(); }, kSecond));
  CHECK((*box)->error.code == "transfer.no_successor");
}

TEST_CASE("transfer: what clients sent during it is acknowledged once", "[transfer]") {
  Cluster net(26);
  const OutcomeOfTransfer transfer = Transfer(net.cluster.node(net.leader), std::nullopt);
  const OutcomeBox during = SubmitTo(net.cluster.node(net.leader), net.stream.NextBatch(3));
  REQUIRE(net.cluster.RunUntil([&] { return during->has_value() && transfer->has_value(); },
                               20 * kSecond));
  CHECK((*transfer)->error.ok());
  CHECK((*during)->error.ok());
  CHECK((*during)->receipt.result == ledger::ResultCode::kOk);
}

}  // namespace
}  // namespace vigil::node
