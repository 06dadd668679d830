// Reads a rule file, line by line. What it does not know is an error, so that a misspelt word never
// makes a rule wider than it was meant.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "detector/rules/rule_set.h"

namespace vigil::detector {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kTitleBytesMax = 160;
constexpr size_t kTechniqueBytesMax = 16;
constexpr uint64_t kScoreBitsMax = 64;
constexpr uint64_t kQuietSecondsMax = 30 * 86'400;
constexpr uint64_t kPortMax = 65'535;
constexpr uint64_t kMillisPerSecond = 1000;

struct NamedMeasure {
  std::string_view name;
  Measure measure;
  bool of_window;
};
constexpr std::array<NamedMeasure, 13> kMeasures = {{
    {"events", Measure::kEvents, true},
    {"failed", Measure::kFailed, true},
    {"failed_permille", Measure::kFailedPermille, true},
    {"logon_failures", Measure::kLogonFailures, true},
    {"bytes_out", Measure::kBytesOut, true},
    {"peers", Measure::kPeers, true},
    {"ports", Measure::kPorts, true},
    {"names", Measure::kNames, true},
    {"sightings", Measure::kSightings, false},
    {"age_seconds", Measure::kAgeSeconds, false},
    {"regular", Measure::kRegular, false},
    {"interval_seconds", Measure::kIntervalSeconds, false},
    {"new_peer_seconds", Measure::kNewPeerSeconds, false},
}};
constexpr std::array<std::string_view, 3> kSpanNames = {"2s", "60s", "1h"};
constexpr std::array<std::pair<std::string_view, EventType>, 5> kTypeNames = {{
    {"flow", EventType::kFlow},
    {"auth", EventType::kAuth},
    {"process", EventType::kProcess},
    {"application", EventType::kApplication},
    {"generic", EventType::kGeneric},
}};

using Words = std::vector<std::string_view>;

// Printable ASCII, without quotes and backslashes.
bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}
bool IsTechnique(std::string_view text) {
  if (text.size() < 5 || text.size() > kTechniqueBytesMax || text[0] != 'T') return false;
  return std::all_of(text.begin() + 1, text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}
bool ReadNumber(std::string_view text, uint64_t min, uint64_t max, uint64_t* number) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *number);
  const bool whole = code == std::errc() && end == text.data() + text.size();
  // One way to write a number.
  return whole && (text.size() == 1 || text[0] != '0') && *number >= min && *number <= max;
}
// A number with s, m, h or d behind it.
bool ReadSeconds(std::string_view text, uint64_t* seconds) {
  if (text.size() < 2) return false;
  const char unit = text.back();
  const uint64_t scale = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 86'400;
  if (scale == 86'400 && unit != 'd') return false;
  if (!ReadNumber(text.substr(0, text.size() - 1), 1, kQuietSecondsMax / scale, seconds)) {
    return false;
  }
  *seconds *= scale;
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view file) : rest_(file) {}

  // Empty: all is well; else what is wrong.
  std::string Run(RuleSet* set) {
    set_ = set;
    std::string problem;
    while (problem.empty() && !rest_.empty()) problem = TakeLine();
    if (problem.empty() && stage_ < 2) problem = "the file ends before its version";
    if (problem.empty()) problem = FinishRule();
    if (problem.empty()) return {};
    return "line " + std::to_string(line_) + ": " + problem;
  }

 private:
  std::string TakeLine() {
    ++line_;
    const size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    line = line.substr(0, line.find('#'));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!IsPlain(line)) return "only printable ASCII without quotes and backslashes";
    const Words words = Split(line);
    if (words.empty()) return {};
    if (stage_ == 0) return TakeFormat(words);
    if (stage_ == 1) return TakeVersion(words);
    if (words[0] == "rule") return BeginRule(words);
    if (!open_) return "\"" + std::string(words[0]) + "\" stands before the first rule";
    const std::string problem = TakeField(words, line);
    return problem.empty() ? problem : Who() + problem;
  }

  static Words Split(std::string_view line) {
    Words words;
    while (!line.empty()) {
      const size_t begin = line.find_first_not_of(' ');
      if (begin == std::string_view::npos) break;
      line.remove_prefix(begin);
      const size_t size = std::min(line.find(' '), line.size());
      words.push_back(line.substr(0, size));
      line.remove_prefix(size);
    }
    return words;
  }

  std::string TakeFormat(const Words& words) {
    if (words.size() != 2 || words[0] != "vigil-rules" || words[1] != "1") {
      return "begin with \"vigil-rules 1\"";
    }
    stage_ = 1;
    return {};
  }

  std::string TakeVersion(const Words& words) {
    uint64_t version = 0;
    if (words.size() != 2 || words[0] != "version" ||
        !ReadNumber(words[1], 1, 0xFFFFFFFF, &version)) {
      return "\"version\" and a number from 1 to 4294967295 come second";
    }
    set_->version = static_cast<uint32_t>(version);
    stage_ = 2;
    return {};
  }

  std::string BeginRule(const Words& words) {
    std::string problem = FinishRule();
    if (!problem.empty()) return problem;
    uint64_t number = 0;
    if (words.size() != 3 || !ReadNumber(words[1], 1, kRuleNumberMax, &number) ||
        !IsName(words[2])) {
      return "write \"rule NUMBER NAME\": a number from 1 to 65535 and a name of a-z, 0-9 and -";
    }
    if (set_->rules.size() == kRulesMax) {
      return "more than " + std::to_string(kRulesMax) + " rules";
    }
    if (!set_->rules.empty() && number <= set_->rules.back().number) {
      return "rule " + std::string(words[1]) + " after rule " +
             std::to_string(set_->rules.back().number) + ": put rules in the order of numbers";
    }
    rule_ = Rule();
    rule_.number = static_cast<uint32_t>(number);
    rule_.name = std::string(words[2]);
    seen_.clear();
    open_ = true;
    return {};
  }

  std::string FinishRule() {
    if (!open_) return {};
    open_ = false;
    const std::string who = Who();
    for (const std::string_view field : {"title", "technique", "score", "entity", "quiet"}) {
      if (!Has(field)) return who + "\"" + std::string(field) + "\" is missing";
    }
    if (rule_.conditions.empty()) return who + "\"at-least\" is missing";
    for (const Condition& condition : rule_.conditions) {
      const bool of_window = kMeasures[static_cast<size_t>(condition.measure)].of_window;
      if (of_window && rule_.quiet_millis < MillisOf(condition.span)) {
        return who + "\"quiet\" is shorter than a window of the rule";
      }
    }
    const auto of_kind =
        std::count_if(set_->rules.begin(), set_->rules.end(),
                      [&](const Rule& other) { return other.entity == rule_.entity; });
    if (static_cast<size_t>(of_kind) >= kRulesPerKindMax) {
      return who + "more than " + std::to_string(kRulesPerKindMax) + " rules for entity \"" +
             std::string(EntityKindName(rule_.entity)) + "\"";
    }
    set_->rules.push_back(std::move(rule_));
    return {};
  }

  std::string Who() const { return "rule " + std::to_string(rule_.number) + ": "; }

  bool Has(std::string_view field) const {
    return std::find(seen_.begin(), seen_.end(), field) != seen_.end();
  }

  std::string TakeField(const Words& words, std::string_view line) {
    if (words[0] == "at-least") return TakeCondition(words);
    std::string field(words[0]);
    if (field == "when" && words.size() > 1) field += " " + std::string(words[1]);
    if (Has(field)) return "\"" + field + "\" is given twice";
    seen_.push_back(field);
    if (field == "title") return TakeTitle(line);
    if (words[0] == "when") return TakeFilter(words);
    return words.size() == 2 ? TakeWord(field, words[1]) : "write one word after \"" + field + "\"";
  }

  std::string TakeTitle(std::string_view line) {
    const size_t begin = line.find("title") + 5;
    const size_t first = line.find_first_not_of(' ', begin);
    if (first == std::string_view::npos) return "a title needs text";
    rule_.title = std::string(line.substr(first, line.find_last_not_of(' ') + 1 - first));
    if (rule_.title.size() <= kTitleBytesMax) return {};
    return "a title has at most " + std::to_string(kTitleBytesMax) + " characters";
  }

  std::string TakeWord(const std::string& field, std::string_view word) {
    uint64_t number = 0;
    if (field == "technique") {
      rule_.technique = std::string(word);
      return IsTechnique(word) ? "" : "a technique looks like T1110 or T1110.001";
    }
    if (field == "score") {
      if (!ReadNumber(word, 1, kScoreBitsMax, &number)) return "a score is 1 to 64 bits";
      rule_.score_q8 = static_cast<uint32_t>(number << 8);
      return {};
    }
    if (field == "entity") {
      const std::optional<EntityKind> kind = FindEntityKind(word);
      if (!kind) return "an entity is source, destination, pair, port, user or host";
      rule_.entity = *kind;
      return {};
    }
    if (field == "quiet") {
      if (!ReadSeconds(word, &number)) return "quiet is like 90s, 5m, 1h or 2d, at most 30d";
      rule_.quiet_millis = number * kMillisPerSecond;
      return {};
    }
    return "\"" + field +
           "\" is no field of a rule: title, technique, score, entity, when, at-least, quiet";
  }

  std::string TakeFilter(const Words& words) {
    if (words.size() < 3) return "write \"when\", what, and its values";
    const std::string_view what = words[1];
    const Words values(words.begin() + 2, words.end());
    if (what == "type") return TakeTypes(values);
    if (what == "port") return TakePorts(values);
    if (what == "to" && values.size() == 1 && values[0] == "public") {
      rule_.to_public = true;
      return {};
    }
    if (what == "status" && values.size() == 1 && values[0] == "failure") {
      rule_.status = StatusFilter::kFailure;
      return {};
    }
    if (what == "status" && values.size() == 1 && values[0] == "success") {
      rule_.status = StatusFilter::kSuccess;
      return {};
    }
    return "\"when\" knows type, port, \"status failure\", \"status success\" and \"to public\"";
  }

  std::string TakeTypes(const Words& values) {
    for (const std::string_view value : values) {
      const auto* const found =
          std::find_if(kTypeNames.begin(), kTypeNames.end(),
                       [&](const auto& entry) { return entry.first == value; });
      if (found == kTypeNames.end()) {
        return "a type is flow, auth, process, application or generic";
      }
      rule_.types |= 1u << static_cast<uint32_t>(found->second);
    }
    return {};
  }

  std::string TakePorts(const Words& values) {
    if (values.size() > kRulePortsMax) return "at most " + std::to_string(kRulePortsMax) + " ports";
    for (const std::string_view value : values) {
      uint64_t port = 0;
      if (!ReadNumber(value, 1, kPortMax, &port)) return "a port is 1 to 65535";
      rule_.ports.push_back(static_cast<uint32_t>(port));
    }
    return {};
  }

  std::string TakeCondition(const Words& words) {
    const auto* const measure =
        words.size() < 3 ? kMeasures.end()
                         : std::find_if(kMeasures.begin(), kMeasures.end(),
                                        [&](const auto& m) { return m.name == words[1]; });
    Condition condition;
    if (measure == kMeasures.end()) return "write \"at-least MEASURE NUMBER\"; measures: " + All();
    condition.measure = measure->measure;
    if (!ReadNumber(words[2], 1, uint64_t{1} << 60, &condition.at_least)) {
      return "\"at-least\" needs a number from 1 on";
    }
    if (rule_.conditions.size() == kConditionsMax) {
      return "at most " + std::to_string(kConditionsMax) + " times \"at-least\"";
    }
    if (!measure->of_window && words.size() != 3) {
      return "\"" + std::string(measure->name) + "\" has no window";
    }
    if (measure->of_window) {
      const auto* const span = words.size() == 5 && words[3] == "in"
                                   ? std::find(kSpanNames.begin(), kSpanNames.end(), words[4])
                                   : kSpanNames.end();
      if (span == kSpanNames.end()) return "end with \"in 2s\", \"in 60s\" or \"in 1h\"";
      condition.span = static_cast<Span>(span - kSpanNames.begin());
    }
    rule_.conditions.push_back(condition);
    return {};
  }

  static std::string All() {
    std::string names;
    for (const NamedMeasure& measure : kMeasures) {
      names += (names.empty() ? "" : " ") + std::string(measure.name);
    }
    return names;
  }

  std::string_view rest_;
  RuleSet* set_ = nullptr;
  size_t line_ = 0;
  int stage_ = 0;  // 0: format, 1: version, 2: rules.
  bool open_ = false;
  Rule rule_;
  std::vector<std::string> seen_;  // Fields of the open rule.
};

}  // namespace

std::string_view MeasureName(Measure measure) {
  return kMeasures[static_cast<size_t>(measure)].name;
}

std::string_view SpanSuffix(const Condition& condition) {
  constexpr std::array<std::string_view, 3> kSuffixes = {" in 2s", " in 60s", " in 1h"};
  const bool of_window = kMeasures[static_cast<size_t>(condition.measure)].of_window;
  return of_window ? kSuffixes[static_cast<size_t>(condition.span)] : std::string_view();
}

std::optional<RuleSet> ParseRules(std::string_view file, Hash32 hash, std::string* error) {
  RuleSet set;
  if (file.empty()) return set;
  if (file.size() > kRuleFileBytesMax) {
    *error = "a rule file has at most " + std::to_string(kRuleFileBytesMax) + " bytes, this has " +
             std::to_string(file.size());
    return std::nullopt;
  }
  *error = Parser(file).Run(&set);
  if (!error->empty()) return std::nullopt;
  set.digest = RulesDigest(file, hash);
  return set;
}

}  // namespace vigil::detector
