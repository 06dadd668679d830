// Everything that may happen to an index in random order, against a walk over all events: readers
// in the middle of their pages stay right meanwhile.
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ledger/index/cursor.h"
#include "ledger/storage/memory_store.h"
#include "tests/ledger/index/test_chain.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger::testing {
namespace {

// Somebody who pages through an answer while the index changes under them.
struct Reader {
  EventQuery query;
  bool newest_first = false;
  std::string cursor;
};

class ChangingIndex {
 public:
  explicit ChangingIndex(uint64_t seed) : chain_(seed), random_(seed + 1), loader_(&chain_) {
    Reopen();
  }

  void Step() {
    switch (random_.Below(12)) {
      case 0:
        return Reopen();
      case 1:
        return Prune();
      case 2:
        return DropAfter();
      case 3:
        return BeginReading();
      case 4:
        return Erase();
      case 5:
      case 6:
        return Grow();
      default:
        return ReadPage();
    }
  }

  size_t pages() const { return pages_; }
  size_t found() const { return found_; }
  uint64_t pruned_height() const { return index_->first_height().value(); }

 private:
  void Reopen() {
    index_.reset();
    index_ = *EventIndex::Open(&store_, {.key_prefix = "i/", .budget = {.candidates_max = 3'000}});
    Feed(random_.Below(4));
  }
  void Grow() {
    chain_.AddBlock(random_.Chance(300) ? 40'000 : 2'000);
    Feed(random_.Below(6));
  }
  // Feeds all but the newest `behind` blocks.
  void Feed(uint64_t behind) {
    if (chain_.blocks().size() <= behind) return;
    const Height to(chain_.last_height().value() - behind);
    if (to >= index_->next_height()) REQUIRE(CatchUp(chain_, to, index_.get()).ok());
  }
  void Prune() {
    if (index_->next_height() == Height(0) || random_.Chance(500)) return;
    REQUIRE(index_->Prune(Height(random_.Below(chain_.blocks().size()) + 1)).ok());
  }
  void DropAfter() {
    if (chain_.blocks().empty() || random_.Chance(700)) return;
    REQUIRE(index_->DropAfter(Height(random_.Below(chain_.blocks().size()) + 1)).ok());
    Feed(random_.Below(3));
  }
  void Erase() {
    if (chain_.blocks().empty()) return;
    const TestBlock& block = chain_.blocks()[random_.Below(chain_.blocks().size())];
    for (const TestRecord& record : block.records) {
      if (record.events.empty()) continue;
      const EventPosition gone{record.index, ItemIndex(random_.Below(record.events.size())),
                               block.height};
      loader_.Erase(gone);
      erased_.insert(gone.log());
    }
  }
  void BeginReading() {
    if (chain_.blocks().empty()) return;
    if (readers_.size() == 4) readers_.erase(readers_.begin());
    readers_.push_back({.query = random_.Chance(200) ? EventQuery() : chain_.RandomQuery(),
                        .newest_first = random_.Chance(500),
                        .cursor = ""});
  }
  void ReadPage() {
    if (readers_.empty()) return;
    const size_t which = random_.Below(readers_.size());
    Reader& reader = readers_[which];
    const auto limit = static_cast<uint32_t>(1 + random_.Below(300));
    const absl::StatusOr<SearchResult> page = index_->Search(
        reader.query,
        {.limit = limit, .cursor = reader.cursor, .newest_first = reader.newest_first}, &loader_);
    INFO(page.status().ToString());
    REQUIRE(page.ok());
    CheckPage(reader, *page, limit);
    ++pages_;
    found_ += page->events.size();
    reader.cursor = page->next_cursor;
    if (page->next_cursor.empty()) readers_.erase(readers_.begin() + static_cast<int64_t>(which));
  }

  // The page is what a walk finds beyond the reader's cursor, among the heights that the page says
  // it is complete for; the next cursor steps over nothing that is still to come.
  void CheckPage(const Reader& reader, const SearchResult& page, uint32_t limit) {
    REQUIRE(page.events.size() <= limit);
    std::vector<EventPosition> expected =
        page.complete_height < page.first_height
            ? std::vector<EventPosition>()
            : chain_.SlowSearch(reader.query, page.first_height, page.complete_height);
    if (reader.newest_first) std::ranges::reverse(expected);
    std::erase_if(expected, [&](const EventPosition& position) {
      return erased_.contains(position.log()) || !IsBeyond(reader, reader.cursor, position.log());
    });
    REQUIRE(page.events.size() <= expected.size());
    const auto rest = expected.begin() + static_cast<std::ptrdiff_t>(page.events.size());
    const bool begins_the_same = std::equal(expected.begin(), rest, page.events.begin());
    CHECK(begins_the_same);
    if (page.next_cursor.empty()) CHECK(rest == expected.end());
    const bool skips_none = std::all_of(rest, expected.end(), [&](const EventPosition& position) {
      return IsBeyond(reader, page.next_cursor, position.log());
    });
    CHECK(skips_none);
  }
  static bool IsBeyond(const Reader& reader, const std::string& cursor, const LogPosition& at) {
    if (cursor.empty()) return true;
    const LogPosition end = *DecodeCursor(reader.query, reader.newest_first, cursor);
    return reader.newest_first ? at < end : at > end;
  }

  TestChain chain_;
  SplitMix64 random_;
  ChainLoader loader_;
  MemoryStore store_;
  std::unique_ptr<EventIndex> index_;
  std::set<LogPosition> erased_;
  std::vector<Reader> readers_;
  size_t pages_ = 0;
  size_t found_ = 0;
};

TEST_CASE("index: pages stay right while blocks come and segments go", "[index]") {
  VIGIL_TEST_SEED(seed, 40);
  size_t found = 0;
  uint64_t pruned = 0;
  for (uint64_t round = 0; round < 3; ++round) {
    INFO("round " << round);
    ChangingIndex index(seed + 100 * round);
    for (int step = 0; step < 150; ++step) {
      INFO("step " << step);
      index.Step();
    }
    CHECK(index.pages() > 30);
    found += index.found();
    pruned = std::max(pruned, index.pruned_height());
  }
  CHECK(found > 1'000);
  CHECK(pruned > 1);
}

}  // namespace
}  // namespace vigil::ledger::testing
