// A chain of events for index tests, and the slow, obvious search over it.
#ifndef VIGIL_TESTS_LEDGER_INDEX_TEST_CHAIN_H_
#define VIGIL_TESTS_LEDGER_INDEX_TEST_CHAIN_H_

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/index/event_index.h"

namespace vigil::ledger::testing {

// Fields are numbers of words in small vocabularies; 0 means absent.
struct TestEvent {
  uint64_t time = 0;
  uint32_t class_uid = 0;
  uint32_t severity = 0;
  uint32_t source = 0;
  uint32_t user = 0;
  std::array<uint32_t, 3> addresses{};  // src, dst, device.
  std::array<uint32_t, 3> hosts{};      // src, dst, device.
  uint32_t rule_uid = 0;
  uint32_t rule_name = 0;
  uint32_t url = 0;

  // Views into words that live for the whole test.
  EventView View() const;
};

// The bytes or text that the words stand for.
std::string AddressWord(uint32_t number);  // 4 bytes for even numbers, 16 for odd ones.
std::string TextWord(uint32_t number);     // Shared by hosts, rules and URLs.
std::string SourceWord(uint32_t number);
std::string UserWord(uint32_t number);

struct TestRecord {
  RecordIndex index;
  std::vector<TestEvent> events;
};

struct TestBlock {
  Height height;
  std::vector<TestRecord> records;
};

class TestChain {
 public:
  explicit TestChain(uint64_t seed, Height first_height = Height(1))
      : random_(seed), first_height_(first_height) {}

  // Appends a block of random events; may have none, and records without events in between.
  const TestBlock& AddBlock(uint32_t events_max);
  // Appends a block with one record of exactly `count` random events.
  const TestBlock& AddFullBlock(uint32_t count);

  const std::vector<TestBlock>& blocks() const { return blocks_; }
  const TestBlock& block(Height height) const { return blocks_[height - first_height_]; }
  Height last_height() const { return blocks_.back().height; }
  uint64_t event_count() const { return event_count_; }
  const TestEvent& Find(const EventPosition& position) const;

  EventQuery RandomQuery();
  // Every event of heights `from` to `to` that answers, in order of the log.
  std::vector<EventPosition> SlowSearch(const EventQuery& query, Height from, Height to) const;

 private:
  TestEvent RandomEvent();

  SplitMix64 random_;
  const Height first_height_;
  std::vector<TestBlock> blocks_;
  uint64_t next_record_ = 0;
  uint64_t event_count_ = 0;
};

// Loads from a chain; events can be erased.
class ChainLoader final : public EventLoader {
 public:
  explicit ChainLoader(const TestChain* chain) : chain_(chain) {}
  absl::StatusOr<bool> Load(const EventPosition& position, EventView* view) override;
  void Erase(const EventPosition& position) { erased_.insert(position.log()); }
  uint64_t load_count() const { return load_count_; }

 private:
  const TestChain* const chain_;
  std::set<LogPosition> erased_;
  uint64_t load_count_ = 0;
};

// Feeds a block, in pieces of at most `piece` events.
absl::Status Feed(const TestBlock& block, EventIndex* index, size_t piece = 100);
absl::Status FeedEvents(const TestBlock& block, EventIndex* index, size_t piece = 100);
// Feeds from where the index says, up to `to`.
absl::Status CatchUp(const TestChain& chain, Height to, EventIndex* index);

// All pages put together. Fails the test when a page is over the limit, or has no end.
std::vector<EventPosition> SearchAll(const EventIndex& index, const EventQuery& query,
                                     uint32_t limit, bool newest_first, EventLoader* loader);

}  // namespace vigil::ledger::testing

#endif  // VIGIL_TESTS_LEDGER_INDEX_TEST_CHAIN_H_
