#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "ledger/index/event_index.h"
#include "ledger/storage/memory_store.h"
#include "tests/ledger/index/test_chain.h"
#include "tests/support/catch.h"

namespace vigil::ledger::testing {
namespace {

// Walks all pages of one query and compares them with the model at the end of the search.
bool SearchOnce(const EventIndex& index, const TestChain& chain, uint32_t user, bool newest_first) {
  ChainLoader loader(&chain);
  EventQuery query;
  query.actors = {UserWord(user)};
  SearchPage page{.limit = 1000, .cursor = "", .newest_first = newest_first};
  std::vector<EventPosition> found;
  Height first;
  Height complete;
  do {
    const absl::StatusOr<SearchResult> result = index.Search(query, page, &loader);
    if (!result.ok()) return false;
    // Going down, the first page tells what is complete; going up, the last.
    if (!newest_first || page.cursor.empty()) complete = result->complete_height;
    first = std::max(first, result->first_height);
    found.insert(found.end(), result->events.begin(), result->events.end());
    page.cursor = result->next_cursor;
  } while (!page.cursor.empty());
  if (newest_first) std::ranges::reverse(found);
  std::erase_if(found, [&](const EventPosition& position) { return position.height < first; });
  return found == chain.SlowSearch(query, first, complete);
}

TEST_CASE("threads: searches agree with the model while one thread adds and prunes", "[index]") {
  TestChain chain(50);
  for (int i = 0; i < 70; ++i) chain.AddBlock(8'000);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.block(Height(1)), index.get()).ok());
  std::atomic<bool> done = false;
  std::atomic<int> searches = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> searchers;
  for (uint32_t i = 0; i < 2; ++i) {
    searchers.emplace_back([&, i] {
      for (uint32_t round = 0; !done || round < 3; ++round) {
        if (!SearchOnce(*index, chain, 1 + round % 50, (round + i) % 2 == 0)) ++wrong;
        ++searches;
      }
    });
  }
  absl::Status status;
  for (Height height(2); height <= chain.last_height() && status.ok(); ++height) {
    status = Feed(chain.block(height), index.get());
    if (status.ok() && height.value() % 20 == 0) {
      status = index->Prune(Height(height.value() - 15));
    }
  }
  done = true;
  for (std::thread& searcher : searchers) searcher.join();
  INFO(status.ToString());
  CHECK(status.ok());
  CHECK(index->first_height() > Height(1));
  CHECK(searches >= 6);
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace vigil::ledger::testing
