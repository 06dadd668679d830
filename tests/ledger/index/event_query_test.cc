#include "ledger/index/event_query.h"

#include <functional>

#include "ledger/index/term.h"
#include "tests/ledger/index/test_chain.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

EventView SampleEvent() {
  static constexpr uint8_t kSrc[] = {10, 0, 0, 1};
  static constexpr uint8_t kDst[] = {10, 0, 0, 2};
  static constexpr uint8_t kDevice[] = {0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
  EventView event;
  event.time_unix_nano = 1'000;
  event.type_uid = 400106;
  event.severity_id = 4;
  event.source = "zeek.conn";
  event.user = "alice";
  event.src.ip = kSrc;
  event.dst.ip = kDst;
  event.device.ip = kDevice;
  event.src.hostname = "src.example";
  event.dst.hostname = "dst.example";
  event.device.hostname = "device.example";
  event.rule_uid = "2001";
  event.rule_name = "ET SCAN";
  event.url_or_query = "http://x/";
  return event;
}

std::string Address(absl::string_view text) { return *ParseIpAddress(text); }

TEST_CASE("query: every filter alone takes its event and refuses others", "[index]") {
  const EventView event = SampleEvent();
  struct Case {
    std::function<void(EventQuery*)> set;
    bool matches;
  };
  const std::vector<Case> cases = {
      {[](EventQuery*) {}, true},
      {[](EventQuery* q) {
         q->class_uids = {4003, 4001};
       },
       true},
      {[](EventQuery* q) { q->class_uids = {4003}; }, false},
      {[](EventQuery* q) { q->severity_min = 4; }, true},
      {[](EventQuery* q) { q->severity_min = 5; }, false},
      {[](EventQuery* q) { q->sources = {"zeek.conn"}; }, true},
      {[](EventQuery* q) { q->sources = {"zeek.con"}; }, false},
      {[](EventQuery* q) { q->sources = {"Zeek.conn"}; }, false},
      {[](EventQuery* q) {
         q->actors = {"bob", "alice"};
       },
       true},
      {[](EventQuery* q) { q->actors = {"zeek.conn"}; }, false},
      {[](EventQuery* q) { q->addresses = {Address("10.0.0.1")}; }, true},
      {[](EventQuery* q) { q->addresses = {Address("10.0.0.2")}; }, true},
      {[](EventQuery* q) { q->addresses = {Address("2001::3")}; }, true},
      {[](EventQuery* q) { q->addresses = {Address("10.0.0.3")}; }, false},
      {[](EventQuery* q) { q->terms = {"src.example"}; }, true},
      {[](EventQuery* q) { q->terms = {"dst.example"}; }, true},
      {[](EventQuery* q) { q->terms = {"device.example"}; }, true},
      {[](EventQuery* q) { q->terms = {"2001"}; }, true},
      {[](EventQuery* q) { q->terms = {"ET SCAN"}; }, true},
      {[](EventQuery* q) { q->terms = {"http://x/"}; }, true},
      {[](EventQuery* q) { q->terms = {"alice"}; }, false},
      {[](EventQuery* q) { q->from_unix_nano = 1'000; }, true},
      {[](EventQuery* q) { q->from_unix_nano = 1'001; }, false},
      {[](EventQuery* q) { q->to_unix_nano = 1'001; }, true},
      {[](EventQuery* q) { q->to_unix_nano = 1'000; }, false},
      {[](EventQuery* q) {
         q->actors = {"alice"};
         q->class_uids = {4001};
       },
       true},
      {[](EventQuery* q) {
         q->actors = {"alice"};
         q->class_uids = {4002};
       },
       false},
  };
  ShortHashKey key;
  key.bytes.fill(7);
  const TermHasher hasher(key, 64);
  std::vector<uint64_t> hashes;
  hasher.AppendEventTerms(event, &hashes);
  CHECK(hashes.size() == kEventTermsMax);
  for (size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    EventQuery query;
    cases[i].set(&query);
    REQUIRE(CheckQuery(query).ok());
    CHECK(Matches(query, event) == cases[i].matches);
    // What matches must be among the candidates that terms give.
    bool candidate = true;
    for (const std::vector<uint64_t>& group : hasher.QueryGroups(query)) {
      bool any = false;
      for (uint64_t hash : group) any = any || std::ranges::binary_search(hashes, hash);
      candidate = candidate && any;
    }
    if (cases[i].matches) CHECK(candidate);
  }
}

TEST_CASE("query: an event without a field answers no filter on it", "[index]") {
  const EventView bare;
  EventQuery query;
  query.actors = {"alice"};
  CHECK_FALSE(Matches(query, bare));
  query = EventQuery();
  query.addresses = {Address("0.0.0.0")};
  CHECK_FALSE(Matches(query, bare));
  query = EventQuery();
  query.terms = {"x"};
  CHECK_FALSE(Matches(query, bare));
}

TEST_CASE("query: lists and values have maxima and no empty values", "[index]") {
  EventQuery query;
  query.terms.assign(kQueryValuesMax, std::string(kQueryValueBytesMax, 't'));
  query.class_uids.assign(kQueryValuesMax, 1);
  CHECK(CheckQuery(query).ok());
  const auto refused = [](const std::function<void(EventQuery*)>& set) {
    EventQuery bad;
    set(&bad);
    return absl::IsInvalidArgument(CheckQuery(bad));
  };
  CHECK(refused([](EventQuery* q) { q->class_uids.assign(kQueryValuesMax + 1, 1); }));
  CHECK(refused([](EventQuery* q) { q->sources.assign(kQueryValuesMax + 1, "x"); }));
  CHECK(refused([](EventQuery* q) { q->actors.assign(kQueryValuesMax + 1, "x"); }));
  CHECK(refused([](EventQuery* q) { q->terms.assign(kQueryValuesMax + 1, "x"); }));
  CHECK(refused([](EventQuery* q) { q->addresses.assign(kQueryValuesMax + 1, "1234"); }));
  CHECK(refused([](EventQuery* q) { q->sources = {""}; }));
  CHECK(refused([](EventQuery* q) { q->actors = {"a", ""}; }));
  CHECK(refused([](EventQuery* q) { q->terms = {std::string(kQueryValueBytesMax + 1, 'x')}; }));
  CHECK(refused([](EventQuery* q) { q->addresses = {"12345"}; }));
  CHECK(refused([](EventQuery* q) { q->addresses = {""}; }));
  CHECK(refused([](EventQuery* q) { q->from_unix_nano = q->to_unix_nano = 5; }));
  CHECK(refused([](EventQuery* q) { q->from_unix_nano = 6, q->to_unix_nano = 5; }));
}

TEST_CASE("address text: is read as the bytes that events carry", "[index]") {
  CHECK(Address("1.2.3.4") == std::string("\1\2\3\4"));
  CHECK(Address("::1") == std::string(15, '\0') + '\1');
  CHECK(Address("::ffff:1.2.3.4") == std::string("\1\2\3\4"));
  CHECK(Address("2001:db8::").size() == 16);
  for (const std::string& bad :
       {std::string(), std::string("1.2.3"), std::string("1.2.3.4.5"), std::string("1.2.3.256"),
        std::string("01.2.3.4 "), std::string("::g"), std::string("host"),
        std::string("1.2.3.4\0x", 9), std::string(10'000, '1')}) {
    CHECK(absl::IsInvalidArgument(ParseIpAddress(bad).status()));
  }
}

TEST_CASE("term: values longer than any query can ask for are not read past the end", "[index]") {
  const std::string longest(3 * kQueryValueBytesMax, 'u');
  EventView event;
  event.url_or_query = longest;
  const TermHasher hasher(ShortHashKey(), 64);
  std::vector<uint64_t> hashes;
  hasher.AppendEventTerms(event, &hashes);
  CHECK(hashes.size() == 3);  // Class, severity and text.
}

TEST_CASE("term: one event never has a hash twice", "[index]") {
  EventView event = SampleEvent();
  event.dst = event.src;
  event.rule_name = event.rule_uid;
  std::vector<uint64_t> hashes;
  TermHasher(ShortHashKey(), 64).AppendEventTerms(event, &hashes);
  CHECK(hashes.size() == kEventTermsMax - 3);
  CHECK(std::ranges::is_sorted(hashes));
  hashes.clear();
  TermHasher(ShortHashKey(), 1).AppendEventTerms(event, &hashes);
  CHECK(hashes.size() <= 2);
}

}  // namespace
}  // namespace vigil::ledger
