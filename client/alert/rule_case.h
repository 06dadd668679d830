// Whether a rule's alert is right: recomputed from the events of an evidence file, offline, by
// anyone (docs/formats/evidence.md, Recomputing a rule).
//
// Pure. How much can be told depends on which blocks the file shows whole: from the first block on
// everything, from some block on what detector/rules/rule_span.h says.
#ifndef VIGIL_CLIENT_ALERT_RULE_CASE_H_
#define VIGIL_CLIENT_ALERT_RULE_CASE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "detector/rules/rule_span.h"
#include "ledger/base/strong_id.h"
#include "ledger/evidence/verify_evidence.h"

namespace vigil::client {

struct RuleReport {
  detector::Rule rule;
  detector::RuleJudgement judgement;
  detector::Reach reach = detector::Reach::kCited;
  Height from;          // First block of which everything is shown; the event's is the last.
  uint64_t events = 0;  // That were looked at.
};

// Nothing where the rules are none of this version's; then `problem` says why, as it does where the
// rule does not exist.
// REQUIRES: the file is about a rule's alert, shows its event and holds its rule file.
std::optional<RuleReport> JudgeRuleAlert(const ledger::EvidenceReport& evidence,
                                         std::string* problem);

// "blocks 4 to 9", "every block up to 9", "12 events".
std::string RuleBasis(const RuleReport& report, Height event_height);

// How far back evidence of an alert has to reach, in milliseconds of the event's own time, for
// everything to be told; nothing: to the first block. nullopt of the outer: not known, since the
// rules or the rule are none of this version's.
struct RuleNeed {
  std::optional<uint64_t> everything;
  std::optional<uint64_t> conditions;
};
std::optional<RuleNeed> NeedOfRule(absl::string_view rule_file, uint32_t rule);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_ALERT_RULE_CASE_H_
