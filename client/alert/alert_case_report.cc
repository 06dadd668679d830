#include "client/alert/alert_case_report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "detector/features/event_schema.h"
#include "detector/model/claim.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::client {
namespace {

using detector::Difference;
using ledger::AlertCase;

struct Finding {
  AlertVerdict verdict = AlertVerdict::kVerified;
  std::string reason;
};

template <typename... Parts>
Finding Find(AlertVerdict verdict, const Parts&... parts) {
  return {verdict, absl::StrCat(parts...)};
}

const ledger::ShownEvent* ShownOf(const ledger::EvidenceReport& evidence) {
  const ledger::ShownRecord* const batch =
      ledger::FindShown(evidence.records, evidence.alert->event.record_index);
  if (batch == nullptr) return nullptr;
  const auto shown =
      std::ranges::find(batch->events, evidence.alert->event, &ledger::ShownEvent::ref);
  return shown == batch->events.end() ? nullptr : &*shown;
}

// What the evidence alone decides.
std::optional<Finding> JudgeEvidence(const ledger::EvidenceReport& evidence) {
  const bool is_alert = evidence.question.has_value() &&
                        evidence.question->subject == ledger::EvidenceSubject::kAlert;
  if (is_alert && evidence.alert.has_value()) {
    const ledger::ShownEvent* const shown = ShownOf(evidence);
    if (shown == nullptr) return Find(AlertVerdict::kNotRederivable, evidence.reason);
    if (shown->leaf_hash != evidence.alert->event_leaf)
      return Find(AlertVerdict::kEventDiffers, evidence.reason);
    if (evidence.wrong_model) return Find(AlertVerdict::kModelDiffers, evidence.reason);
  }
  if (!ledger::IsVerified(evidence.verdict))
    return Find(AlertVerdict::kEvidenceRefused, ledger::ProofVerdictName(evidence.verdict), ": ",
                evidence.reason);
  if (!is_alert) return Find(AlertVerdict::kEvidenceRefused, "the file is not about an alert");
  if (evidence.model.empty() && evidence.alert->component == ledger::kRuleComponent) {
    return Find(AlertVerdict::kModelUnknown, "the file carries no rule file, the alert names ",
                evidence.alert->rules_digest.ToHex(), "; export it from a validator");
  }
  if (evidence.model.empty()) {
    return Find(AlertVerdict::kModelUnknown, "the file carries no model, the alert names ",
                evidence.alert->model_digest.ToHex(),
                "; export it from a validator that keeps that model");
  }
  return std::nullopt;
}

detector::Claim ClaimOf(const AlertCase& alert) {
  detector::Claim claim{alert.score_q8, alert.threshold_q8, alert.component, {}};
  for (const ledger::AlertReason& reason : alert.reasons) {
    claim.reasons.push_back({static_cast<uint16_t>(reason.feature), reason.bits_q8});
  }
  return claim;
}

Finding Judge(const AlertCase& alert, const detector::Score& own, uint32_t threshold_q8) {
  switch (detector::Compare(ClaimOf(alert), own, threshold_q8)) {
    case Difference::kNone:
      return {};
    case Difference::kScore:
      return Find(AlertVerdict::kScoreDiffers, "the alert says ", alert.score_q8,
                  "/256 bits, the model gives ", own.score_q8, "/256");
    case Difference::kThreshold:
      return Find(AlertVerdict::kThresholdDiffers, "the alert says ", alert.threshold_q8,
                  "/256 bits and scores ", own.score_q8, "/256, the model's threshold is ",
                  threshold_q8, "/256");
    case Difference::kExplanation:
      break;
  }
  return Find(AlertVerdict::kExplanationDiffers,
              "score and threshold are right, what decided or the reasons are not");
}

Finding Recompute(AlertReport* report) {
  const AlertCase& alert = *report->evidence.alert;
  const EventView event = EventOf(*report);
  const detector::EventType type = detector::TypeOf(event);
  if (static_cast<uint32_t>(type) != alert.event_type) {
    return Find(AlertVerdict::kScoreDiffers, "the model is for events of type ", alert.event_type,
                ", this one is of type ", static_cast<uint32_t>(type),
                " and has no score under it");
  }
  report->model = detector::Model::Parse(AsBytes(report->evidence.model),
                                         detector::EventSchema(type), &ledger::Sha256Bytes);
  if (!report->model.has_value()) {
    return Find(AlertVerdict::kNotRederivable,
                "the model is the right one, but of another format or schema than this program's");
  }
  report->recomputed = detector::ScoreEvent(*report->model, event, &ledger::Sha256Bytes);
  return Judge(alert, *report->recomputed, report->model->threshold_q8());
}

Finding RecomputeRule(AlertReport* report) {
  std::string problem;
  report->rule = JudgeRuleAlert(report->evidence, &problem);
  if (!report->rule.has_value()) {
    return Find(AlertVerdict::kNotRederivable,
                "the rule file is the right one, but none of this program's version: ", problem);
  }
  const detector::RuleJudgement& judged = report->rule->judgement;
  switch (judged.finding) {
    case detector::RuleFinding::kMatches:
      return {};
    case detector::RuleFinding::kDiffers:
      return Find(AlertVerdict::kRuleDiffers, judged.why);
    case detector::RuleFinding::kSupported:
      return Find(AlertVerdict::kSupported, judged.why);
    case detector::RuleFinding::kUnknown:
      break;
  }
  return Find(AlertVerdict::kNotRederivable, judged.why);
}

}  // namespace

absl::string_view AlertVerdictName(AlertVerdict verdict) {
  switch (verdict) {
    case AlertVerdict::kVerified:
      return "VERIFIED";
    case AlertVerdict::kScoreDiffers:
      return "SCORE_DIFFERS";
    case AlertVerdict::kThresholdDiffers:
      return "THRESHOLD_DIFFERS";
    case AlertVerdict::kExplanationDiffers:
      return "EXPLANATION_DIFFERS";
    case AlertVerdict::kRuleDiffers:
      return "RULE_DIFFERS";
    case AlertVerdict::kSupported:
      return "SUPPORTED";
    case AlertVerdict::kEventDiffers:
      return "EVENT_DIFFERS";
    case AlertVerdict::kModelDiffers:
      return "MODEL_DIFFERS";
    case AlertVerdict::kModelUnknown:
      return "MODEL_UNKNOWN";
    case AlertVerdict::kNotRederivable:
      return "NOT_REDERIVABLE";
    case AlertVerdict::kEvidenceRefused:
      return "EVIDENCE_REFUSED";
  }
  return "?";
}

std::optional<ledger::AlertFault> FaultOf(AlertVerdict verdict) {
  switch (verdict) {
    case AlertVerdict::kScoreDiffers:
      return ledger::AlertFault::kScore;
    case AlertVerdict::kThresholdDiffers:
      return ledger::AlertFault::kThreshold;
    case AlertVerdict::kExplanationDiffers:
      return ledger::AlertFault::kExplanation;
    case AlertVerdict::kEventDiffers:
      return ledger::AlertFault::kEvent;
    case AlertVerdict::kRuleDiffers:
      return ledger::AlertFault::kRule;
    default:
      return std::nullopt;
  }
}

EventView EventOf(const AlertReport& report) { return ShownOf(report.evidence)->Fields(); }

AlertReport VerifyAlert(const ledger::PolicyChain& policies, absl::string_view file_bytes) {
  AlertReport report;
  report.evidence = ledger::VerifyEvidence(policies, file_bytes);
  std::optional<Finding> finding = JudgeEvidence(report.evidence);
  if (!finding.has_value()) {
    const bool is_rule = report.evidence.alert->component == ledger::kRuleComponent;
    finding = is_rule ? RecomputeRule(&report) : Recompute(&report);
  }
  report.verdict = finding->verdict;
  report.reason = std::move(finding->reason);
  return report;
}

}  // namespace vigil::client
