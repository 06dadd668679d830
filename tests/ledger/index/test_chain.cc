#include "tests/ledger/index/test_chain.h"

#include <algorithm>

#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "tests/support/catch.h"

namespace vigil::ledger::testing {
namespace {

constexpr uint32_t kWordsMax = 4096;

std::vector<std::string> MakeWords(std::string (*word)(uint32_t)) {
  std::vector<std::string> words;
  for (uint32_t i = 0; i < kWordsMax; ++i) words.push_back(word(i));
  return words;
}

std::string_view Word(const std::vector<std::string>& words, uint32_t number) {
  return number == 0 ? std::string_view() : std::string_view(words[number]);
}

const std::vector<std::string>& AddressWords() {
  static const auto* const kWords = new std::vector<std::string>(MakeWords(AddressWord));
  return *kWords;
}
const std::vector<std::string>& TextWords() {
  static const auto* const kWords = new std::vector<std::string>(MakeWords(TextWord));
  return *kWords;
}
const std::vector<std::string>& SourceWords() {
  static const auto* const kWords = new std::vector<std::string>(MakeWords(SourceWord));
  return *kWords;
}
const std::vector<std::string>& UserWords() {
  static const auto* const kWords = new std::vector<std::string>(MakeWords(UserWord));
  return *kWords;
}

template <typename Value>
bool Has(const std::vector<Value>& values, const Value& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool SlowMatches(const EventQuery& query, const TestEvent& event) {
  if (event.time < query.from_unix_nano) return false;
  if (query.to_unix_nano != 0 && event.time >= query.to_unix_nano) return false;
  if (event.severity < query.severity_min) return false;
  if (!query.class_uids.empty() && !Has(query.class_uids, event.class_uid)) return false;
  if (!query.sources.empty() && !Has(query.sources, SourceWord(event.source))) return false;
  if (!query.actors.empty() && !(event.user != 0 && Has(query.actors, UserWord(event.user)))) {
    return false;
  }
  bool address = query.addresses.empty();
  for (uint32_t number : event.addresses) {
    address = address || (number != 0 && Has(query.addresses, AddressWord(number)));
  }
  bool text = query.terms.empty();
  for (uint32_t number : {event.hosts[0], event.hosts[1], event.hosts[2], event.rule_uid,
                          event.rule_name, event.url}) {
    text = text || (number != 0 && Has(query.terms, TextWord(number)));
  }
  return address && text;
}

}  // namespace

std::string AddressWord(uint32_t number) {
  std::string word(number % 2 == 0 ? 4 : 16, '\0');
  word[0] = 10;
  word[2] = static_cast<char>(number >> 8);
  word[3] = static_cast<char>(number);
  return word;
}
std::string TextWord(uint32_t number) { return "text-" + std::to_string(number) + ".example"; }
std::string SourceWord(uint32_t number) { return "source." + std::to_string(number); }
std::string UserWord(uint32_t number) { return "user" + std::to_string(number); }

EventView TestEvent::View() const {
  EventView view;
  view.time_unix_nano = time;
  view.type_uid = uint64_t{class_uid} * 100 + 1;
  view.severity_id = severity;
  view.source = Word(SourceWords(), source);
  view.user = Word(UserWords(), user);
  EndpointView* const endpoints[] = {&view.src, &view.dst, &view.device};
  for (size_t i = 0; i < 3; ++i) {
    const std::string_view ip = Word(AddressWords(), addresses[i]);
    endpoints[i]->ip = {reinterpret_cast<const uint8_t*>(ip.data()), ip.size()};
    endpoints[i]->hostname = Word(TextWords(), hosts[i]);
  }
  view.rule_uid = Word(TextWords(), rule_uid);
  view.rule_name = Word(TextWords(), rule_name);
  view.url_or_query = Word(TextWords(), url);
  return view;
}

TestEvent TestChain::RandomEvent() {
  const auto maybe = [&](uint32_t permille, uint32_t words) {
    return random_.Chance(permille) ? 1 + static_cast<uint32_t>(random_.Below(words)) : 0;
  };
  TestEvent event;
  // Roughly in order, with stragglers.
  event.time = 1'000'000 + event_count_ * 10 + random_.Below(2'000);
  if (random_.Chance(5)) event.time -= 900'000;
  event.class_uid = 4001 + static_cast<uint32_t>(random_.Below(5));
  event.severity = random_.Chance(20) ? 99 : static_cast<uint32_t>(random_.Below(7));
  event.source = 1 + static_cast<uint32_t>(random_.Below(3));
  event.user = maybe(400, 50);
  for (uint32_t& address : event.addresses) address = maybe(600, 3'000);
  for (uint32_t& host : event.hosts) host = maybe(200, 500);
  event.rule_uid = maybe(100, 20);
  event.rule_name = maybe(100, 20);
  event.url = maybe(200, 2'000);
  ++event_count_;
  return event;
}

const TestBlock& TestChain::AddBlock(uint32_t events_max) {
  TestBlock block;
  block.height = first_height_ + blocks_.size();
  uint32_t left = static_cast<uint32_t>(random_.Below(events_max + 1));
  while (left > 0) {
    // Some records of a block carry no events.
    next_record_ += random_.Below(3);
    const uint32_t count = 1 + static_cast<uint32_t>(random_.Below(left));
    TestRecord record{.index = RecordIndex(next_record_++), .events = {}};
    for (uint32_t i = 0; i < count; ++i) record.events.push_back(RandomEvent());
    block.records.push_back(std::move(record));
    left -= count;
  }
  ++next_record_;  // The seal.
  blocks_.push_back(std::move(block));
  return blocks_.back();
}

const TestBlock& TestChain::AddFullBlock(uint32_t count) {
  TestBlock block;
  block.height = first_height_ + blocks_.size();
  TestRecord record{.index = RecordIndex(next_record_++), .events = {}};
  for (uint32_t i = 0; i < count; ++i) record.events.push_back(RandomEvent());
  block.records.push_back(std::move(record));
  ++next_record_;
  blocks_.push_back(std::move(block));
  return blocks_.back();
}

const TestEvent& TestChain::Find(const EventPosition& position) const {
  const TestBlock& in_block = block(position.height);
  const auto record = std::lower_bound(
      in_block.records.begin(), in_block.records.end(), position.record,
      [](const TestRecord& candidate, RecordIndex index) { return candidate.index < index; });
  VIGIL_CHECK(record != in_block.records.end() && record->index == position.record, "no record ",
              position.record.value());
  return record->events[position.item.value()];
}

EventQuery TestChain::RandomQuery() {
  EventQuery query;
  const auto some = [&](uint32_t permille, const auto& add) {
    if (!random_.Chance(permille)) return;
    for (uint64_t count = 1 + random_.Below(3); count > 0; --count) add();
  };
  const auto number = [&](uint32_t words) {
    return 1 + static_cast<uint32_t>(random_.Below(words));
  };
  some(300, [&] { query.class_uids.push_back(4000 + number(6)); });
  some(200, [&] { query.sources.push_back(SourceWord(number(4))); });
  some(300, [&] { query.actors.push_back(UserWord(number(55))); });
  some(300, [&] { query.addresses.push_back(AddressWord(number(3'100))); });
  some(300, [&] { query.terms.push_back(TextWord(number(random_.Chance(500) ? 20 : 2'100))); });
  if (random_.Chance(200)) query.severity_min = number(8);
  if (random_.Chance(300)) {
    query.from_unix_nano = 1'000'000 + random_.Below(10 * event_count_ + 1);
    if (random_.Chance(500)) {
      query.to_unix_nano = query.from_unix_nano + 1 + random_.Below(100'000);
    }
  }
  return query;
}

std::vector<EventPosition> TestChain::SlowSearch(const EventQuery& query, Height from,
                                                 Height to) const {
  std::vector<EventPosition> found;
  for (const TestBlock& block : blocks_) {
    if (block.height < from || block.height > to) continue;
    for (const TestRecord& record : block.records) {
      for (uint32_t item = 0; item < record.events.size(); ++item) {
        if (SlowMatches(query, record.events[item])) {
          found.push_back({record.index, ItemIndex(item), block.height});
        }
      }
    }
  }
  return found;
}

absl::StatusOr<bool> ChainLoader::Load(const EventPosition& position, EventView* view) {
  ++load_count_;
  if (erased_.contains(position.log())) return false;
  *view = chain_->Find(position).View();
  return true;
}

absl::Status FeedEvents(const TestBlock& block, EventIndex* index, size_t piece) {
  std::vector<EventView> views;
  for (const TestRecord& record : block.records) {
    for (const TestEvent& event : record.events) {
      views.push_back(event.View());
      if (views.size() < piece) continue;
      RETURN_IF_ERROR(index->Add(block.height, record.index, views));
      views.clear();
    }
    RETURN_IF_ERROR(index->Add(block.height, record.index, views));
    views.clear();
  }
  return absl::OkStatus();
}

absl::Status Feed(const TestBlock& block, EventIndex* index, size_t piece) {
  RETURN_IF_ERROR(FeedEvents(block, index, piece));
  return index->FinishBlock(block.height);
}

absl::Status CatchUp(const TestChain& chain, Height to, EventIndex* index) {
  Height from = index->next_height();
  if (from == Height(0)) from = chain.blocks().front().height;
  for (Height height = from; height <= to; ++height) {
    RETURN_IF_ERROR(Feed(chain.block(height), index));
  }
  return absl::OkStatus();
}

std::vector<EventPosition> SearchAll(const EventIndex& index, const EventQuery& query,
                                     uint32_t limit, bool newest_first, EventLoader* loader) {
  std::vector<EventPosition> all;
  SearchPage page{.limit = limit, .cursor = "", .newest_first = newest_first};
  for (int count = 0;; ++count) {
    REQUIRE(count < 1'000'000);
    const absl::StatusOr<SearchResult> result = index.Search(query, page, loader);
    INFO(result.status().ToString());
    REQUIRE(result.ok());
    REQUIRE(result->events.size() <= limit);
    all.insert(all.end(), result->events.begin(), result->events.end());
    if (result->next_cursor.empty()) return all;
    REQUIRE(result->next_cursor != page.cursor);
    page.cursor = result->next_cursor;
  }
}

}  // namespace vigil::ledger::testing
