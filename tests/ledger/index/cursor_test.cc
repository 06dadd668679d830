#include "ledger/index/cursor.h"

#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

EventQuery SampleQuery() {
  EventQuery query;
  query.class_uids = {4001, 4003};
  query.severity_min = 3;
  query.sources = {"zeek.conn", "zeek.dns"};
  query.actors = {"alice"};
  query.addresses = {"1234"};
  query.terms = {"t"};
  query.from_unix_nano = 5;
  query.to_unix_nano = 50;
  return query;
}

constexpr LogPosition kPosition{RecordIndex(0x0102030405060708), ItemIndex(0x0a0b0c0d)};

TEST_CASE("cursor: comes back as the position it was made of", "[index]") {
  const std::string cursor = EncodeCursor(SampleQuery(), true, kPosition);
  CHECK(cursor.substr(0, 28) ==
        "01010102030405060708"
        "0a0b0c0d");
  const absl::StatusOr<LogPosition> decoded = DecodeCursor(SampleQuery(), true, cursor);
  REQUIRE(decoded.ok());
  CHECK(*decoded == kPosition);
}

TEST_CASE("cursor: the order of a query's values does not matter", "[index]") {
  EventQuery shuffled = SampleQuery();
  std::swap(shuffled.class_uids[0], shuffled.class_uids[1]);
  std::swap(shuffled.sources[0], shuffled.sources[1]);
  const std::string cursor = EncodeCursor(SampleQuery(), false, kPosition);
  CHECK(EncodeCursor(shuffled, false, kPosition) == cursor);
}

TEST_CASE("cursor: another query or direction refuses it", "[index]") {
  const std::string cursor = EncodeCursor(SampleQuery(), false, kPosition);
  CHECK(absl::IsInvalidArgument(DecodeCursor(SampleQuery(), true, cursor).status()));
  std::vector<EventQuery> others(10, SampleQuery());
  others[0].class_uids.pop_back();
  others[1].severity_min = 4;
  others[2].sources = {"zeek.conn"};
  others[3].actors = {"alicf"};
  others[4].addresses = {"1235"};
  others[5].terms.clear();
  others[6].from_unix_nano = 6;
  others[7].to_unix_nano = 51;
  std::swap(others[8].terms, others[8].actors);
  others[9] = EventQuery();
  for (const EventQuery& other : others) {
    CHECK(absl::IsInvalidArgument(DecodeCursor(other, false, cursor).status()));
  }
}

TEST_CASE("cursor: every changed or missing character refuses it", "[index]") {
  const std::string cursor = EncodeCursor(SampleQuery(), false, kPosition);
  for (size_t i = 0; i < cursor.size(); ++i) {
    CHECK(
        absl::IsInvalidArgument(DecodeCursor(SampleQuery(), false, cursor.substr(0, i)).status()));
    for (char c : {'0', '9', 'a', 'f', 'g', 'A', '\0'}) {
      std::string changed = cursor;
      if (changed[i] == c) continue;
      changed[i] = c;
      CHECK(absl::IsInvalidArgument(DecodeCursor(SampleQuery(), false, changed).status()));
    }
  }
  CHECK(absl::IsInvalidArgument(DecodeCursor(SampleQuery(), false, cursor + "00").status()));
  CHECK(absl::IsInvalidArgument(
      DecodeCursor(SampleQuery(), false, std::string(100'000, '0')).status()));
}

}  // namespace
}  // namespace vigil::ledger
