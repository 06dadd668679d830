// Whether an alert is right: recomputed from an evidence file, offline, by anyone.
//
// Pure: a policy and a file in, a report out. The file proves the alert, its event, and that a
// quorum committed the model by its digest (ledger/evidence); the model's bytes in it are held
// against that digest, and the score is computed again, bit for bit. What a rule matched is
// recomputed from the events of the blocks in the file (rule_case.h).
#ifndef VIGIL_CLIENT_ALERT_ALERT_CASE_REPORT_H_
#define VIGIL_CLIENT_ALERT_ALERT_CASE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "client/alert/rule_case.h"
#include "detector/model/model.h"
#include "ledger/chain/record.h"
#include "ledger/evidence/verify_evidence.h"
#include "ledger/proof/policy_chain.h"

namespace vigil::client {

enum class AlertVerdict {
  kVerified,          // Score, threshold and explanation are what the model gives.
  kSupported,         // Of a rule: its conditions hold; the file cannot show that all of it is so.
  kScoreDiffers,      // These five: whoever signed the alert computed it wrongly.
  kThresholdDiffers,  // It cites another threshold than the model's, or lies below it.
  kExplanationDiffers,  // Other component, or other reasons.
  kRuleDiffers,         // The rule that it cites did not match, or not as it says.
  kEventDiffers,        // It was raised over other bytes than the chain has there.
  kModelDiffers,        // The model in the file is not the one of the alert.
  kModelUnknown,        // There is no model in the file; of a rule, no rule file.
  kNotRederivable,      // The event's bytes are gone, or made for another version of this program;
                        // or a rule's other events are not all there.
  kEvidenceRefused,     // The file does not prove what it is about; `evidence` says why.
};
// "VERIFIED", "SCORE_DIFFERS" ...
absl::string_view AlertVerdictName(AlertVerdict verdict);
// What the verdict proves of the alert's author; nullopt: nothing.
std::optional<ledger::AlertFault> FaultOf(AlertVerdict verdict);

struct AlertReport {
  AlertVerdict verdict = AlertVerdict::kEvidenceRefused;
  std::string reason;  // Empty when verified.
  ledger::EvidenceReport evidence;
  std::optional<detector::Model> model;  // The alert's, once its digest has been checked.
  // What the model gives. Set exactly where the model could be applied.
  std::optional<detector::Score> recomputed;
  // Of a rule's alert, once its rule file has been checked.
  std::optional<RuleReport> rule;
};

// Views of the report point into `file_bytes`.
AlertReport VerifyAlert(const ledger::PolicyChain& policies, absl::string_view file_bytes);

// The alert's event. REQUIRES: report.evidence.alert is set and the file shows the event.
EventView EventOf(const AlertReport& report);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_ALERT_ALERT_CASE_REPORT_H_
