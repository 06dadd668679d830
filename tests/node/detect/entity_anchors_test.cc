// What alerts of one entity cite, and for how long.
#include "node/detect/entity_anchors.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "ledger/state/incidents.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using detector::EntityKind;
using ledger::EventRef;

EventRef At(uint64_t record, uint32_t item = 0) { return {RecordIndex(record), ItemIndex(item)}; }
GroupEntity Source(const std::string& key, const std::string& org = "acme") {
  return {.kind = EntityKind::kSource, .org = org, .key = key};
}
constexpr uint64_t kNow = 1'700'000'000'000;

TEST_CASE("anchors: the first strange event of an entity is what later ones cite", "[detect]") {
  EntityAnchors anchors;
  CHECK(anchors.AnchorOf(Source("a"), At(7)) == At(7));
  anchors.Note(Source("a"), At(5, 2), kNow);
  anchors.Note(Source("a"), At(6), kNow + 1000);
  CHECK(anchors.AnchorOf(Source("a"), At(5, 2)) == At(5, 2));
  CHECK(anchors.AnchorOf(Source("a"), At(9)) == At(5, 2));
  // Never a later one.
  CHECK(anchors.AnchorOf(Source("a"), At(5, 1)) == At(5, 1));
  // Another name, organisation or kind is another entity.
  CHECK(anchors.AnchorOf(Source("b"), At(9)) == At(9));
  CHECK(anchors.AnchorOf(Source("a", "globex"), At(9)) == At(9));
  GroupEntity user = Source("a");
  user.kind = EntityKind::kUser;
  CHECK(anchors.AnchorOf(user, At(9)) == At(9));
}

TEST_CASE("anchors: one that no open incident can have any more is replaced", "[detect]") {
  EntityAnchors anchors;
  anchors.Note(Source("a"), At(1), kNow);
  SECTION("after silence") {
    anchors.Note(Source("a"), At(2), kNow + ledger::kIncidentGapMillis);
    CHECK(anchors.AnchorOf(Source("a"), At(9)) == At(1));
    anchors.Note(Source("a"), At(3), kNow + 2 * ledger::kIncidentGapMillis + 1);
    CHECK(anchors.AnchorOf(Source("a"), At(9)) == At(3));
  }
  SECTION("after a day") {
    uint64_t now = kNow;
    uint64_t record = 1;
    while (now + ledger::kIncidentGapMillis <= kNow + ledger::kIncidentSpanMillis) {
      now += ledger::kIncidentGapMillis;
      anchors.Note(Source("a"), At(++record), now);
      CHECK(anchors.AnchorOf(Source("a"), At(99)) == At(1));
    }
    anchors.Note(Source("a"), At(50), kNow + ledger::kIncidentSpanMillis + 1);
    CHECK(anchors.AnchorOf(Source("a"), At(99)) == At(50));
  }
}

TEST_CASE("anchors: the earlier one of what is known and what the chain says counts", "[detect]") {
  EntityAnchors anchors;
  anchors.Adopt(Source("a"), At(4), kNow);
  CHECK(anchors.AnchorOf(Source("a"), At(9)) == At(4));
  anchors.Note(Source("a"), At(6), kNow + 1);
  CHECK(anchors.AnchorOf(Source("a"), At(9)) == At(4));
  anchors.Adopt(Source("a"), At(2), kNow + 2);
  CHECK(anchors.AnchorOf(Source("a"), At(9)) == At(2));
  anchors.Adopt(Source("a"), At(8), kNow + 3);
  CHECK(anchors.AnchorOf(Source("a"), At(9)) == At(2));
}

TEST_CASE("anchors: a flood of entities pushes out those that were silent longest", "[detect]") {
  EntityAnchors anchors(/*anchors_max=*/8);
  for (uint64_t i = 0; i < 1000; ++i) {
    anchors.Note(Source("kept"), At(1 + 2 * i), kNow);
    anchors.Note(Source(absl::StrCat("flood ", i)), At(2 + 2 * i), kNow);
    CHECK(anchors.size() <= 8);
  }
  CHECK(anchors.AnchorOf(Source("kept"), At(5000)) == At(1));
  CHECK(anchors.AnchorOf(Source("flood 0"), At(5000)) == At(5000));
  CHECK(anchors.AnchorOf(Source("flood 999"), At(5000)) == At(2000));
}

TEST_CASE("anchors: the entity is the rule's user or host and else the first that is named",
          "[detect]") {
  EventView event;
  CHECK_FALSE(GroupEntityOf(event, "acme", std::nullopt).has_value());
  event.device.hostname = "gate";
  CHECK(GroupEntityOf(event, "acme", std::nullopt)->kind == EntityKind::kHost);
  event.user = "root";
  CHECK(GroupEntityOf(event, "acme", std::nullopt)->kind == EntityKind::kUser);
  CHECK(GroupEntityOf(event, "acme", EntityKind::kHost)->kind == EntityKind::kHost);
  const std::array<uint8_t, 4> address = {10, 0, 0, 5};
  event.src.ip = address;
  CHECK(GroupEntityOf(event, "acme", std::nullopt)->kind == EntityKind::kSource);
  CHECK(GroupEntityOf(event, "acme", EntityKind::kPair)->kind == EntityKind::kSource);
  CHECK(GroupEntityOf(event, "acme", EntityKind::kPort)->kind == EntityKind::kSource);
  CHECK(GroupEntityOf(event, "acme", EntityKind::kUser)->kind == EntityKind::kUser);
  CHECK(GroupEntityOf(event, "acme", std::nullopt)->org == "acme");
  CHECK(GroupEntityOf(event, "acme", std::nullopt)->key == detector::AddressKey(address));
}

}  // namespace
}  // namespace vigil::node
