// Rule files: what they say, and what is refused and why.
#include "detector/rules/rule_set.h"

#include <set>

#include "tests/detector/entities/entity_events.h"
#include "tests/detector/support/sha256.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::EntityEvent;
using testing::Sha256;

const Hash32 kHash = [](std::span<const uint8_t> bytes) { return Sha256(bytes); };

const std::string kFile =
    "# Rules of a test.\n"
    "vigil-rules 1\n"
    "version 3\n"
    "\n"
    "rule 2 logon-brute-force   # of anybody\n"
    "  title Many failed logons\n"
    "  technique T1110.001\n"
    "  score 14\n"
    "  entity source\n"
    "  when type auth application\n"
    "  when status failure\n"
    "  when port 22 3389\n"
    "  at-least logon_failures 10 in 60s\n"
    "  at-least sightings 3\n"
    "  quiet 90m\n"
    "rule 5 other\n"
    "title t\ntechnique T1046\nscore 1\nentity pair\nat-least ports 2 in 1h\nquiet 1h\n";

std::string ErrorOf(const std::string& file) {
  std::string error;
  return ParseRules(file, kHash, &error).has_value() ? "none" : error;
}
// The file with the first `from` replaced.
std::string With(const std::string& from, const std::string& to) {
  std::string file = kFile;
  const size_t at = file.find(from);
  REQUIRE(at != std::string::npos);
  return file.replace(at, from.size(), to);
}

TEST_CASE("rule file: every field arrives", "[detector]") {
  std::string error;
  const std::optional<RuleSet> set = ParseRules(kFile, kHash, &error);
  INFO(error);
  REQUIRE(set.has_value());
  CHECK(set->version == 3);
  std::string tagged = "vigil/detector/rules/v1";
  tagged += '\0';
  CHECK(set->digest == Sha256(tagged + kFile));
  REQUIRE(set->rules.size() == 2);
  const Rule& rule = set->rules[0];
  CHECK(rule.number == 2);
  CHECK(rule.name == "logon-brute-force");
  CHECK(rule.title == "Many failed logons");
  CHECK(rule.technique == "T1110.001");
  CHECK(rule.score_q8 == 14 * 256);
  CHECK(rule.entity == EntityKind::kSource);
  CHECK(rule.types == ((1u << 2) | (1u << 4)));
  CHECK(rule.status == StatusFilter::kFailure);
  CHECK(rule.ports == std::vector<uint32_t>{22, 3389});
  CHECK_FALSE(rule.to_public);
  CHECK(rule.quiet_millis == 90 * 60 * 1000);
  REQUIRE(rule.conditions.size() == 2);
  CHECK(rule.conditions[0].measure == Measure::kLogonFailures);
  CHECK(rule.conditions[0].at_least == 10);
  CHECK(rule.conditions[0].span == Span::kMinute);
  CHECK(rule.conditions[1].measure == Measure::kSightings);
  CHECK(set->Find(5)->conditions[0].span == Span::kHour);
  CHECK(set->Find(3) == nullptr);
}

TEST_CASE("rule file: the digest of a rule is that of docs/formats/detector_model.md",
          "[detector]") {
  std::string bytes = "vigil/detector/rule/v1";
  bytes += '\0';
  const Digest rules = Sha256("rules");
  bytes.append(reinterpret_cast<const char*>(rules.data()), rules.size());
  bytes += std::string("\x02\x01\0\0", 4);
  CHECK(RuleDigest(rules, 0x102, kHash) == Sha256(bytes));
}

TEST_CASE("rule file: an empty file is no rules", "[detector]") {
  std::string error;
  const std::optional<RuleSet> set = ParseRules("", kHash, &error);
  REQUIRE(set.has_value());
  CHECK(set->rules.empty());
  CHECK(set->version == 0);
  CHECK(set->digest == Digest{});
}

TEST_CASE("rule file: what is wrong is named with its line", "[detector]") {
  CHECK(ErrorOf(kFile) == "none");
  CHECK(ErrorOf("rule 1 a\n") == "line 1: begin with \"vigil-rules 1\"");
  CHECK(ErrorOf("vigil-rules 1\n").find("ends before its version") != std::string::npos);
  CHECK(ErrorOf(With("vigil-rules 1", "vigil-rules 2")).find("line 2:") == 0);
  CHECK(ErrorOf(With("version 3", "version 03")).find("line 3:") == 0);
  CHECK(ErrorOf(With("rule 2 logon-brute-force", "rule 2 Logon")).find("line 5:") == 0);
  CHECK(ErrorOf(With("rule 5", "rule 2")).find("put rules in the order") != std::string::npos);
  CHECK(ErrorOf(With("T1110.001", "1110")).find("T1110") != std::string::npos);
  CHECK(ErrorOf(With("score 14", "score 65")).find("1 to 64") != std::string::npos);
  CHECK(ErrorOf(With("entity source", "entity sources")).find("destination") != std::string::npos);
  CHECK(ErrorOf(With("  entity source\n", "")).find("\"entity\" is missing") != std::string::npos);
  CHECK(ErrorOf(With("  score 14\n", "  score 14\n  score 9\n")).find("given twice") !=
        std::string::npos);
  CHECK(ErrorOf(With("auth application", "auth web")).find("a type is") != std::string::npos);
  CHECK(ErrorOf(With("status failure", "status failed")).find("status failure") !=
        std::string::npos);
  CHECK(ErrorOf(With("22 3389", "22 70000")).find("1 to 65535") != std::string::npos);
  CHECK(ErrorOf(With("logon_failures", "logon_failure")).find("measures: events") !=
        std::string::npos);
  CHECK(ErrorOf(With("10 in 60s", "10 in 5m")).find("in 60s") != std::string::npos);
  CHECK(ErrorOf(With("10 in 60s", "0 in 60s")).find("from 1 on") != std::string::npos);
  CHECK(ErrorOf(With("sightings 3", "sightings 3 in 60s")).find("has no window") !=
        std::string::npos);
  CHECK(ErrorOf(With("quiet 90m", "quiet 59s")).find("shorter than a window") != std::string::npos);
  CHECK(ErrorOf(With("quiet 90m", "quiet 31d")).find("at most 30d") != std::string::npos);
  CHECK(ErrorOf(With("quiet 90m", "qiuet 90m")).find("is no field of a rule") != std::string::npos);
  CHECK(ErrorOf(With("Many", "M\xc3\xa4ny")).find("printable ASCII") != std::string::npos);
  CHECK(ErrorOf("vigil-rules 1\nversion 1\nscore 3\n").find("before the first rule") !=
        std::string::npos);
  CHECK(ErrorOf(kFile + std::string(kRuleFileBytesMax, '#')).find("at most 16384 bytes") !=
        std::string::npos);
}

TEST_CASE("rule file: there are only so many rules in all and for one kind of entity",
          "[detector]") {
  const auto file = [](size_t rules, bool of_one_kind) {
    std::string text = "vigil-rules 1\nversion 1\n";
    for (size_t i = 1; i <= rules; ++i) {
      text += "rule " + std::to_string(i) + " r\ntitle t\ntechnique T1046\nscore 1\nentity ";
      text += EntityKindName(of_one_kind ? EntityKind::kHost : kEntityKinds[i % 6]);
      text += "\nat-least events 1 in 2s\nquiet 1h\n";
    }
    return text;
  };
  CHECK(ErrorOf(file(kRulesPerKindMax, true)) == "none");
  CHECK(ErrorOf(file(kRulesPerKindMax + 1, true)).find("entity \"host\"") != std::string::npos);
  CHECK(ErrorOf(file(kRulesMax, false)) == "none");
  CHECK(ErrorOf(file(kRulesMax + 1, false)).find("more than 32 rules") != std::string::npos);
}

TEST_CASE("rule file: the built-in rules are rules", "[detector]") {
  std::string error;
  const std::optional<RuleSet> set = ParseRules(BuiltInRules(), kHash, &error);
  INFO(error);
  REQUIRE(set.has_value());
  CHECK(set->version == 1);
  CHECK(set->rules.size() == 12);
  std::set<std::string> names;
  for (const Rule& rule : set->rules) names.insert(rule.name);
  CHECK(names.size() == set->rules.size());
}

TEST_CASE("rule: it concerns only events that pass all its filters", "[detector]") {
  Rule rule;
  EntityEvent event;
  event.From(10, 1).To(8, 1, 22).Flow(2);
  const auto concerns = [&] { return rule.Concerns(event.view, event.type()); };
  CHECK(concerns());
  rule.types = 1u << static_cast<uint32_t>(EventType::kAuth);
  CHECK_FALSE(concerns());
  rule.types |= 1u << static_cast<uint32_t>(EventType::kFlow);
  CHECK(concerns());
  rule.status = StatusFilter::kSuccess;
  CHECK_FALSE(concerns());
  rule.status = StatusFilter::kFailure;
  CHECK(concerns());
  rule.ports = {23};
  CHECK_FALSE(concerns());
  rule.ports = {23, 22};
  CHECK(concerns());
  rule.to_public = true;
  CHECK(concerns());
  for (const std::array<uint8_t, 4>& address : {std::array<uint8_t, 4>{10, 1, 1, 1},
                                                {172, 31, 0, 1},
                                                {192, 168, 0, 1},
                                                {127, 0, 0, 1},
                                                {169, 254, 0, 1},
                                                {224, 0, 0, 1},
                                                {255, 255, 255, 255},
                                                {0, 0, 0, 1},
                                                {100, 64, 0, 1}}) {
    event.dst = address;
    CHECK_FALSE(concerns());
  }
  for (const std::array<uint8_t, 4>& address :
       {std::array<uint8_t, 4>{11, 1, 1, 1}, {172, 32, 0, 1}, {100, 128, 0, 1}}) {
    event.dst = address;
    CHECK(concerns());
  }
  event.view.dst.ip = {};
  CHECK_FALSE(concerns());
}

}  // namespace
}  // namespace vigil::detector
