#include "consensus/raft/peer_flow.h"

#include "tests/consensus/raft/test_host.h"
#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

ChainLog LogOf(uint64_t heights, uint64_t size) {
  ChainLog log({Height(0), View(0), BlockMaker::GenesisHash()});
  for (uint64_t height = 1; height <= heights; ++height) {
    log.Append(BlockId{Height(height), View(1), Hash{}}, size);
  }
  return log;
}

RaftConfig Limits() {
  RaftConfig config;
  config.peer_messages_in_flight_max = 3;
  config.peer_bytes_in_flight_max = 1000;
  config.message_bytes_max = 400;
  config.message_blocks_max = 10;
  return config;
}

// A flow in the replicate state: the follower has `match`.
PeerFlow Replicating(Height match) {
  PeerFlow flow;
  flow.Reset(match, Height(0));
  flow.OnMatched(match, /*before_probe=*/false);
  return flow;
}

uint64_t SendAll(PeerFlow* flow, const ChainLog& log, const RaftConfig& config) {
  uint64_t messages = 0;
  while (flow->NextSend(log, config).has_value()) ++messages;
  return messages;
}

TEST_CASE("peer flow: a probe sends one block and waits", "[consensus]") {
  const ChainLog log = LogOf(5, 100);
  PeerFlow flow;
  flow.Reset(Height(2), Height(0));
  const auto range = flow.NextSend(log, Limits());
  REQUIRE(range.has_value());
  CHECK(range->first == Height(3));
  CHECK(range->last == Height(3));
  CHECK_FALSE(flow.NextSend(log, Limits()).has_value());
  CHECK(flow.previous() == Height(2));
}

TEST_CASE("peer flow: a message carries what its limits allow", "[consensus]") {
  const ChainLog log = LogOf(50, 100);
  RaftConfig config = Limits();
  SECTION("bytes") {
    PeerFlow flow = Replicating(Height(0));
    const auto range = flow.NextSend(log, config);
    CHECK(range->last - range->first == 3);
  }
  SECTION("blocks") {
    config.message_blocks_max = 2;
    PeerFlow flow = Replicating(Height(0));
    const auto range = flow.NextSend(log, config);
    CHECK(range->last - range->first == 1);
  }
}

TEST_CASE("peer flow: unacknowledged bytes and messages stay within the budget", "[consensus]") {
  RaftConfig config = Limits();
  SECTION("bytes") {
    PeerFlow flow = Replicating(Height(0));
    CHECK(SendAll(&flow, LogOf(50, 100), config) == 3);
    CHECK(flow.bytes_in_flight() == 1000);
    CHECK(flow.previous() == Height(10));
  }
  SECTION("messages") {
    PeerFlow flow = Replicating(Height(0));
    CHECK(SendAll(&flow, LogOf(50, 10), config) == 3);
    CHECK(flow.previous() == Height(30));
  }
  SECTION("a block beyond every limit travels alone") {
    PeerFlow flow = Replicating(Height(0));
    CHECK(SendAll(&flow, LogOf(3, 5000), config) == 1);
    CHECK(flow.previous() == Height(1));
    flow.OnMatched(Height(1), /*before_probe=*/false);
    CHECK(SendAll(&flow, LogOf(3, 5000), config) == 1);
  }
}

TEST_CASE("peer flow: an acknowledgement frees the budget of what it covers", "[consensus]") {
  const ChainLog log = LogOf(50, 100);
  PeerFlow flow = Replicating(Height(0));
  SendAll(&flow, log, Limits());
  CHECK(flow.OnMatched(Height(4), /*before_probe=*/false));
  CHECK(flow.bytes_in_flight() == 600);
  CHECK_FALSE(flow.OnMatched(Height(4), /*before_probe=*/false));
  CHECK(SendAll(&flow, log, Limits()) == 1);
  CHECK(flow.bytes_in_flight() == 1000);
}

TEST_CASE("peer flow: a probe on its way counts as in flight and a lost one is sent again",
          "[consensus]") {
  const ChainLog log = LogOf(5, 100);
  PeerFlow flow;
  flow.Reset(Height(2), Height(0));
  flow.NextSend(log, Limits());
  SECTION("on its way") {
    flow.OnMatched(Height(2), /*before_probe=*/true);
    CHECK(flow.bytes_in_flight() == 100);
    CHECK(flow.NextSend(log, Limits())->first == Height(4));
  }
  SECTION("lost") {
    flow.OnMatched(Height(2), /*before_probe=*/false);
    CHECK(flow.bytes_in_flight() == 0);
    CHECK(flow.NextSend(log, Limits())->first == Height(3));
  }
}

TEST_CASE("peer flow: the hint of a rejection never becomes a match", "[consensus]") {
  PeerFlow flow;
  flow.Reset(Height(9), Height(0));
  CHECK(flow.OnMismatch(Height(9), /*meeting=*/Height(4)));
  CHECK(flow.match() == Height(0));
  CHECK(flow.previous() == Height(4));
  CHECK_FALSE(flow.replicating());
}

TEST_CASE("peer flow: a hint above the rejection cannot raise the probe", "[consensus]") {
  PeerFlow flow;
  flow.Reset(Height(9), Height(0));
  CHECK(flow.OnMismatch(Height(9), /*meeting=*/Height(50)));
  CHECK(flow.previous() == Height(8));
}

TEST_CASE("peer flow: stale rejections are ignored", "[consensus]") {
  const ChainLog log = LogOf(9, 100);
  SECTION("at or below what is matched") {
    PeerFlow flow = Replicating(Height(5));
    CHECK_FALSE(flow.OnMismatch(Height(5), Height(0)));
    CHECK(flow.replicating());
    CHECK(flow.match() == Height(5));
  }
  SECTION("of another probe") {
    PeerFlow flow;
    flow.Reset(Height(9), Height(0));
    flow.OnMismatch(Height(9), Height(4));
    CHECK_FALSE(flow.OnMismatch(Height(9), Height(1)));
    CHECK(flow.previous() == Height(4));
  }
  SECTION("of something never sent") {
    PeerFlow flow = Replicating(Height(5));
    CHECK_FALSE(flow.OnMismatch(Height(8), Height(0)));
    CHECK(flow.replicating());
  }
}

TEST_CASE("peer flow: a loss while replicating starts again above what is matched", "[consensus]") {
  const ChainLog log = LogOf(9, 100);
  PeerFlow flow = Replicating(Height(2));
  SendAll(&flow, log, Limits());
  CHECK(flow.OnMismatch(Height(6), Height(0)));
  CHECK(flow.previous() == Height(2));
  CHECK(flow.match() == Height(2));
  CHECK(flow.bytes_in_flight() == 0);
  CHECK_FALSE(flow.replicating());
}

TEST_CASE("peer flow: nothing at or below the base of the log is ever sent", "[consensus]") {
  ChainLog log(BlockId{Height(100), View(1), Hash{}});
  for (uint64_t height = 101; height <= 105; ++height) {
    log.Append(BlockId{Height(height), View(1), Hash{}}, 100);
  }
  PeerFlow flow;
  flow.Reset(Height(105), Height(100));
  SECTION("after rejections down to it") {
    CHECK(flow.OnMismatch(Height(105), Height(100)));
    CHECK(flow.previous() == Height(100));
    CHECK(flow.OnMismatch(Height(100), Height(100)));
    CHECK(flow.previous() == Height(100));
  }
  SECTION("after a match below it") {
    flow.OnMatched(Height(3), /*before_probe=*/false);
    CHECK(flow.match() == Height(3));
    const auto range = flow.NextSend(log, Limits());
    REQUIRE(range.has_value());
    CHECK(range->first == Height(101));
    CHECK(flow.OnMismatch(Height(101), Height(100)));
    CHECK(flow.previous() == Height(100));
  }
}

}  // namespace
}  // namespace vigil::consensus
