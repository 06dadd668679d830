#include "ledger/index/event_index.h"

#include <algorithm>
#include <ctime>
#include <memory>

#include "ledger/storage/memory_store.h"
#include "tests/ledger/index/test_chain.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger::testing {
namespace {

const EventQuery kEverything;

SearchResult Page(const EventIndex& index, const SearchPage& page, EventLoader* loader) {
  const absl::StatusOr<SearchResult> result = index.Search(kEverything, page, loader);
  INFO(result.status().ToString());
  REQUIRE(result.ok());
  return *result;
}

TEST_CASE("index: an empty one finds nothing and says so", "[index]") {
  TestChain chain(1);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  CHECK(index->next_height() == Height(0));
  const SearchResult result = Page(*index, {}, &loader);
  CHECK(result.events.empty());
  CHECK(result.next_cursor.empty());
  CHECK(result.first_height == Height(0));
  CHECK(result.complete_height == Height(0));
}

TEST_CASE("index: blocks without events advance the complete height", "[index]") {
  TestChain chain(2, Height(10));
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  for (int i = 0; i < 5; ++i) REQUIRE(Feed(chain.AddBlock(0), index.get()).ok());
  CHECK(index->first_height() == Height(10));
  CHECK(index->complete_height() == Height(14));
  CHECK(index->next_height() == Height(15));
  CHECK(Page(*index, {}, &loader).complete_height == Height(14));
}

TEST_CASE("index: events are found once their block is finished and not before", "[index]") {
  TestChain chain(3);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(10), index.get()).ok());
  const TestBlock& second = chain.AddFullBlock(20);
  REQUIRE(FeedEvents(second, index.get()).ok());
  CHECK(Page(*index, {}, &loader).events.size() == 10);
  CHECK(index->complete_height() == Height(1));
  REQUIRE(index->FinishBlock(Height(2)).ok());
  CHECK(Page(*index, {}, &loader).events.size() == 30);
}

TEST_CASE("index: a stored segment does not show an unfinished block either", "[index]") {
  TestChain chain(4);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(kSegmentEvents - 100), index.get()).ok());
  // More than a whole further segment inside one block.
  const TestBlock& big = chain.AddFullBlock(kSegmentEvents + 300);
  REQUIRE(FeedEvents(big, index.get()).ok());
  const size_t visible = kSegmentEvents - 100;
  CHECK(SearchAll(*index, kEverything, 1000, false, &loader).size() == visible);
  CHECK(SearchAll(*index, kEverything, 1000, true, &loader).size() == visible);
  REQUIRE(index->FinishBlock(big.height).ok());
  CHECK(SearchAll(*index, kEverything, 1000, false, &loader).size() == chain.event_count());
}

TEST_CASE("index: a cursor never steps over a block that is still being added", "[index]") {
  TestChain chain(5);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index =
      *EventIndex::Open(&store, {.key_prefix = "s/", .budget = {.segments_max = 1}});
  // The first segment ends inside the second block, and so does the second.
  REQUIRE(Feed(chain.AddFullBlock(kSegmentEvents - 10'000), index.get()).ok());
  const TestBlock& big = chain.AddFullBlock(2 * kSegmentEvents);
  REQUIRE(FeedEvents(big, index.get()).ok());
  EventQuery query;
  query.class_uids = {4001};
  std::vector<EventPosition> found;
  SearchPage page{.limit = 1000, .cursor = "", .newest_first = false};
  const auto read_page = [&] {
    const absl::StatusOr<SearchResult> result = index->Search(query, page, &loader);
    REQUIRE(result.ok());
    found.insert(found.end(), result->events.begin(), result->events.end());
    page.cursor = result->next_cursor;
    return result->events.size() == page.limit;
  };
  while (read_page()) {
  }
  REQUIRE(found == chain.SlowSearch(query, Height(1), Height(1)));
  REQUIRE(index->FinishBlock(big.height).ok());
  // Without a cursor there was no more: whoever asks again starts over.
  if (page.cursor.empty()) found.clear();
  do {
    read_page();
  } while (!page.cursor.empty());
  CHECK(found == chain.SlowSearch(query, Height(1), big.height));
}

TEST_CASE("index: cursors stay put while events are added", "[index]") {
  VIGIL_TEST_SEED(seed, 6);
  TestChain chain(seed);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 60'000) REQUIRE(Feed(chain.AddBlock(4'000), index.get()).ok());
  const Height at_start = chain.last_height();
  EventQuery query;
  query.class_uids = {4001};
  std::vector<EventPosition> up;
  std::vector<EventPosition> down;
  SearchPage up_page{.limit = 300, .cursor = "", .newest_first = false};
  SearchPage down_page{.limit = 300, .cursor = "", .newest_first = true};
  const auto read = [&](SearchPage* page, std::vector<EventPosition>* found) {
    const absl::StatusOr<SearchResult> result = index->Search(query, *page, &loader);
    REQUIRE(result.ok());
    found->insert(found->end(), result->events.begin(), result->events.end());
    page->cursor = result->next_cursor;
    return !page->cursor.empty();
  };
  // A segment closes while the pages are read.
  for (bool up_more = true, down_more = true; up_more || down_more;) {
    if (up_more) up_more = read(&up_page, &up);
    if (down_more) down_more = read(&down_page, &down);
    if (chain.event_count() < 140'000) REQUIRE(Feed(chain.AddBlock(4'000), index.get()).ok());
  }
  std::ranges::reverse(down);
  CHECK(up == chain.SlowSearch(query, Height(1), chain.last_height()));
  CHECK(down == chain.SlowSearch(query, Height(1), at_start));
}

TEST_CASE("index: events whose bytes are gone are left out", "[index]") {
  TestChain chain(7);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(50), index.get()).ok());
  std::vector<EventPosition> expected = chain.SlowSearch(kEverything, Height(1), Height(1));
  loader.Erase(expected[0]);
  loader.Erase(expected[49]);
  loader.Erase(expected[20]);
  expected.erase(expected.begin() + 49);
  expected.erase(expected.begin() + 20);
  expected.erase(expected.begin());
  CHECK(SearchAll(*index, kEverything, 7, false, &loader) == expected);
}

TEST_CASE("index: the last page has no cursor even when it is full", "[index]") {
  TestChain chain(8);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(20), index.get()).ok());
  for (bool newest_first : {false, true}) {
    SearchPage page{.limit = 10, .cursor = "", .newest_first = newest_first};
    const SearchResult first = Page(*index, page, &loader);
    CHECK(first.events.size() == 10);
    page.cursor = first.next_cursor;
    REQUIRE_FALSE(page.cursor.empty());
    const SearchResult second = Page(*index, page, &loader);
    CHECK(second.events.size() == 10);
    CHECK(second.next_cursor.empty());
  }
}

TEST_CASE("index: bad limits and queries and cursors are refused", "[index]") {
  TestChain chain(9);
  ChainLoader loader(&chain);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(20), index.get()).ok());
  const auto refused = [&](const EventQuery& query, const SearchPage& page) {
    return absl::IsInvalidArgument(index->Search(query, page, &loader).status());
  };
  CHECK(refused({}, {.limit = 0, .cursor = "", .newest_first = false}));
  CHECK(refused({}, {.limit = kSearchLimitMax + 1, .cursor = "", .newest_first = false}));
  CHECK(refused({}, {.limit = 1, .cursor = "x", .newest_first = false}));
  EventQuery empty_actor;
  empty_actor.actors = {""};
  CHECK(refused(empty_actor, {}));
  const std::string cursor =
      Page(*index, {.limit = 5, .cursor = "", .newest_first = false}, &loader).next_cursor;
  CHECK_FALSE(refused({}, {.limit = 5, .cursor = cursor, .newest_first = false}));
  CHECK(refused({}, {.limit = 5, .cursor = cursor, .newest_first = true}));
}

TEST_CASE("index: a loader's error ends the search with it", "[index]") {
  class FailingLoader final : public EventLoader {
    absl::StatusOr<bool> Load(const EventPosition&, EventView*) override {
      return absl::UnavailableError("disk");
    }
  } loader;
  TestChain chain(10);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(20), index.get()).ok());
  CHECK(absl::IsUnavailable(index->Search({}, {}, &loader).status()));
}

TEST_CASE("index: what comes out of order is refused and nothing more is taken", "[index]") {
  TestChain chain(11);
  MemoryStore store;
  const std::vector<EventView> one = {chain.AddFullBlock(1).records[0].events[0].View()};
  const auto fed = [&] {
    std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
    REQUIRE(index->Add(Height(3), RecordIndex(7), one).ok());
    REQUIRE(index->FinishBlock(Height(3)).ok());
    return index;
  };
  const auto refuses = [](const absl::Status& status) {
    return absl::IsFailedPrecondition(status);
  };
  CHECK(refuses(fed()->Add(Height(3), RecordIndex(8), one)));
  CHECK(refuses(fed()->Add(Height(5), RecordIndex(8), one)));
  CHECK(refuses(fed()->Add(Height(4), RecordIndex(6), one)));
  CHECK(refuses(fed()->FinishBlock(Height(5))));
  CHECK(refuses(fed()->FinishBlock(Height(3))));
  CHECK(refuses((*EventIndex::Open(&store))->FinishBlock(Height(0))));
  std::unique_ptr<EventIndex> index = fed();
  REQUIRE(index->Add(Height(4), RecordIndex(8), one).ok());
  CHECK(refuses(index->FinishBlock(Height(5))));
  CHECK(refuses(index->FinishBlock(Height(4))));
  ChainLoader loader(&chain);
  CHECK(index->complete_height() == Height(3));
  REQUIRE(index->DropAfter(Height(0)).ok());
  CHECK(index->Add(Height(1), RecordIndex(0), one).ok());
}

TEST_CASE("index: pruning drops whole segments from the front", "[index]") {
  VIGIL_TEST_SEED(seed, 12);
  TestChain chain(seed);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 250'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  EventQuery query;
  query.actors = {UserWord(3)};
  const Height last = chain.last_height();
  for (uint64_t below : {uint64_t{1}, last.value() / 2, last.value() / 2, last.value() + 1}) {
    REQUIRE(index->Prune(Height(below)).ok());
    for (bool reopen : {false, true}) {
      if (reopen) {
        index = *EventIndex::Open(&store);
        REQUIRE(CatchUp(chain, last, index.get()).ok());
      }
      const std::vector<EventPosition> expected =
          chain.SlowSearch(query, index->first_height(), last);
      CHECK(SearchAll(*index, query, 1000, false, &loader) == expected);
    }
    CHECK(index->first_height() <= Height(std::max<uint64_t>(below, 1)));
    CHECK(index->complete_height() == last);
  }
  // All three finished segments are gone; the history goes on.
  CHECK(index->first_height() > Height(last.value() / 2));
  while (chain.event_count() < 330'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  CHECK(SearchAll(*index, query, 1000, true, &loader).size() ==
        chain.SlowSearch(query, index->first_height(), chain.last_height()).size());
}

TEST_CASE("index: dropping and feeding again gives the same results", "[index]") {
  VIGIL_TEST_SEED(seed, 13);
  TestChain chain(seed);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 160'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  EventQuery query;
  query.class_uids = {4002};
  const Height last = chain.last_height();
  const std::vector<EventPosition> expected = chain.SlowSearch(query, Height(1), last);
  for (uint64_t height : {last.value(), last.value() / 2, uint64_t{1}, uint64_t{0}}) {
    INFO("dropped after " << height);
    REQUIRE(index->DropAfter(Height(height)).ok());
    CHECK(index->next_height() <= Height(height + 1));
    for (const EventPosition& position : SearchAll(*index, query, 1000, false, &loader)) {
      REQUIRE(position.height <= Height(height));
    }
    if (height == 1) index = *EventIndex::Open(&store);
    REQUIRE(CatchUp(chain, last, index.get()).ok());
    CHECK(SearchAll(*index, query, 1000, false, &loader) == expected);
  }
}

TEST_CASE("index: dropping below what was pruned starts a new history", "[index]") {
  TestChain chain(14);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 140'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  const Height last = chain.last_height();
  REQUIRE(index->Prune(Height(last.value() + 1)).ok());
  CHECK(index->first_height() > Height(1));
  REQUIRE(index->DropAfter(Height(0)).ok());
  index = *EventIndex::Open(&store);
  CHECK(index->next_height() == Height(0));
  REQUIRE(CatchUp(chain, last, index.get()).ok());
  index = *EventIndex::Open(&store);
  REQUIRE(CatchUp(chain, last, index.get()).ok());
  CHECK(index->first_height() == Height(1));
  CHECK(SearchAll(*index, kEverything, 1000, false, &loader).size() == chain.event_count());
}

TEST_CASE("index: two of them share a store without meeting", "[index]") {
  TestChain chain(15);
  ChainLoader loader(&chain);
  MemoryStore store;
  StoreBatch other;
  other.Put("a0", "before");
  other.Put("a0", "other");
  REQUIRE(store.Write(other).ok());
  std::unique_ptr<EventIndex> one =
      *EventIndex::Open(&store, {.key_prefix = "a/", .budget = {}, .term_hash_bits = 64});
  std::unique_ptr<EventIndex> two =
      *EventIndex::Open(&store, {.key_prefix = "b/", .budget = {}, .term_hash_bits = 64});
  const TestBlock& block = chain.AddFullBlock(70'000);
  REQUIRE(Feed(block, one.get()).ok());
  REQUIRE(Feed(block, two.get()).ok());
  one.reset();
  REQUIRE(EventIndex::Erase(&store, "a/").ok());
  CHECK(SearchAll(*two, kEverything, 1000, false, &loader).size() == 70'000);
  std::string keys_of_one;
  REQUIRE(store
              .Scan("a/", "a0", false,
                    [&](absl::string_view key, absl::string_view) {
                      keys_of_one += std::string(key);
                      return true;
                    })
              .ok());
  CHECK(keys_of_one.empty());
  CHECK(**store.Get("a0") == "other");
}

TEST_CASE("index: speed of adding and searching", "[index][!benchmark]") {
  TestChain chain(16);
  MemoryStore store;
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  for (int i = 0; i < 500; ++i) chain.AddFullBlock(1'000);
  std::vector<std::vector<EventView>> views;
  std::clock_t spent = 0;
  for (const TestBlock& block : chain.blocks()) {
    std::vector<EventView> batch;
    for (const TestEvent& event : block.records[0].events) batch.push_back(event.View());
    const std::clock_t start = std::clock();
    REQUIRE(index->Add(block.height, block.records[0].index, batch).ok());
    REQUIRE(index->FinishBlock(block.height).ok());
    spent += std::clock() - start;
  }
  const double seconds = static_cast<double>(spent) / CLOCKS_PER_SEC;
  WARN("adding: " << 1e6 * seconds / static_cast<double>(chain.event_count())
                  << " us of CPU per event");
  size_t bytes = 0;
  REQUIRE(store
              .Scan("", "", false,
                    [&](absl::string_view key, absl::string_view value) {
                      bytes += key.size() + value.size();
                      return true;
                    })
              .ok());
  WARN("stored: " << bytes / (chain.event_count() / kSegmentEvents * kSegmentEvents)
                  << " bytes per event");
  ChainLoader loader(&chain);
  EventQuery query;
  query.addresses = {AddressWord(77)};
  const std::clock_t start = std::clock();
  const size_t found = SearchAll(*index, query, 1000, true, &loader).size();
  const double searched = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  WARN("searching one address: " << found << " events in " << 1e3 * searched << " ms of CPU");
}

}  // namespace
}  // namespace vigil::ledger::testing
