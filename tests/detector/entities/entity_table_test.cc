// The table against the slow model, bit for bit; floods; and its bytes.
#include "detector/entities/entity_table.h"

#include "tests/detector/entities/reference_entities.h"
#include "tests/detector/support/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::detector {
namespace {

using testing::DrawEvent;
using testing::EntityEvent;
using testing::kNoon;
using testing::Names;
using testing::ReferenceEntities;
using testing::ReferenceEntity;
using testing::Sha256;

const Hash32 kHash = [](std::span<const uint8_t> bytes) { return Sha256(bytes); };
constexpr EntityLimits kSmall = {16, 16, 16, 16, 16, 16};

std::vector<uint8_t> Bytes(const EntityTable& table) {
  LittleEndianWriter writer;
  table.Serialize(&writer);
  return writer.Take();
}
std::optional<EntityTable> Read(const std::vector<uint8_t>& bytes, const EntityLimits& limits) {
  EntityTable table(kHash, limits);
  LittleEndianReader reader(bytes);
  if (!table.Parse(&reader) || !reader.AtEnd()) return std::nullopt;
  return table;
}

void CheckSame(const Entity& entity, const ReferenceEntity& reference) {
  const SetCapacities capacities = CapacitiesOf(entity.kind());
  CHECK(entity.first_millis() == reference.First());
  CHECK(entity.latest_millis() == reference.Latest());
  CHECK(entity.sightings() == reference.all.size());
  CHECK(entity.events() == reference.Total(/*failed_only=*/false));
  CHECK(entity.failed() == reference.Total(/*failed_only=*/true));
  CHECK(entity.Window(Span::kTwoSeconds) == reference.Window(2'000, capacities));
  CHECK(entity.Window(Span::kMinute) == reference.Window(60'000, capacities));
  CHECK(entity.Window(Span::kHour) == reference.Window(3'600'000, capacities));
  if (entity.kind() == EntityKind::kPair) CHECK(entity.rhythm() == reference.Beat());
}

// By the order of the events: `stop` says after which ones the table is written and read again.
void RunAgainstReference(uint64_t seed, int events, uint32_t limit, int restart_every) {
  SplitMix64 random(seed);
  EntityLimits limits;
  limits.fill(limit);
  EntityTable table(kHash, limits);
  ReferenceEntities reference(limit / 2);
  uint64_t clock = kNoon;
  for (int i = 0; i < events; ++i) {
    EntityEvent event;
    DrawEvent(&random, &clock, &event);
    const EntityTable::Touched touched =
        table.Observe(event.view, event.type(), event.block_millis);
    const Names names = reference.Add(event);
    for (const EntityKind kind : kEntityKinds) {
      const size_t index = IndexOf(kind);
      INFO("event " << i << ", " << EntityKindName(kind) << " " << names[index]);
      REQUIRE((touched[index] == nullptr) == names[index].empty());
      if (names[index].empty()) continue;
      const ReferenceEntity* const expected = reference.Find(index, names[index]);
      REQUIRE(expected != nullptr);
      CheckSame(*touched[index], *expected);
      if (touched[index]->peer_was_new()) CHECK(expected->PeerIsNew());
      REQUIRE(table.size(kind) == reference.size(index));
    }
    if (restart_every != 0 && i % restart_every == restart_every - 1) {
      const std::vector<uint8_t> bytes = Bytes(table);
      std::optional<EntityTable> again = Read(bytes, limits);
      REQUIRE(again.has_value());
      REQUIRE(Bytes(*again) == bytes);
      table = *std::move(again);
    }
  }
}

TEST_CASE("entity table: windows are those of the slow model in any order of times", "[detector]") {
  VIGIL_TEST_SEED(seed, 71);
  for (uint64_t round = 0; round < 4; ++round) {
    RunAgainstReference(seed + round, 800, /*limit=*/512, /*restart_every=*/0);
  }
}

TEST_CASE("entity table: who is forgotten is whom the slow model forgets", "[detector]") {
  VIGIL_TEST_SEED(seed, 72);
  for (const uint32_t limit : {2u, 8u, 20u}) {
    RunAgainstReference(seed + limit, 1'200, limit, /*restart_every=*/0);
  }
}

TEST_CASE("entity table: written and read again it goes on as the slow model does", "[detector]") {
  VIGIL_TEST_SEED(seed, 73);
  RunAgainstReference(seed, 600, /*limit=*/20, /*restart_every=*/7);
  RunAgainstReference(seed + 1, 600, /*limit=*/512, /*restart_every=*/50);
}

TEST_CASE("entity table: a flood of strangers stays within its bounds and pushes out no regular",
          "[detector]") {
  EntityTable table(kHash);
  const auto observe = [&](EntityEvent* event) {
    table.Observe(event->view, event->type(), event->block_millis);
  };
  for (uint64_t i = 0; i < 10; ++i) {
    EntityEvent event;
    event.From(10, 7).To(192, 1, 22).By("root").On("gate").Logon(2).At(kNoon + i);
    observe(&event);
  }
  for (uint32_t i = 0; i < 20'000; ++i) {
    EntityEvent event;
    event.From(99, i).To(172, i, 1'000 + i % 60'000).By("u" + std::to_string(i));
    event.On("h" + std::to_string(i)).Logon(1).At(kNoon + 20 + i);
    observe(&event);
  }
  for (const EntityKind kind : kEntityKinds) {
    CHECK(table.size(kind) <= kEntityLimits[IndexOf(kind)]);
    CHECK(table.forgotten(kind) > 0);
  }
  EntityEvent again;
  again.From(10, 7).To(192, 1, 22).By("root").On("gate").Logon(2).At(kNoon + 30'000);
  const auto touched = table.Observe(again.view, again.type(), again.block_millis);
  for (const EntityKind kind : kEntityKinds) {
    INFO(EntityKindName(kind));
    CHECK(touched[IndexOf(kind)]->sightings() == 11);
    CHECK(touched[IndexOf(kind)]->Window(Span::kMinute).logon_failures == 11);
  }
}

TEST_CASE("entity table: the largest entities that there can be fit into the promised bytes",
          "[detector]") {
  // A quarter of every kind, filled to the brim; the rest is four times that.
  EntityLimits limits = kEntityLimits;
  for (uint32_t& limit : limits) limit /= 64;
  EntityTable table(kHash, limits);
  uint64_t time = kNoon;
  for (uint32_t round = 0; round < 70; ++round) {
    for (uint32_t who = 0; who < limits[0] / 2; ++who) {
      EntityEvent event;
      const std::string name = std::string(60, 'n') + std::to_string(who);
      const std::string other = std::string(60, 'm') + std::to_string(round);
      event.view.src.hostname = name;
      event.view.dst.hostname = other;
      event.view.dst.port = 1 + round;
      event.By(name).On(name).Asks(std::string(50, 'q') + std::to_string(round) + ".example");
      event.view.type_uid = 400301;
      event.view.has_traffic = true;
      event.view.bytes_out = 1'000'000;
      event.At(time += 900);
      event.view.count = 9;
      table.Observe(event.view, event.type(), event.block_millis);
    }
  }
  CHECK(Bytes(table).size() < kEntityTableBytesMax / 64);
}

TEST_CASE("entity table: whose clock is ahead does not age what others reported", "[detector]") {
  EntityTable table(kHash);
  for (int i = 0; i < 6; ++i) {
    EntityEvent event;
    event.From(10, 7).To(192, 1, 22).Logon(2).At(kNoon + static_cast<uint64_t>(i));
    if (i == 3) event.view.time_unix_nano = (uint64_t{1} << 63) - 1;
    const auto touched = table.Observe(event.view, event.type(), event.block_millis);
    CHECK(touched[0]->Window(Span::kTwoSeconds).events == static_cast<uint64_t>(i) + 1);
  }
}

TEST_CASE("entity table: bytes that no table writes are refused", "[detector]") {
  EntityTable table(kHash, kSmall);
  SplitMix64 random(5);
  uint64_t clock = kNoon;
  for (int i = 0; i < 100; ++i) {
    EntityEvent event;
    DrawEvent(&random, &clock, &event);
    table.Observe(event.view, event.type(), event.block_millis);
  }
  const std::vector<uint8_t> bytes = Bytes(table);
  REQUIRE(Read(bytes, kSmall).has_value());
  EntityLimits smaller = kSmall;
  smaller[0] = 2;
  CHECK_FALSE(Read(bytes, smaller).has_value());
  for (size_t cut = 0; cut < bytes.size(); cut += 13) {
    CHECK_FALSE(
        Read({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(cut)}, kSmall).has_value());
  }
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  CHECK_FALSE(Read(longer, kSmall).has_value());
  // Whatever a flipped bit makes of it: refused, or written again the same.
  for (size_t i = 0; i < 4'000; ++i) {
    std::vector<uint8_t> flipped = bytes;
    const uint64_t bit = random.Below(8 * bytes.size());
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ 1u << bit % 8);
    const std::optional<EntityTable> read = Read(flipped, kSmall);
    if (read.has_value()) CHECK(Bytes(*read) == flipped);
  }
}

}  // namespace
}  // namespace vigil::detector
