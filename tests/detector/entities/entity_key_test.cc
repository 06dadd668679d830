// Keys: one per name, and no two names share one.
#include "detector/entities/entity_key.h"

#include <set>

#include "tests/detector/entities/entity_events.h"
#include "tests/detector/support/sha256.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::EntityEvent;
using testing::Sha256;

const Hash32 kHash = [](std::span<const uint8_t> bytes) { return Sha256(bytes); };

TEST_CASE("entity key: kinds have the names and numbers of the protocol", "[detector]") {
  CHECK(EntityKindName(EntityKind::kSource) == "source");
  CHECK(EntityKindName(EntityKind::kHost) == "host");
  for (const EntityKind kind : kEntityKinds) {
    CHECK(FindEntityKind(EntityKindName(kind)) == kind);
    CHECK(EntityKindOf(static_cast<uint32_t>(kind)) == kind);
  }
  CHECK(!EntityKindOf(0).has_value());
  CHECK(!EntityKindOf(7).has_value());
  CHECK(!FindEntityKind("Source").has_value());
}

TEST_CASE("entity key: addresses names and ids are told apart", "[detector]") {
  const std::array<uint8_t, 4> four = {'a', 'b', 'c', 'd'};
  std::array<uint8_t, 16> mapped{};
  mapped[10] = mapped[11] = 0xff;
  std::copy(four.begin(), four.end(), mapped.begin() + 12);
  std::array<uint8_t, 16> six{};
  six[0] = 0x20;
  CHECK(AddressKey(mapped) == AddressKey(four));
  std::set<std::string> keys = {AddressKey(four), AddressKey(six), TextKey("abcd", kHash),
                                TextKey(std::string(32, 'x'), kHash),
                                TextKey(std::string(33, 'x'), kHash)};
  CHECK(keys.size() == 5);
  CHECK(AddressKey(std::span<const uint8_t>(six).first(5)).empty());
  CHECK(TextKey("", kHash).empty());
  CHECK(TextKey("WEB-1", kHash) == TextKey("web-1", kHash));
  CHECK(TextKey(std::string(40, 'X'), kHash) == TextKey(std::string(40, 'x'), kHash));
}

TEST_CASE("entity key: pairs of names of other lengths do not meet", "[detector]") {
  const auto pair = [](const char* a, const char* b) {
    return PairKey(TextKey(a, kHash), TextKey(b, kHash));
  };
  CHECK(pair("a", "tb") != pair("at", "b"));
  CHECK(pair("a", "b") != pair("b", "a"));
  CHECK(PairKey(TextKey("a", kHash), "").empty());
}

TEST_CASE("entity key: an event has the entities that it names", "[detector]") {
  EntityEvent event;
  event.From(10, 1).By("Root").On("gate").Logon(2);
  EntityKeys keys = KeysOf(event.view, kHash);
  CHECK(keys[IndexOf(EntityKind::kSource)] == AddressKey(event.src));
  CHECK(keys[IndexOf(EntityKind::kDestination)].empty());
  CHECK(keys[IndexOf(EntityKind::kPort)].empty());
  CHECK(keys[IndexOf(EntityKind::kUser)] == TextKey("root", kHash));
  // Where no destination is named, the host that reported it stands for it.
  CHECK(keys[IndexOf(EntityKind::kPair)] == PairKey(AddressKey(event.src), TextKey("gate", kHash)));
  event.To(10, 9, 22);
  keys = KeysOf(event.view, kHash);
  CHECK(keys[IndexOf(EntityKind::kPair)] == PairKey(AddressKey(event.src), AddressKey(event.dst)));
  CHECK(keys[IndexOf(EntityKind::kPort)] == PortKey(6, 22));
  for (const EntityKind kind : kEntityKinds) CHECK(IsEntityKey(kind, keys[IndexOf(kind)]));
}

TEST_CASE("entity key: what no event makes is no key", "[detector]") {
  CHECK_FALSE(IsEntityKey(EntityKind::kSource, ""));
  CHECK_FALSE(IsEntityKey(EntityKind::kSource, std::string("\x04"
                                                           "abc")));
  CHECK_FALSE(IsEntityKey(EntityKind::kSource, "tUpper"));
  CHECK_FALSE(IsEntityKey(EntityKind::kSource, "t"));
  CHECK_FALSE(IsEntityKey(EntityKind::kSource, "t" + std::string(32, 'x')));
  CHECK_FALSE(IsEntityKey(EntityKind::kSource, "h" + std::string(31, 'x')));
  CHECK_FALSE(IsEntityKey(EntityKind::kUser, std::string("\x04"
                                                         "abcd")));
  CHECK_FALSE(IsEntityKey(EntityKind::kPort, PortKey(6, 70'000)));
  CHECK_FALSE(IsEntityKey(EntityKind::kPair,
                          "\x09"
                          "tabc"));
  std::string mapped(16, '\0');
  mapped[10] = mapped[11] = '\xff';
  CHECK_FALSE(IsEntityKey(EntityKind::kSource, "\x06" + mapped));
}

}  // namespace
}  // namespace vigil::detector
