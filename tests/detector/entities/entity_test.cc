// One entity: what counts, for how long, and what the bytes must be.
#include "detector/entities/entity.h"

#include <limits>

#include "detector/features/schema.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

constexpr uint64_t kNow = 1'700'000'000'000;

Sighting At(uint64_t millis) {
  return {.millis = millis, .peer = kMissing, .port = kMissing, .name = kMissing};
}
std::vector<uint8_t> Bytes(const Entity& entity) {
  LittleEndianWriter writer;
  entity.Serialize(&writer);
  return writer.Take();
}

TEST_CASE("entity: a window holds what lies within seven eighths and nothing of its length",
          "[detector]") {
  for (const Span span : kSpans) {
    const uint64_t length = MillisOf(span);
    for (uint64_t back = 0; back <= 2 * length; back += length / 64) {
      for (const bool in_order : {true, false}) {
        Entity entity(EntityKind::kSource);
        entity.Add(At(in_order ? kNow - back : kNow));
        entity.Add(At(in_order ? kNow : kNow - back));
        const uint64_t events = entity.Window(span).events;
        if (back <= length * 7 / 8) CHECK(events == 2);
        if (back >= length) CHECK(events == 1);
        CHECK(entity.events() == 2);
      }
    }
  }
}

TEST_CASE("entity: counters stop at their largest value", "[detector]") {
  Entity entity(EntityKind::kSource);
  Sighting much = At(kNow);
  much.count = std::numeric_limits<uint32_t>::max();
  much.failed = much.logon_failed = true;
  much.bytes_out = std::numeric_limits<uint64_t>::max();
  for (int i = 0; i < 3; ++i) entity.Add(much);
  const WindowCounts window = entity.Window(Span::kMinute);
  CHECK(window.events == std::numeric_limits<uint32_t>::max());
  CHECK(window.logon_failures == std::numeric_limits<uint32_t>::max());
  CHECK(window.bytes_out == std::numeric_limits<uint64_t>::max());
  CHECK(entity.bytes_out() == std::numeric_limits<uint64_t>::max());
  much.millis += 8'000;
  entity.Add(much);
  CHECK(entity.Window(Span::kMinute).bytes_out == std::numeric_limits<uint64_t>::max());
  Entity again(EntityKind::kSource);
  const std::vector<uint8_t> bytes = Bytes(entity);
  LittleEndianReader reader(bytes);
  REQUIRE(again.Parse(&reader));
  CHECK(Bytes(again) == bytes);
}

TEST_CASE("entity: times at both ends of the clock are times like others", "[detector]") {
  for (const uint64_t millis : {uint64_t{0}, uint64_t{1}, uint64_t{9'223'372'036'854}}) {
    Entity entity(EntityKind::kPair);
    Sighting sighting = At(millis);
    sighting.port = 80;
    entity.Add(sighting);
    CHECK(entity.Window(Span::kHour).events == 1);
    CHECK(entity.Window(Span::kHour).ports == 1);
    entity.Add(At(kNow));
    CHECK(entity.Window(Span::kHour).events == 1);
    CHECK(entity.first_millis() == std::min(millis, kNow));
    CHECK(entity.latest_millis() == std::max(millis, kNow));
  }
}

TEST_CASE("entity: a peer is new once and only while all of them are known", "[detector]") {
  Entity entity(EntityKind::kPair);  // Remembers 16 peers.
  for (int64_t peer = 0; peer < 18; ++peer) {
    Sighting sighting = At(kNow + static_cast<uint64_t>(peer) * 10'000);
    sighting.peer = peer;
    entity.Add(sighting);
    CHECK(entity.peer_was_new() == (peer < 17));
    CHECK(entity.new_peer_after_millis() == (peer == 0 || peer == 17 ? 0 : 10'000));
    entity.Add(sighting);
    CHECK_FALSE(entity.peer_was_new());
  }
}

TEST_CASE("entity: even intervals are told from uneven ones", "[detector]") {
  Entity even(EntityKind::kPair);
  Entity uneven(EntityKind::kPair);
  Entity other_kind(EntityKind::kSource);
  uint64_t time = kNow;
  for (uint64_t i = 0; i < 20; ++i) {
    even.Add(At(kNow + i * 60'000 + (i % 3) * 1'000));
    even.Add(At(kNow + i * 60'000 + (i % 3) * 1'000 + 400));  // The same visit.
    uneven.Add(At(time += 5'000 + i * 11'000));
    other_kind.Add(At(kNow + i * 60'000));
  }
  CHECK(even.rhythm().intervals == kIntervals);
  CHECK(even.rhythm().regular == kIntervals);
  CHECK(even.rhythm().median_millis / 1000 == 61);
  CHECK(uneven.rhythm().intervals == kIntervals);
  CHECK(uneven.rhythm().regular < 6);
  CHECK(other_kind.rhythm() == Rhythm());
}

TEST_CASE("entity: bytes that no entity writes are refused", "[detector]") {
  Entity entity(EntityKind::kPair);
  for (uint64_t i = 0; i < 5; ++i) {
    Sighting sighting = At(kNow + i * 3'000);
    sighting.peer = static_cast<int64_t>(i);
    sighting.failed = true;
    entity.Add(sighting);
  }
  entity.SetMark({.rule = 7, .millis = kNow, .record_index = 3, .item = 1});
  entity.SetMark({.rule = 2, .millis = kNow, .record_index = 4, .item = 0});
  const std::vector<uint8_t> bytes = Bytes(entity);
  const auto parses = [](const std::vector<uint8_t>& from, EntityKind kind) {
    Entity read(kind);
    LittleEndianReader reader(from);
    if (!read.Parse(&reader) || !reader.AtEnd()) return false;
    // What is taken is written the same.
    return Bytes(read) == from;
  };
  CHECK(parses(bytes, EntityKind::kPair));
  CHECK_FALSE(parses(bytes, EntityKind::kSource));  // Has no intervals.
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    CHECK_FALSE(
        parses({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(cut)}, EntityKind::kPair));
  }
  const auto with = [&](size_t at, uint8_t value) {
    std::vector<uint8_t> changed = bytes;
    changed[at] = value;
    return changed;
  };
  CHECK_FALSE(parses(with(7, 0xff), EntityKind::kPair));   // First after latest.
  CHECK_FALSE(parses(with(16, 0), EntityKind::kPair));     // Never seen.
  CHECK_FALSE(parses(with(32, 0xff), EntityKind::kPair));  // More failed than there were.
  const size_t marks = bytes.size() - 2 * 24 - 1;
  CHECK_FALSE(parses(with(marks + 1, 7), EntityKind::kPair));         // The same rule twice.
  CHECK_FALSE(parses(with(marks + 1, 0), EntityKind::kPair));         // No rule.
  CHECK_FALSE(parses(with(marks + 5 + 7, 0xff), EntityKind::kPair));  // A mark of the future.
}

}  // namespace
}  // namespace vigil::detector
