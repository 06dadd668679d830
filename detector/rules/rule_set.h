// Rules as data: what a rule file says, checked.
//
//   # A comment, to the end of its line. Blank lines mean nothing.
//   vigil-rules 1                        format, first
//   version 1                            of the rules, second
//   rule 1 logon-brute-force             a number, never given to another rule, and a name
//     title Many failed logons           for people
//     technique T1110                    MITRE ATT&CK
//     score 14                           bits: what a match counts beside other alerts
//     entity source                      whose windows are asked
//     when type auth application         of the event; left out: any
//     when status failure                failure or success
//     when port 22 3389                  of the destination, up to 16
//     when to public                     the destination's address is public
//     at-least logon_failures 10 in 60s  of the windows after the event; up to 4, all must hold
//     quiet 1h                           after a match of this rule with the same entity
//
// A file is at most 16 KiB, has at most kRulesMax rules and kRulesPerKindMax for one kind of
// entity. `quiet` is no shorter than the longest window of the rule. The digest covers the bytes.
#ifndef VIGIL_DETECTOR_RULES_RULE_SET_H_
#define VIGIL_DETECTOR_RULES_RULE_SET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detector/entities/entity.h"
#include "detector/entities/entity_key.h"
#include "detector/features/event_type.h"
#include "detector/features/hash.h"
#include "ledger/base/event_view.h"

namespace vigil::detector {

inline constexpr size_t kRuleFileBytesMax = 16 * 1024;
inline constexpr size_t kRulesMax = 32;
inline constexpr uint32_t kRuleNumberMax = 65'535;
inline constexpr size_t kConditionsMax = 4;
inline constexpr size_t kRulePortsMax = 16;

// What a condition asks of an entity.
enum class Measure {
  // Of a window.
  kEvents,
  kFailed,
  kFailedPermille,
  kLogonFailures,
  kBytesOut,
  kPeers,
  kPorts,
  kNames,
  // Of the entity.
  kSightings,
  kAgeSeconds,
  kRegular,          // Even intervals among the last kIntervals.
  kIntervalSeconds,  // Their median.
  kNewPeerSeconds,   // A peer never seen before, after so long without a new one.
};

struct Condition {
  Measure measure = Measure::kEvents;
  uint64_t at_least = 0;
  Span span = Span::kMinute;  // For the measures of a window.
};
uint64_t Measured(const Condition& condition, const Entity& entity);
// As rule files write it: "logon_failures", and " in 60s" or nothing.
std::string_view MeasureName(Measure measure);
std::string_view SpanSuffix(const Condition& condition);

enum class StatusFilter { kAny, kSuccess, kFailure };

struct Rule {
  uint32_t number = 0;
  std::string name;
  std::string title;
  std::string technique;
  uint32_t score_q8 = 0;
  EntityKind entity = EntityKind::kSource;
  uint32_t types = 0;  // Bit (1 << type); 0: any.
  StatusFilter status = StatusFilter::kAny;
  std::vector<uint32_t> ports;  // Empty: any.
  bool to_public = false;
  std::vector<Condition> conditions;
  uint64_t quiet_millis = 0;

  bool Concerns(const EventView& event, EventType type) const;
};

struct RuleSet {
  uint32_t version = 0;     // 0: there are no rules.
  Digest digest{};          // Zero: there are no rules.
  std::vector<Rule> rules;  // Ascending number.

  // Nullptr when there is none.
  const Rule* Find(uint32_t number) const;
};

// Nothing, and in `error` line, place and remedy, for a file that breaks a rule above. An empty
// file gives no rules.
std::optional<RuleSet> ParseRules(std::string_view file, Hash32 hash, std::string* error);

// hash("vigil/detector/rules/v1" 00 | file).
Digest RulesDigest(std::string_view file, Hash32 hash);
// What an alert of the rule names where others name a model:
// hash("vigil/detector/rule/v1" 00 | rules digest | u32le number).
Digest RuleDigest(const Digest& rules_digest, uint32_t number, Hash32 hash);

// The rules that a new network gets unless it brings its own.
std::string_view BuiltInRules();

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_RULES_RULE_SET_H_
