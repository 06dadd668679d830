// The bytes of a checkpoint: one encoding, and nothing else is taken for one.
#include "detector/stream/checkpoint.h"

#include "detector/entities/entity_table.h"
#include "detector/features/codec.h"
#include "detector/features/event_schema.h"
#include "detector/rules/rule_matcher.h"
#include "ledger/base/random.h"
#include "tests/detector/stream/chain.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::kChainId;
using testing::Sha256;
using testing::SmallParameters;

constexpr CheckpointPlace kPlace{
    .height = 40, .events = 9'000, .period = 3, .event_counts = {700, 20, 0, 3, 1}};
constexpr uint64_t kOldest = 9'000 - 16 * 512;

// Windows with a few rows each, by type; `rows` of the first.
std::vector<EventWindow> Windows(uint32_t rows = 5) {
  std::vector<EventWindow> windows;
  uint64_t number = kOldest;
  for (const EventType type : kEventTypes) {
    windows.emplace_back(WindowWidth(type), 512);
    for (uint32_t i = 0; i < rows; ++i) {
      std::vector<int64_t> row(WindowWidth(type));
      for (size_t f = 0; f < row.size(); ++f) row[f] = f == 1 ? kMissing : int64_t(number * 31 + f);
      row.back() = i % 2;  // Left out.
      windows.back().Push(number++, row);
    }
    rows = 2;
  }
  return windows;
}
const std::vector<uint8_t> kEntities = {5, 6, 7};

std::vector<uint8_t> Write(const std::vector<EventWindow>& windows,
                           const CheckpointPlace& place = kPlace,
                           std::span<const uint8_t> entities = kEntities) {
  std::vector<const EventWindow*> pointers;
  for (const EventWindow& window : windows) pointers.push_back(&window);
  std::vector<uint8_t> bytes =
      SerializeWindows(place, pointers, kChainId, SmallParameters(), Sha256);
  const std::vector<uint8_t> section = SerializeEntitiesSection(entities);
  bytes.insert(bytes.end(), section.begin(), section.end());
  return bytes;
}
std::optional<CheckpointContents> Parse(std::span<const uint8_t> bytes) {
  return ParseCheckpoint(bytes, kChainId, SmallParameters(), Sha256);
}

TEST_CASE("checkpoint: the bytes are those of docs/formats/detector_model.md", "[detector]") {
  const Parameters p = SmallParameters();
  std::vector<EventWindow> windows = Windows(0);
  for (size_t i = 1; i < windows.size(); ++i) windows[i].DropBefore(9'000);
  LittleEndianWriter body;
  for (const EventType type : kEventTypes) {
    body.U32(static_cast<uint32_t>(type)).Raw(EventSchema(type).HashWith(Sha256));
    body.U64(kPlace.event_counts[static_cast<size_t>(type) - 1]).U32(0);
  }
  LittleEndianWriter want;
  want.Tag("vigil-checkpoint").U16(4).Raw(kChainId);
  want.U32(p.profile).U32(p.window_rows_max).U32(p.window_rows_min).U32(p.period_events);
  want.U32(p.trees).U32(p.sample_rows).U32(p.identical_rows_max).U32(p.threshold_quantile_ppm);
  want.U32(p.threshold_floor_q8).U32(p.seed_reveals);
  want.U64(40).U64(9'000).U64(3).U16(2).U16(1).U64(body.bytes().size()).Raw(body.bytes());
  LittleEndianWriter rest;
  rest.U16(2).U64(3).Raw(kEntities);
  LittleEndianWriter tagged;
  tagged.Tag("vigil/detector/checkpoint/v2").Raw(Sha256(want.bytes())).Raw(Sha256(rest.bytes()));
  want.Raw(rest.bytes());
  CHECK(Write(windows) == want.bytes());
  CHECK(CheckpointDigest(want.bytes(), Sha256) == Sha256(tagged.bytes()));

  // One row more: its event number, then its cells.
  std::vector<int64_t> row(EventSchema(EventType::kFlow).field_count(), -2);
  row.insert(row.end(), {17, 5, 1});  // Reporter, event, left out.
  windows[0].Push(kOldest, row);
  const std::vector<uint8_t> with_row = Write(windows);
  CHECK(with_row.size() == want.bytes().size() + 8 * (1 + row.size()));
}

TEST_CASE("checkpoint: read again it is the same", "[detector]") {
  const std::vector<EventWindow> windows = Windows();
  const auto contents = Parse(Write(windows));
  REQUIRE(contents.has_value());
  CHECK(contents->place == kPlace);
  REQUIRE(contents->windows.size() == windows.size());
  for (size_t i = 0; i < windows.size(); ++i) {
    CHECK(contents->windows[i].Rows() == windows[i].Rows());
  }
  CHECK(Write(contents->windows) == Write(windows));
}

TEST_CASE("checkpoint: of another chain or other parameters is refused", "[detector]") {
  const std::vector<uint8_t> bytes = Write(Windows());
  CHECK_FALSE(ParseCheckpoint(bytes, Sha256("other"), SmallParameters(), Sha256).has_value());
  Parameters parameters = SmallParameters();
  parameters.trees += 1;
  CHECK_FALSE(ParseCheckpoint(bytes, kChainId, parameters, Sha256).has_value());
}

TEST_CASE("checkpoint: damaged bytes are refused or mean the same bytes again", "[detector]") {
  const uint64_t seed = testing::TestSeed(52);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  const std::vector<uint8_t> bytes = Write(Windows());
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (Parse(std::span<const uint8_t>(bytes).first(size)))
      FAIL("accepted " << size << " of " << bytes.size());
  }
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint8_t> hostile = bytes;
    hostile[random.Below(hostile.size())] ^= static_cast<uint8_t>(1 << random.Below(8));
    const auto contents = Parse(hostile);
    if (contents && Write(contents->windows, contents->place, contents->entities) != hostile) {
      FAIL("two encodings of one");
    }
  }
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  CHECK_FALSE(Parse(longer).has_value());
}

TEST_CASE("checkpoint: rows that no window can hold are refused", "[detector]") {
  CHECK(Parse(Write(Windows(512))).has_value());
  std::vector<EventWindow> windows = Windows(0);
  std::vector<int64_t> row(WindowWidth(EventType::kFlow));
  int64_t& event = row[row.size() - kRowMarks + kEventMark];
  SECTION("too many") {
    windows[0] = EventWindow(row.size(), 600);
    for (uint64_t i = 0; i < 513; ++i, ++event) windows[0].Push(kOldest + i, row);
  }
  SECTION("from too far back") { windows[0].Push(kOldest - 1, row); }
  SECTION("from later") { windows[0].Push(9'000, row); }
  SECTION("of events out of order") {
    event = 9;
    windows[0].Push(kOldest, row);
    windows[0].Push(kOldest + 1, row);
  }
  SECTION("with a mark that is none") {
    row.back() = 2;
    windows[0].Push(kOldest, row);
  }
  CHECK_FALSE(Parse(Write(windows)).has_value());
}

TEST_CASE("checkpoint: the largest that can be is within the limit", "[detector]") {
  size_t bytes = 4096 + kEntityTableBytesMax + 64 + kMatchesKept * 34;
  for (const EventType type : kEventTypes) {
    bytes += 64 + size_t{16'384} * 8 * (1 + WindowWidth(type));
  }
  CHECK(bytes <= kCheckpointBytesMax);
}

}  // namespace
}  // namespace vigil::detector
