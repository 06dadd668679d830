#include "node/mempool/mempool.h"

#include <map>
#include <vector>

#include "tests/node/mempool/pool_records.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::Lane;

constexpr size_t kOverhead = 8;
constexpr size_t kBlock = 100'000;

// A pool over executed state that a test sets.
struct TestPool {
  std::map<std::string, StreamHeadAt> heads;
  MempoolLimits limits;
  std::unique_ptr<Mempool> pool;

  TestPool() { Make(); }
  void Make() {
    pool =
        std::make_unique<Mempool>(limits, [this](const std::string& name) { return heads[name]; });
  }
  AddOutcome Add(PoolRecord record, int64_t now = 0) { return pool->Add(std::move(record), now); }
  size_t Take(size_t bytes = kBlock) { return pool->TakeForBlock(bytes, 1000, kOverhead).size(); }
};

TEST_CASE("mempool: a record enters a block once and leaves when it is executed", "[mempool]") {
  TestPool t;
  const PoolRecord record = StreamRecord(1, 1);
  REQUIRE(t.Add(record) == AddOutcome::kAdded);
  CHECK(t.pool->has_ready());
  CHECK(t.Take() == 1);
  CHECK_FALSE(t.pool->has_ready());
  CHECK(t.Take() == 0);
  CHECK(t.pool->Contains(record.leaf_hash));
  CHECK(t.pool->OnExecuted({ExecutedOk(record)}).empty());
  CHECK(t.pool->size() == 0);
  CHECK(t.pool->lane_bytes(Lane::kEvents) == 0);
}

TEST_CASE("mempool: the same record is held once", "[mempool]") {
  TestPool t;
  REQUIRE(t.Add(StreamRecord(1, 1)) == AddOutcome::kAdded);
  CHECK(t.Add(StreamRecord(1, 1)) == AddOutcome::kDuplicate);
  CHECK(t.pool->size() == 1);
  CHECK(t.Take() == 1);
  CHECK(t.Add(StreamRecord(1, 1)) == AddOutcome::kDuplicate);
  CHECK(t.Take() == 0);
}

TEST_CASE("mempool: a later record waits for the one before", "[mempool]") {
  TestPool t;
  REQUIRE(t.Add(StreamRecord(1, 3)) == AddOutcome::kAdded);
  REQUIRE(t.Add(StreamRecord(1, 2)) == AddOutcome::kAdded);
  CHECK_FALSE(t.pool->has_ready());
  REQUIRE(t.Add(StreamRecord(1, 1)) == AddOutcome::kAdded);
  const auto taken = t.pool->TakeForBlock(kBlock, 1000, kOverhead);
  CHECK(taken.size() == 3);
}

TEST_CASE("mempool: blocks of one branch continue each other", "[mempool]") {
  TestPool t;
  for (uint64_t sequence = 1; sequence <= 4; ++sequence) t.Add(StreamRecord(1, sequence, 1000));
  CHECK(t.Take(/*bytes=*/2 * 1008) == 2);
  CHECK(t.Take(/*bytes=*/2 * 1008) == 2);
  CHECK(t.Take() == 0);
}

TEST_CASE("mempool: a view change puts what was in flight back", "[mempool]") {
  TestPool t;
  t.Add(StreamRecord(1, 1));
  t.Add(StreamRecord(1, 2));
  t.Add(LooseRecord(Lane::kAlerts, 1));
  CHECK(t.Take() == 3);
  t.pool->OnExecuted({ExecutedOk(StreamRecord(1, 1))});
  t.pool->ResetInFlight();
  CHECK(t.Take() == 2);
}

TEST_CASE("mempool: what execution has passed is answered as such", "[mempool]") {
  TestPool t;
  t.heads[NameOf(1)] = {.sequence = 5, .leaf_hash = LeafOf(1, 5)};
  CHECK(t.Add(StreamRecord(1, 5)) == AddOutcome::kPassed);
  CHECK(t.Add(StreamRecord(1, 2)) == AddOutcome::kPassed);
  CHECK(t.Add(StreamRecord(1, 6)) == AddOutcome::kAdded);
}

TEST_CASE("mempool: a record that contradicts the head or another one is a conflict", "[mempool]") {
  TestPool t;
  t.heads[NameOf(1)] = {.sequence = 5, .leaf_hash = LeafOf(1, 5, /*variant=*/1)};
  CHECK(t.Add(StreamRecord(1, 6)) == AddOutcome::kConflict);  // Names another record 5.
  CHECK(t.pool->size() == 0);
  REQUIRE(t.Add(StreamRecord(2, 1)) == AddOutcome::kAdded);
  CHECK(t.Add(StreamRecord(2, 1, 100, /*variant=*/1)) == AddOutcome::kConflict);
}

TEST_CASE("mempool: an executed rival evicts the waiting record and says so", "[mempool]") {
  TestPool t;
  t.Add(StreamRecord(1, 1));
  t.Add(StreamRecord(1, 2));
  const PoolRecord rival = StreamRecord(1, 1, 100, /*variant=*/1);
  const auto evicted = t.pool->OnExecuted({ExecutedOk(rival)});
  REQUIRE(evicted.size() == 2);  // Record 2 names the loser as its previous.
  CHECK(evicted[0].leaf_hash == LeafOf(1, 1));
  CHECK(evicted[0].sequence == 1);
  CHECK(evicted[0].why == EvictedRecord::Why::kConflict);
  CHECK(evicted[0].head.leaf_hash == rival.leaf_hash);
  CHECK(evicted[1].leaf_hash == LeafOf(1, 2));
  CHECK(t.pool->size() == 0);
}

TEST_CASE("mempool: a record too far beyond the head is refused", "[mempool]") {
  TestPool t;
  t.limits.stream_ahead_max = 10;
  t.Make();
  CHECK(t.Add(StreamRecord(1, 10)) == AddOutcome::kAdded);
  CHECK(t.Add(StreamRecord(1, 11)) == AddOutcome::kTooFar);
}

TEST_CASE("mempool: only what lacks its predecessor expires", "[mempool]") {
  TestPool t;
  t.limits.hold_micros_max = 1000;
  t.Make();
  t.Add(StreamRecord(1, 1), /*now=*/0);
  t.Add(StreamRecord(2, 2), /*now=*/0);
  t.Add(StreamRecord(2, 3), /*now=*/0);
  t.Add(StreamRecord(3, 5), /*now=*/600);
  CHECK(t.pool->ExpireHeld(999).empty());
  const auto expired = t.pool->ExpireHeld(1000);
  REQUIRE(expired.size() == 2);
  CHECK(expired[0].why == EvictedRecord::Why::kGap);
  CHECK(expired[0].sequence == 2);
  CHECK(expired[1].sequence == 3);
  CHECK(t.pool->size() == 2);
  CHECK(t.pool->ExpireHeld(1600).size() == 1);
  CHECK(t.Take() == 1);
}

TEST_CASE("mempool: each lane has its own budget", "[mempool]") {
  TestPool t;
  t.limits.lane_bytes_max = {4000, 4000, 4000};
  t.Make();
  uint64_t sequence = 0;
  while (t.Add(StreamRecord(1, sequence + 1, 300)) == AddOutcome::kAdded) ++sequence;
  CHECK(sequence > 0);
  CHECK(t.Add(StreamRecord(1, sequence + 1, 300)) == AddOutcome::kLaneFull);
  CHECK(t.pool->lane_bytes(Lane::kEvents) <= 4000);
  CHECK(t.Add(LooseRecord(Lane::kAlerts, 1)) == AddOutcome::kAdded);
  CHECK(t.Add(LooseRecord(Lane::kGovernance, 1)) == AddOutcome::kAdded);
  t.Take();
  t.pool->OnExecuted({ExecutedOk(StreamRecord(1, 1))});
  CHECK(t.Add(StreamRecord(1, sequence + 1, 300)) == AddOutcome::kAdded);
}

TEST_CASE("mempool: a flood in one lane leaves the others their share of a block", "[mempool]") {
  TestPool t;
  for (uint64_t i = 1; i <= 1000; ++i) {
    t.Add(StreamRecord(1, i, 92));
    t.Add(LooseRecord(Lane::kAlerts, i, 92));
  }
  std::map<Lane, size_t> bytes;
  const auto taken = t.pool->TakeForBlock(10'000, 1000, kOverhead);
  size_t events = 0;
  for (const auto& record : taken) events += record->leaf[0] == 1 ? 1 : 0;
  CHECK(taken.size() == 100);          // The block is full,
  CHECK(events == 60);                 // events have their reserved share,
  CHECK(taken.size() - events == 40);  // and alerts what governance left over.
}

TEST_CASE("mempool: a lane alone may fill the block", "[mempool]") {
  TestPool t;
  for (uint64_t i = 1; i <= 200; ++i) t.Add(StreamRecord(1, i, 92));
  CHECK(t.Take(/*bytes=*/10'000) == 100);
}

TEST_CASE("mempool: a record larger than its lane's share goes alone", "[mempool]") {
  TestPool t;
  t.Add(StreamRecord(1, 1, 9'000));
  t.Add(StreamRecord(1, 2, 9'000));
  CHECK(t.Take(/*bytes=*/10'000) == 1);
  CHECK(t.Take(/*bytes=*/10'000) == 1);
}

TEST_CASE("mempool: a reset holds its stream until it is executed", "[mempool]") {
  TestPool t;
  t.heads[NameOf(1)] = {.sequence = 3, .leaf_hash = LeafOf(1, 3)};
  PoolRecord reset = LooseRecord(Lane::kGovernance, 1);
  reset.resets = NameOf(1);
  t.Add(reset);
  t.Add(StreamRecord(1, 4));
  CHECK(t.Take() == 1);
  CHECK_FALSE(t.pool->has_ready());
  t.heads[NameOf(1)] = {.sequence = 3, .leaf_hash = reset.leaf_hash};
  const auto evicted = t.pool->OnExecuted({ExecutedOk(reset)});
  REQUIRE(evicted.size() == 1);  // Record 4 named the head from before.
  CHECK(evicted[0].sequence == 4);
  PoolRecord next = StreamRecord(1, 4, 100, /*variant=*/1);
  next.place->previous = reset.leaf_hash;
  CHECK(t.Add(next) == AddOutcome::kAdded);
  CHECK(t.Take() == 1);
}

TEST_CASE("mempool: forgets what peers forwarded and keeps its own", "[mempool]") {
  TestPool t;
  PoolRecord foreign = StreamRecord(1, 1);
  foreign.local = false;
  t.Add(foreign);
  t.Add(StreamRecord(2, 1));
  t.pool->DropForeign();
  CHECK(t.pool->size() == 1);
  CHECK(t.pool->Contains(LeafOf(2, 1)));
}

TEST_CASE("mempool: a forwarded record that a client submits here becomes its own", "[mempool]") {
  TestPool t;
  PoolRecord foreign = StreamRecord(1, 1);
  foreign.local = false;
  t.Add(foreign);
  CHECK(t.Add(StreamRecord(1, 1)) == AddOutcome::kDuplicate);
  t.pool->DropForeign();
  CHECK(t.pool->Contains(LeafOf(1, 1)));
  CHECK(t.pool->PeekForwards(1000, 10).size() == 1);
}

TEST_CASE("mempool: forwards go in order of arrival and again after a longer and longer time",
          "[mempool]") {
  TestPool t;
  t.limits.forward_retry_micros = 100;
  t.Make();
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) t.Add(StreamRecord(1, sequence));
  CHECK(t.pool->PeekForwards(250, 10).size() == 2);
  CHECK(t.pool->PeekForwards(1, 10).size() == 1);  // One always goes.
  t.pool->MarkForwarded(2, /*now=*/0);
  REQUIRE(t.pool->PeekForwards(1000, 10).size() == 1);
  t.pool->MarkForwarded(1, /*now=*/0);
  CHECK(t.pool->PeekForwards(1000, 10).empty());
  t.pool->ExpireForwards(99);
  CHECK(t.pool->PeekForwards(1000, 10).empty());
  t.pool->ExpireForwards(100);
  CHECK(t.pool->PeekForwards(1000, 10).size() == 3);
  t.pool->MarkForwarded(3, /*now=*/100);
  t.pool->ExpireForwards(299);
  CHECK(t.pool->PeekForwards(1000, 10).empty());
  t.pool->ExpireForwards(300);
  CHECK(t.pool->PeekForwards(1000, 10).size() == 3);

  SECTION("another leader is told at once") {
    t.pool->MarkForwarded(3, /*now=*/300);
    t.pool->ResetForwards();
    CHECK(t.pool->PeekForwards(1000, 10).size() == 3);
  }
  SECTION("what is executed or refused is not sent again") {
    t.pool->OnExecuted({ExecutedOk(StreamRecord(1, 1))});
    CHECK(t.pool->Remove(LeafOf(1, 3)));
    CHECK_FALSE(t.pool->Remove(LeafOf(1, 3)));
    CHECK(t.pool->PeekForwards(1000, 10).size() == 1);
  }
}

}  // namespace
}  // namespace vigil::node
