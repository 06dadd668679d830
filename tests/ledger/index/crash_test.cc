// Restarts, failing writes and damaged values: nothing is lost, doubled or invented.
#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "ledger/index/event_index.h"
#include "ledger/storage/memory_store.h"
#include "tests/ledger/index/test_chain.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger::testing {
namespace {

const EventQuery kEverything;

// A store whose writes fail, without effect, from the n-th on, and that can do something else the
// moment a snapshot was taken.
class FailingStore final : public Store {
 public:
  explicit FailingStore(Store* store) : store_(store) {}
  void FailAfter(int writes) { writes_left_ = writes; }
  void OnceAfterSnapshot(std::function<void()> action) { after_snapshot_ = std::move(action); }

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return store_->Get(key);
  }
  absl::Status Scan(
      absl::string_view from, absl::string_view to, bool reverse,
      const std::function<bool(absl::string_view, absl::string_view)>& visit) const override {
    return store_->Scan(from, to, reverse, visit);
  }
  absl::Status Write(const StoreBatch& batch) override {
    if (writes_left_ == 0) return absl::UnavailableError("disk full");
    --writes_left_;
    return store_->Write(batch);
  }
  absl::Status Sync() override { return store_->Sync(); }
  std::unique_ptr<StoreReader> Snapshot() const override {
    std::unique_ptr<StoreReader> snapshot = store_->Snapshot();
    if (after_snapshot_) std::exchange(after_snapshot_, nullptr)();
    return snapshot;
  }

 private:
  Store* const store_;
  int writes_left_ = 1'000'000;
  mutable std::function<void()> after_snapshot_;
};

TEST_CASE("restart: at any moment loses nothing and doubles nothing", "[index]") {
  VIGIL_TEST_SEED(seed, 40);
  TestChain chain(seed, Height(3));
  SplitMix64 random(seed + 1);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  EventQuery query;
  query.class_uids = {4001, 4002};
  while (chain.event_count() < 220'000) {
    const TestBlock& block = chain.AddBlock(9'000);
    if (random.Chance(250)) {
      // The process dies before the block is finished, perhaps after a segment was stored.
      REQUIRE(FeedEvents(block, index.get(), 1 + random.Below(700)).ok());
      index = *EventIndex::Open(&store);
      CHECK(index->complete_height() < block.height);
    }
    const Height next = index->next_height();
    CHECK(next <= block.height);
    REQUIRE(CatchUp(chain, block.height, index.get()).ok());
    CHECK(index->complete_height() == block.height);
    CHECK(index->first_height() == Height(3));
    if (random.Chance(150)) {
      CHECK(SearchAll(*index, query, 1000, random.Chance(500), &loader).size() ==
            chain.SlowSearch(query, Height(3), block.height).size());
    }
  }
  CHECK(SearchAll(*index, query, 1000, false, &loader) ==
        chain.SlowSearch(query, Height(3), chain.last_height()));
}

TEST_CASE("restart: feeding one event at a time doubles nothing", "[index]") {
  TestChain chain(48);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  const TestBlock& block = chain.AddFullBlock(kSegmentEvents + 50);
  REQUIRE(Feed(block, index.get()).ok());
  index = *EventIndex::Open(&store);
  REQUIRE(Feed(block, index.get(), /*piece=*/1).ok());
  CHECK(SearchAll(*index, kEverything, 1000, false, &loader) ==
        chain.SlowSearch(kEverything, Height(1), Height(1)));
}

TEST_CASE("restart: stored blocks below the resume height are searchable at once", "[index]") {
  TestChain chain(41);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 100'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  index = *EventIndex::Open(&store);
  const Height complete = index->complete_height();
  CHECK(complete.Next() == index->next_height());
  CHECK(complete > Height(5));
  CHECK(SearchAll(*index, kEverything, 1000, false, &loader) ==
        chain.SlowSearch(kEverything, Height(1), complete));
}

TEST_CASE("restart: cursors from before go on after it", "[index]") {
  TestChain chain(42);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 100'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  EventQuery query;
  query.actors = {UserWord(9)};
  SearchPage page{.limit = 100, .cursor = "", .newest_first = true};
  const absl::StatusOr<SearchResult> first = index->Search(query, page, &loader);
  REQUIRE(first.ok());
  page.cursor = first->next_cursor;
  const absl::StatusOr<SearchResult> second = index->Search(query, page, &loader);
  index = *EventIndex::Open(&store);
  REQUIRE(CatchUp(chain, chain.last_height(), index.get()).ok());
  const absl::StatusOr<SearchResult> again = index->Search(query, page, &loader);
  REQUIRE(second.ok());
  REQUIRE(again.ok());
  CHECK(again->events == second->events);
  CHECK(again->next_cursor == second->next_cursor);
  // Another node with its own hash key takes the cursor too.
  MemoryStore other_store;
  const std::unique_ptr<EventIndex> other = *EventIndex::Open(&other_store);
  REQUIRE(CatchUp(chain, chain.last_height(), other.get()).ok());
  CHECK(other->Search(query, page, &loader)->events == second->events);
}

TEST_CASE("restart: events that were erased meanwhile need not be fed again", "[index]") {
  TestChain chain(43);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 70'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  index = *EventIndex::Open(&store);
  const Height next = index->next_height();
  EventQuery query;
  query.class_uids = {4001};
  std::vector<EventPosition> expected = chain.SlowSearch(query, Height(1), chain.last_height());
  SECTION("all of the block") {
    const std::vector<EventPosition> before = SearchAll(*index, query, 1000, false, &loader);
    REQUIRE(index->FinishBlock(next).ok());
    for (Height height = next.Next(); height <= chain.last_height(); ++height) {
      REQUIRE(Feed(chain.block(height), index.get()).ok());
    }
    // The stored part of the block is there, its other part never was.
    const std::vector<EventPosition> after = SearchAll(*index, query, 1000, false, &loader);
    CHECK(std::ranges::includes(after, before, {}, &EventPosition::log, &EventPosition::log));
    CHECK(std::ranges::includes(expected, after, {}, &EventPosition::log, &EventPosition::log));
    CHECK(std::ranges::count(after, chain.last_height(), &EventPosition::height) ==
          std::ranges::count(expected, chain.last_height(), &EventPosition::height));
  }
  SECTION("the records of its stored part") {
    const RecordIndex last_stored = [&] {
      const IndexMeta meta = **SegmentStore::ReadMeta(store, "index/");
      return SegmentStore("index/", meta).ReadSummaries(store)->back().last.record;
    }();
    TestBlock rest = chain.block(next);
    std::erase_if(rest.records,
                  [&](const TestRecord& record) { return record.index < last_stored; });
    REQUIRE(Feed(rest, index.get()).ok());
    REQUIRE(CatchUp(chain, chain.last_height(), index.get()).ok());
    CHECK(SearchAll(*index, query, 1000, false, &loader) == expected);
  }
}

TEST_CASE("snapshot: a segment that is stored or pruned while a search begins does no harm",
          "[index]") {
  TestChain chain(49);
  ChainLoader loader(&chain);
  MemoryStore memory;
  FailingStore store(&memory);
  const std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(kSegmentEvents - 5), index.get()).ok());
  const TestBlock& second = chain.AddFullBlock(30);
  EventQuery query;
  query.class_uids = {4001};
  // The snapshot lacks the segment that the second block fills.
  store.OnceAfterSnapshot([&] { REQUIRE(Feed(second, index.get()).ok()); });
  CHECK(SearchAll(*index, query, 1000, false, &loader) ==
        chain.SlowSearch(query, Height(1), Height(2)));
  REQUIRE(index->complete_height() == Height(2));
  // The snapshot has a segment that the list names no more.
  store.OnceAfterSnapshot([&] { REQUIRE(index->Prune(Height(3)).ok()); });
  const std::vector<EventPosition> found = SearchAll(*index, query, 1000, true, &loader);
  CHECK(index->first_height() == Height(3));
  CHECK(found.empty());
}

TEST_CASE("write failure: stops the index and a restart goes on from the store", "[index]") {
  TestChain chain(44);
  ChainLoader loader(&chain);
  MemoryStore memory;
  FailingStore store(&memory);
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  while (chain.event_count() < 60'000) REQUIRE(Feed(chain.AddBlock(5'000), index.get()).ok());
  const Height before = index->complete_height();
  store.FailAfter(0);
  chain.AddFullBlock(20'000);
  CHECK(absl::IsUnavailable(FeedEvents(chain.block(before.Next()), index.get())));
  CHECK(absl::IsFailedPrecondition(index->FinishBlock(before.Next())));
  CHECK(SearchAll(*index, kEverything, 1000, false, &loader) ==
        chain.SlowSearch(kEverything, Height(1), before));
  store.FailAfter(1'000);
  index = *EventIndex::Open(&store);
  REQUIRE(CatchUp(chain, chain.last_height(), index.get()).ok());
  CHECK(SearchAll(*index, kEverything, 1000, false, &loader).size() == chain.event_count());
}

// Interrupts `drop` after each number of writes, opens again and checks that what is left is whole.
template <typename Drop>
void InterruptEverywhere(const Drop& drop) {
  TestChain chain(45);
  ChainLoader loader(&chain);
  MemoryStore full;
  {
    const std::unique_ptr<EventIndex> index = *EventIndex::Open(&full);
    while (chain.event_count() < 210'000) REQUIRE(Feed(chain.AddBlock(9'000), index.get()).ok());
  }
  EventQuery query;
  query.actors = {UserWord(4)};
  for (int writes = 0; writes <= 3; ++writes) {
    INFO("after " << writes << " writes");
    MemoryStore copy;
    StoreBatch batch;
    REQUIRE(full.Scan("", "", false,
                      [&](absl::string_view key, absl::string_view value) {
                        batch.Put(key, value);
                        return true;
                      })
                .ok());
    REQUIRE(copy.Write(batch).ok());
    FailingStore store(&copy);
    std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
    store.FailAfter(writes);
    const absl::Status status = drop(index.get());
    CHECK((status.ok() || absl::IsUnavailable(status)));
    CHECK(status.ok() == (writes == 3));
    store.FailAfter(1'000);
    index = *EventIndex::Open(&store);
    REQUIRE(CatchUp(chain, chain.last_height(), index.get()).ok());
    CHECK(index->first_height() >= Height(1));
    CHECK(SearchAll(*index, query, 1000, false, &loader) ==
          chain.SlowSearch(query, index->first_height(), chain.last_height()));
  }
}

TEST_CASE("prune: interrupted anywhere leaves a whole index", "[index]") {
  InterruptEverywhere([](EventIndex* index) { return index->Prune(Height(1'000'000)); });
}

TEST_CASE("drop: interrupted anywhere leaves a whole index", "[index]") {
  InterruptEverywhere([](EventIndex* index) { return index->DropAfter(Height(0)); });
}

TEST_CASE("damage: a flipped bit is reported and never changes a result", "[index]") {
  VIGIL_TEST_SEED(seed, 46);
  SplitMix64 random(seed);
  TestChain chain(seed);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(kSegmentEvents), index.get()).ok());
  EventQuery query;
  query.terms = {TextWord(5)};
  const std::vector<EventPosition> expected = chain.SlowSearch(query, Height(1), Height(1));
  REQUIRE(expected.size() > 100);
  std::vector<std::pair<std::string, std::string>> entries;
  REQUIRE(store
              .Scan("", "", false,
                    [&](absl::string_view key, absl::string_view value) {
                      entries.emplace_back(key, value);
                      return true;
                    })
              .ok());
  int reported = 0;
  for (const auto& [key, value] : entries) {
    std::string damaged = value;
    const uint64_t bit = random.Below(8 * value.size());
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    StoreBatch damage;
    damage.Put(key, damaged);
    REQUIRE(store.Write(damage).ok());
    absl::Status status;
    absl::StatusOr<std::unique_ptr<EventIndex>> opened = EventIndex::Open(&store);
    if (opened.ok()) status = Feed(chain.block(Height(1)), opened->get());
    if (!opened.ok()) {
      status = opened.status();
    } else if (status.ok()) {
      const absl::StatusOr<SearchResult> result =
          (*opened)->Search(query, {.limit = 1000, .cursor = "", .newest_first = false}, &loader);
      status = result.status();
      if (result.ok()) CHECK(result->events == expected);
    }
    if (!status.ok()) {
      CHECK(absl::IsDataLoss(status));
      ++reported;
    }
    StoreBatch repair;
    repair.Put(key, value);
    REQUIRE(store.Write(repair).ok());
  }
  // Meta, summary, the sixteen pages of runs and at least one page of terms were looked at.
  CHECK(reported >= 19);
}

TEST_CASE("damage: a missing page or segment is reported", "[index]") {
  TestChain chain(47);
  ChainLoader loader(&chain);
  MemoryStore store;
  std::unique_ptr<EventIndex> index = *EventIndex::Open(&store);
  REQUIRE(Feed(chain.AddFullBlock(2 * kSegmentEvents), index.get()).ok());
  REQUIRE(Feed(chain.AddFullBlock(10), index.get()).ok());
  const auto remove_first = [&](char kind) {
    StoreBatch batch;
    const std::string prefix = std::string("index/") + kind;
    REQUIRE(store
                .Scan(prefix, "", false,
                      [&](absl::string_view key, absl::string_view) {
                        batch.Delete(key);
                        return false;
                      })
                .ok());
    REQUIRE(store.Write(batch).ok());
  };
  SECTION("a page of runs") {
    remove_first('R');
    CHECK(absl::IsDataLoss(index->Search({}, {}, &loader).status()));
  }
  SECTION("the first segment's summary") {
    remove_first('S');
    CHECK(absl::IsDataLoss(EventIndex::Open(&store).status()));
    REQUIRE(EventIndex::Erase(&store).ok());
    index = *EventIndex::Open(&store);
    REQUIRE(CatchUp(chain, chain.last_height(), index.get()).ok());
    CHECK(SearchAll(*index, kEverything, 1000, false, &loader).size() == chain.event_count());
  }
  SECTION("the meta value alone") {
    remove_first('M');
    CHECK(absl::IsDataLoss(EventIndex::Open(&store).status()));
  }
}

}  // namespace
}  // namespace vigil::ledger::testing
