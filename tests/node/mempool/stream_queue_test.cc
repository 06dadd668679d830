#include "node/mempool/stream_queue.h"

#include "tests/node/mempool/pool_records.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

StreamQueue::Item ItemOf(uint64_t sequence, uint8_t variant = 0) {
  return {.ticket = sequence,
          .leaf_hash = LeafOf(1, sequence, variant),
          .previous = LeafOf(1, sequence - 1)};
}

TEST_CASE("stream queue: gives records in order whatever order they came in", "[mempool]") {
  StreamQueue queue({});
  REQUIRE(queue.Add(2, ItemOf(2)));
  CHECK(queue.Next() == nullptr);
  REQUIRE(queue.Add(1, ItemOf(1)));
  REQUIRE(queue.Next() != nullptr);
  CHECK(queue.Next()->ticket == 1);
  queue.Advance();
  CHECK(queue.Next()->ticket == 2);
  queue.Advance();
  CHECK(queue.Next() == nullptr);
  CHECK(queue.branch().sequence == 2);
  CHECK(queue.executed().sequence == 0);
}

TEST_CASE("stream queue: keeps the first of two records with one sequence", "[mempool]") {
  StreamQueue queue({});
  CHECK(queue.Add(1, ItemOf(1)));
  CHECK_FALSE(queue.Add(1, ItemOf(1, /*variant=*/9)));
  CHECK(queue.Next()->leaf_hash == LeafOf(1, 1));
}

TEST_CASE("stream queue: holds a record that names another previous one", "[mempool]") {
  StreamQueue queue({.sequence = 4, .leaf_hash = LeafOf(1, 4, /*variant=*/7)});
  REQUIRE(queue.Add(5, ItemOf(5)));
  CHECK(queue.Next() == nullptr);
}

TEST_CASE("stream queue: a branch that is given up goes back to what is executed", "[mempool]") {
  StreamQueue queue({});
  for (uint64_t sequence : {1, 2, 3}) REQUIRE(queue.Add(sequence, ItemOf(sequence)));
  queue.Advance();
  queue.Advance();
  CHECK(queue.OnExecuted({.sequence = 1, .leaf_hash = LeafOf(1, 1)}).size() == 1);
  CHECK(queue.branch().sequence == 2);
  queue.Rewind();
  CHECK(queue.Next()->ticket == 2);
}

TEST_CASE("stream queue: an execution that overtakes the branch moves it along", "[mempool]") {
  StreamQueue queue({});
  for (uint64_t sequence : {1, 2, 3}) REQUIRE(queue.Add(sequence, ItemOf(sequence)));
  const auto passed = queue.OnExecuted({.sequence = 2, .leaf_hash = LeafOf(1, 2)});
  REQUIRE(passed.size() == 2);
  CHECK(passed[0].ticket == 1);
  CHECK(queue.Next()->ticket == 3);
}

TEST_CASE("stream queue: nothing follows a reset before it is executed", "[mempool]") {
  StreamQueue queue({.sequence = 1, .leaf_hash = LeafOf(1, 1)});
  REQUIRE(queue.Add(2, ItemOf(2)));
  queue.Freeze();
  CHECK(queue.Next() == nullptr);
  queue.OnReset({.sequence = 1, .leaf_hash = LeafOf(9, 9)});
  CHECK(queue.Next() == nullptr);  // It names the head from before the reset.
  CHECK(queue.executed().leaf_hash == LeafOf(9, 9));
}

}  // namespace
}  // namespace vigil::node
