// Random queries over random chains, compared with a walk over all events.
#include <algorithm>
#include <memory>

#include "ledger/storage/memory_store.h"
#include "tests/ledger/index/test_chain.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger::testing {
namespace {

std::vector<EventPosition> Reversed(std::vector<EventPosition> positions) {
  std::ranges::reverse(positions);
  return positions;
}

void CompareWithModel(uint64_t seed, const EventIndexOptions& options, int query_count) {
  TestChain chain(seed, Height(5));
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store, options);
  while (chain.event_count() < 150'000) {
    REQUIRE(Feed(chain.AddBlock(6'000), index.get()).ok());
  }
  ChainLoader loader(&chain);
  SplitMix64 random(seed + 1);
  size_t found = 0;
  for (int i = 0; i < query_count; ++i) {
    INFO("query " << i);
    const EventQuery query = chain.RandomQuery();
    const auto limit = static_cast<uint32_t>(random.Chance(500) ? 1000 : 1 + random.Below(1000));
    const std::vector<EventPosition> expected =
        chain.SlowSearch(query, Height(5), chain.last_height());
    CHECK(SearchAll(*index, query, limit, false, &loader) == expected);
    CHECK(SearchAll(*index, query, limit, true, &loader) == Reversed(expected));
    found += expected.size();
  }
  CHECK(found > 0);
}

TEST_CASE("index: random queries find what a walk over all events finds", "[index]") {
  VIGIL_TEST_SEED(seed, 30);
  CompareWithModel(seed, {}, 30);
}

TEST_CASE("index: colliding hashes never change a result", "[index]") {
  // With 5 bits nearly every term shares its hash with hundreds of others.
  VIGIL_TEST_SEED(seed, 31);
  CompareWithModel(seed, {.key_prefix = "c/", .budget = {}, .term_hash_bits = 5}, 12);
}

TEST_CASE("index: tiny budgets only make pages shorter", "[index]") {
  VIGIL_TEST_SEED(seed, 32);
  CompareWithModel(seed, {.key_prefix = "b/", .budget = {.candidates_max = 37, .segments_max = 1}},
                   5);
}

TEST_CASE("index: one search loads no more events than its budget", "[index]") {
  TestChain chain(33);
  MemoryStore store;
  // With one bit, every event that names an actor is a candidate of every query for one.
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(
      &store, {.key_prefix = "b/", .budget = {.candidates_max = 500}, .term_hash_bits = 1});
  REQUIRE(Feed(chain.AddFullBlock(2'000), index.get()).ok());
  ChainLoader loader(&chain);
  EventQuery query;
  query.actors = {"nobody"};
  SearchPage page{.limit = 1000, .cursor = "", .newest_first = false};
  for (int count = 1;; ++count) {
    const absl::StatusOr<SearchResult> result = index->Search(query, page, &loader);
    REQUIRE(result.ok());
    CHECK(result->events.empty());
    CHECK(loader.load_count() <= 500 * static_cast<uint64_t>(count));
    page.cursor = result->next_cursor;
    if (page.cursor.empty()) break;
    CHECK(loader.load_count() == 500 * static_cast<uint64_t>(count));
    REQUIRE(count < 10);
  }
  CHECK(loader.load_count() > 1'500);
}

TEST_CASE("index: one search looks into no more segments than its budget", "[index]") {
  TestChain chain(35);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index =
      *EventIndex::Open(&store, {.key_prefix = "b/", .budget = {.segments_max = 2}});
  REQUIRE(Feed(chain.AddFullBlock(5 * kSegmentEvents), index.get()).ok());
  ChainLoader loader(&chain);
  EventQuery query;
  query.actors = {"nobody"};
  for (bool newest_first : {false, true}) {
    SearchPage page{.limit = 10, .cursor = "", .newest_first = newest_first};
    int pages = 0;
    do {
      const absl::StatusOr<SearchResult> result = index->Search(query, page, &loader);
      REQUIRE(result.ok());
      CHECK(result->events.empty());
      page.cursor = result->next_cursor;
      REQUIRE(++pages < 10);
    } while (!page.cursor.empty());
    CHECK(pages == 3);
  }
}

TEST_CASE("index: a time range looks at the events of its runs only", "[index]") {
  TestChain chain(34);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 100'000) REQUIRE(Feed(chain.AddBlock(3'000), index.get()).ok());
  ChainLoader loader(&chain);
  EventQuery query;
  query.from_unix_nano = 1'000'000 + 10 * 40'000;
  query.to_unix_nano = query.from_unix_nano + 10 * 1'000;
  const size_t expected = chain.SlowSearch(query, Height(1), chain.last_height()).size();
  CHECK(SearchAll(*index, query, 1000, false, &loader).size() == expected);
  CHECK(expected > 500);
  // Stragglers widen some runs: but far from all of the 100,000.
  CHECK(loader.load_count() < 60'000);
}

}  // namespace
}  // namespace vigil::ledger::testing
