// Matches: of known attacks, one per entity and quiet time, bounded, and the same after a restart.
#include "detector/rules/rule_matcher.h"

#include <optional>

#include "tests/detector/entities/entity_events.h"
#include "tests/detector/support/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::detector {
namespace {

using testing::EntityEvent;
using testing::kNoon;
using testing::Sha256;

const Hash32 kHash = [](std::span<const uint8_t> bytes) { return Sha256(bytes); };

RuleSet Parse(std::string_view file) {
  std::string error;
  std::optional<RuleSet> set = ParseRules(file, kHash, &error);
  INFO(error);
  REQUIRE(set.has_value());
  return *std::move(set);
}

// A table and the rules, fed block by block.
struct Watch {
  explicit Watch(std::string_view rules = BuiltInRules()) : matcher(Parse(rules)), table(kHash) {}

  void Feed(EntityEvent* event) {
    const auto touched = table.Observe(event->view, event->type(), event->block_millis);
    matcher.OnEvent(event->view, event->type(), height, item++, touched);
  }
  std::vector<RuleMatch> Next() {
    std::vector<RuleMatch> matches = matcher.EndBlock();
    ++height;
    item = 0;
    matcher.BeginBlock(height);
    return matches;
  }
  std::vector<uint8_t> Bytes() const {
    LittleEndianWriter writer;
    table.Serialize(&writer);
    matcher.Serialize(&writer);
    return writer.Take();
  }

  RuleMatcher matcher;
  EntityTable table;
  uint64_t height = 0;
  uint32_t item = 0;
};

std::vector<std::string> NamesOf(const Watch& watch, const std::vector<RuleMatch>& matches) {
  std::vector<std::string> names;
  for (const RuleMatch& match : matches)
    names.push_back(watch.matcher.rules().Find(match.rule)->name);
  return names;
}
using Expected = std::vector<std::string>;

TEST_CASE("rules: ten failed logons within a minute are told of once", "[detector]") {
  Watch watch;
  watch.Next();
  for (uint64_t i = 0; i < 200; ++i) {
    EntityEvent event;
    event.From(203, 9).On("gate").By("root").Logon(2).At(kNoon + i * 1'000);
    watch.Feed(&event);
  }
  const std::vector<RuleMatch> matches = watch.Next();
  CHECK(NamesOf(watch, matches) == Expected{"logon-brute-force", "slow-logon-brute-force"});
  REQUIRE(matches.size() == 2);
  CHECK(matches[0].item == 9);
  CHECK(matches[0].observed == 10);
  CHECK(matches[0].entity == EntityKind::kSource);
  CHECK(matches[0].type == EventType::kAuth);
  CHECK(watch.matcher.Find(1, 9, 1) != nullptr);
  CHECK(watch.matcher.Find(1, 10, 1) == nullptr);
  // After the quiet time it is news again.
  for (uint64_t i = 0; i < 12; ++i) {
    EntityEvent event;
    event.From(203, 9).On("gate").By("root").Logon(2).At(kNoon + 3'700'000 + i);
    watch.Feed(&event);
  }
  CHECK(NamesOf(watch, watch.Next()) == Expected{"logon-brute-force"});
}

TEST_CASE("rules: nine failed logons a minute and successes are not told of", "[detector]") {
  Watch watch;
  watch.Next();
  for (uint64_t i = 0; i < 29; ++i) {
    EntityEvent event;
    event.From(203, 9).On("gate").By("root").Logon(2).At(kNoon + i * 8'000);
    watch.Feed(&event);
    EntityEvent fine;
    fine.From(203, 10).On("gate").By("root").Logon(1).At(kNoon + i);
    watch.Feed(&fine);
  }
  CHECK(watch.Next().empty());
}

TEST_CASE("rules: logons to one account from several sources", "[detector]") {
  Watch watch;
  watch.Next();
  for (uint32_t i = 0; i < 12; ++i) {
    EntityEvent event;
    event.From(203, i % 5).On("gate").By("root").Logon(2).At(kNoon + i * 100'000);
    watch.Feed(&event);
  }
  CHECK(NamesOf(watch, watch.Next()) == Expected{"account-under-attack"});
}

TEST_CASE("rules: port scans fast and slow", "[detector]") {
  for (const uint64_t pause : {uint64_t{100}, uint64_t{30'000}}) {
    Watch watch;
    watch.Next();
    for (uint32_t port = 1; port <= 100; ++port) {
      EntityEvent event;
      event.From(10, 1).To(10, 5, port).Flow(2).At(kNoon + port * pause);
      watch.Feed(&event);
    }
    const Expected fast = {"port-scan", "slow-port-scan"};
    CHECK(NamesOf(watch, watch.Next()) == (pause == 100 ? fast : Expected{"slow-port-scan"}));
  }
}

TEST_CASE("rules: many services that answer are no port scan", "[detector]") {
  Watch watch;
  watch.Next();
  for (uint32_t port = 1; port <= 100; ++port) {
    EntityEvent event;
    event.From(10, 1).To(192, 5, port).Flow(1).At(kNoon + port);
    watch.Feed(&event);
  }
  CHECK(watch.Next().empty());
}

TEST_CASE("rules: a sweep over hosts and over a login port", "[detector]") {
  Watch watch;
  watch.Next();
  for (uint32_t host = 0; host < 60; ++host) {
    EntityEvent event;
    event.From(10, 1).To(192, host, 445).Flow(host % 4 == 0 ? 1 : 2).At(kNoon + host * 500);
    watch.Feed(&event);
  }
  CHECK(NamesOf(watch, watch.Next()) == Expected{"login-port-sweep", "host-sweep"});
}

TEST_CASE("rules: even calls to a public address are a beacon and uneven ones are none",
          "[detector]") {
  for (const bool even : {true, false}) {
    Watch watch;
    watch.Next();
    uint64_t time = kNoon;
    for (uint32_t i = 0; i < 40; ++i) {
      EntityEvent event;
      time += even ? 60'000 + i % 3 * 1'000 : 20'000 + i * 9'000;
      event.From(10, 1).To(93, 184, 443).Flow(1).At(time);
      watch.Feed(&event);
    }
    CHECK(NamesOf(watch, watch.Next()) == (even ? Expected{"beacon"} : Expected{}));
  }
}

TEST_CASE("rules: a new destination of a source that long had none", "[detector]") {
  Watch watch;
  watch.Next();
  for (uint32_t i = 0; i < 300; ++i) {
    EntityEvent event;
    event.From(10, 1).To(93, i % 5, 443).Flow(1).At(kNoon + i * 60'000 + i * 7 % 11 * 20'000);
    watch.Feed(&event);
  }
  EntityEvent event;
  event.From(10, 1).To(94, 1, 443).Flow(1).At(kNoon + 400 * 60'000);
  watch.Feed(&event);
  CHECK(NamesOf(watch, watch.Next()) == Expected{"new-destination"});
}

TEST_CASE("rules: much sent to one public destination and many long names", "[detector]") {
  Watch watch;
  watch.Next();
  for (uint32_t i = 0; i < 20; ++i) {
    EntityEvent event;
    event.From(10, 1).To(93, 1, 443).Flow(1, 60'000'000).At(kNoon + i * i * 900);
    watch.Feed(&event);
    EntityEvent inside;
    inside.From(10, 2).To(10, 3, 445).Flow(1, 900'000'000).At(kNoon + i * i * 900);
    watch.Feed(&inside);
  }
  CHECK(NamesOf(watch, watch.Next()) == Expected{"volume-out"});
  for (uint32_t i = 0; i < 40; ++i) {
    EntityEvent event;
    event.From(10, 4).To(10, 53, 53).At(kNoon + i * 400);
    event.Asks(std::string(40, 'x') + std::to_string(i) + ".t.example");
    event.view.type_uid = 400301;
    watch.Feed(&event);
    EntityEvent same;
    same.From(10, 5).To(10, 53, 53).At(kNoon + i * 400);
    same.Asks(std::string(40, 'x') + ".t.example");
    same.view.type_uid = 400301;
    watch.Feed(&same);
  }
  CHECK(NamesOf(watch, watch.Next()) == Expected{"name-tunnel"});
}

// Matches with every first event of a source.
constexpr std::string_view kEager =
    "vigil-rules 1\nversion 1\nrule 1 eager\ntitle t\ntechnique T1046\nscore 9\n"
    "entity source\nat-least events 1 in 60s\nquiet 60s\n";

TEST_CASE("rules: a flood of matching events makes no flood of matches", "[detector]") {
  Watch watch(kEager);
  watch.Next();
  for (uint32_t source = 0; source < 1'000; ++source) {
    EntityEvent event;
    event.From(10, source).Flow(1).At(kNoon);
    watch.Feed(&event);
  }
  CHECK(watch.Next().size() == kMatchesPerBlockMax);
  CHECK(watch.matcher.passed_over() == 1'000 - kMatchesPerBlockMax);
  // Those that were passed over match with their next event, the others stay quiet.
  for (uint32_t source = 0; source < 100; ++source) {
    EntityEvent event;
    event.From(10, source).Flow(1).At(kNoon + 1);
    watch.Feed(&event);
  }
  const std::vector<RuleMatch> matches = watch.Next();
  REQUIRE(matches.size() == 100 - kMatchesPerBlockMax);
  CHECK(matches.front().item == kMatchesPerBlockMax);
}

TEST_CASE("rules: an old time neither matches again nor lets the quiet time pass", "[detector]") {
  Watch watch(kEager);
  watch.Next();
  for (const uint64_t back : {uint64_t{0}, uint64_t{59'000}, uint64_t{70'000}, kNoon}) {
    EntityEvent event;
    event.From(10, 1).Flow(1).At(kNoon);
    event.view.time_unix_nano = (kNoon - back) * testing::kNanos;
    watch.Feed(&event);
  }
  CHECK(watch.Next().size() == 1);
}

TEST_CASE("rules: what is remembered of matches is bounded and says from where it is whole",
          "[detector]") {
  Watch watch(kEager);
  watch.Next();
  uint32_t source = 0;
  while (watch.matcher.complete_from() == 1) {
    for (int i = 0; i < 64; ++i) {
      EntityEvent event;
      event.From(10, source++).Flow(1).At(kNoon + watch.height);
      watch.Feed(&event);
    }
    watch.Next();
    REQUIRE(source <= kMatchesKept + 64);
  }
  CHECK(source == kMatchesKept + 64);
  CHECK(watch.matcher.complete_from() == 2);
  CHECK(watch.matcher.Find(1, 0, 1) == nullptr);
  CHECK(watch.matcher.Find(2, 0, 1) != nullptr);
}

TEST_CASE("rules: written and read again they match what they would have matched", "[detector]") {
  VIGIL_TEST_SEED(seed, 91);
  SplitMix64 random(seed);
  Watch one;
  Watch other;
  one.Next();
  other.Next();
  uint64_t clock = kNoon;
  size_t matched = 0;
  for (int block = 0; block < 60; ++block) {
    for (int i = 0; i < 60; ++i) {
      EntityEvent event;
      testing::DrawEvent(&random, &clock, &event);
      clock -= clock > kNoon + 1'000 ? 900 : 0;
      one.Feed(&event);
      other.Feed(&event);
    }
    const std::vector<RuleMatch> matches = one.Next();
    REQUIRE(other.Next() == matches);
    matched += matches.size();
    const std::vector<uint8_t> bytes = one.Bytes();
    REQUIRE(other.Bytes() == bytes);
    LittleEndianReader reader(bytes);
    EntityTable table(kHash);
    RuleMatcher matcher(Parse(BuiltInRules()));
    REQUIRE(table.Parse(&reader));
    REQUIRE(matcher.Parse(&reader, other.height - 1));
    REQUIRE(reader.AtEnd());
    matcher.BeginBlock(other.height);
    other.table = std::move(table);
    other.matcher = std::move(matcher);
  }
  CHECK(matched > 10);
}

TEST_CASE("rules: bytes that no matcher writes are refused", "[detector]") {
  Watch watch(kEager);
  watch.Next();
  for (uint32_t source = 0; source < 3; ++source) {
    EntityEvent event;
    event.From(10, source).Flow(1).At(kNoon);
    watch.Feed(&event);
  }
  watch.Next();
  LittleEndianWriter writer;
  watch.matcher.Serialize(&writer);
  const std::vector<uint8_t> bytes = writer.Take();
  const auto parses = [](const std::vector<uint8_t>& from, std::string_view rules,
                         uint64_t height) {
    LittleEndianReader reader(from);
    RuleMatcher matcher(Parse(rules));
    return matcher.Parse(&reader, height) && reader.AtEnd();
  };
  CHECK(parses(bytes, kEager, 1));
  CHECK_FALSE(parses(bytes, kEager, 0));  // A match of the future.
  const auto with = [&](size_t at, uint8_t value) {
    std::vector<uint8_t> changed = bytes;
    changed[at] = value;
    return changed;
  };
  constexpr size_t kHead = 32 + 8 + 8 + 4;
  constexpr size_t kMatch = 34;
  CHECK_FALSE(parses(with(32, 3), kEager, 1));          // Complete from the future.
  CHECK_FALSE(parses(with(kHead + 20, 0), kEager, 1));  // Of no rule.
  CHECK_FALSE(parses(with(kHead + 22, 1), kEager, 1));  // Of a number beyond all rules.
  CHECK_FALSE(parses(with(kHead + 24, 0), kEager, 1));  // Of no kind of entity.
  CHECK_FALSE(parses(with(kHead + 24, 7), kEager, 1));
  CHECK_FALSE(parses(with(kHead + 25, 0), kEager, 1));           // Of no event type.
  CHECK_FALSE(parses(with(kHead + kMatch + 16, 0), kEager, 1));  // The same event twice.
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    CHECK_FALSE(parses({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(cut)}, kEager, 1));
  }
}

// As kEager, but another file.
constexpr std::string_view kEagerToo =
    "vigil-rules 1\nversion 2\nrule 1 eager\ntitle t\ntechnique T1046\nscore 9\n"
    "entity source\nat-least events 1 in 60s\nquiet 60s\n";

TEST_CASE("rules: others than before begin without quiet times and keep what matched",
          "[detector]") {
  Watch watch(kEager);
  const auto feed = [&](uint64_t millis) {
    EntityEvent event;
    event.From(10, 1).Flow(1).At(millis);
    watch.Feed(&event);
    return watch.Next().size();
  };
  const auto change = [&](std::string_view rules) {
    const bool differs = watch.matcher.Use(Parse(rules));
    if (differs) watch.table.ClearMarks();
    return differs;
  };
  watch.Next();
  CHECK(feed(kNoon) == 1);
  CHECK_FALSE(change(kEager));
  CHECK(feed(kNoon + 1) == 0);
  const Digest first = watch.matcher.held();
  CHECK(change(kEagerToo));
  CHECK(watch.matcher.held() != first);
  CHECK(feed(kNoon + 2) == 1);
  CHECK(feed(kNoon + 3) == 0);
  // What matched under the first file is known still.
  CHECK(watch.matcher.Find(1, 0, 1) != nullptr);
  CHECK(watch.matcher.Find(3, 0, 1) != nullptr);
  CHECK(watch.matcher.complete_from() == 1);
  // Back again is a change, too.
  CHECK(change(kEager));
  CHECK(feed(kNoon + 4) == 1);
}

TEST_CASE("rules: many files one after the other leave no marks of rules that are gone",
          "[detector]") {
  Watch watch(kEager);
  watch.Next();
  // Each has another rule for the same kind of entity; an entity has room for a few marks alone.
  for (uint32_t number = 1; number <= 3 * kRulesPerKindMax; ++number) {
    std::string file(kEager);
    file.replace(file.find("rule 1"), 6, "rule " + std::to_string(number));
    if (watch.matcher.Use(Parse(file))) watch.table.ClearMarks();
    EntityEvent event;
    event.From(10, 1).Flow(1).At(kNoon + number);
    watch.Feed(&event);
    CHECK(watch.Next().size() == 1);
  }
}

TEST_CASE("rules: bytes tell which rules the last block was held against", "[detector]") {
  Watch watch(kEager);
  watch.Next();
  EntityEvent event;
  event.From(10, 1).Flow(1).At(kNoon);
  watch.Feed(&event);
  watch.Next();
  LittleEndianWriter writer;
  watch.matcher.Serialize(&writer);
  const std::vector<uint8_t> bytes = writer.Take();
  for (const bool same : {true, false}) {
    LittleEndianReader reader(bytes);
    RuleMatcher matcher;
    REQUIRE(matcher.Parse(&reader, 1));
    CHECK(matcher.held() == Parse(kEager).digest);
    CHECK(matcher.Use(Parse(same ? kEager : kEagerToo)) != same);
    matcher.BeginBlock(2);
    CHECK(matcher.Find(1, 0, 1) != nullptr);
  }
}

}  // namespace
}  // namespace vigil::detector
