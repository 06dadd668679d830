// What the records of an evidence file say of an alert: who raised it, who recomputed it, whether
// the chain confirmed it, and which model it rests on.
//
// Confirmation and activation are read from results, which a quorum vouches for, not counted here.
#ifndef VIGIL_LEDGER_EVIDENCE_ALERT_CASE_H_
#define VIGIL_LEDGER_EVIDENCE_ALERT_CASE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ledger/evidence/shown_record.h"
#include "ledger/proof/head.h"

namespace vigil::ledger {

struct AlertWord {
  RecordIndex record;
  std::string validator;  // "org/name"
  bool confirms = false;
  uint32_t score_q8 = 0;  // 1/256 bit.
  bool operator==(const AlertWord&) const = default;
};

// What a fault proof in the file says of the alert (record kind 9).
struct AlertFaultWord {
  RecordIndex record;
  std::string validator;
  AlertFault fault = AlertFault::kScore;
  uint32_t score_q8 = 0;  // Recomputed, 1/256 bit.
  bool operator==(const AlertFaultWord&) const = default;
};

struct AlertCase {
  RecordIndex record;
  std::string proposer;
  Height height;
  EventRef event;
  Hash event_leaf;
  uint32_t event_type = 0;
  uint64_t period = 0;
  Hash model_digest;
  uint32_t score_q8 = 0;      // 1/256 bit.
  uint32_t threshold_q8 = 0;  // 1/256 bit.
  uint32_t component = 0;     // 1 forest, 2 LODA, 3 surprisal, 4 rule.
  std::vector<AlertReason> reasons;
  uint32_t rule = 0;  // Of component 4, as the next.
  Hash rules_digest;
  uint32_t entity_kind = 0;
  uint64_t observed = 0;
  std::optional<RecordIndex> confirmed_by;  // Whose result says that the alert was confirmed.
  std::optional<RecordIndex> contested_by;
  std::vector<AlertFaultWord> faults;  // Recorded on the chain, in order of the log.
  std::vector<AlertWord> words;        // Verdicts of others, in order of the log.
  // Whose result says that the model, or of component 4 the rules, became active. Nothing of rules:
  // they are those of genesis, or the file does not show it.
  std::optional<RecordIndex> activated_by;
  // Of component 4: the first block whose events the rules were held against. 0: not shown.
  Height rules_from;
  std::vector<std::string> model_committers;  // Who committed to this very model.
  bool operator==(const AlertCase&) const = default;
};

// Reads the case of the alert at `alert` from proven records. A refusal says what is not there.
std::optional<Refusal> ReadAlertCase(const std::vector<ShownRecord>& records, RecordIndex alert,
                                     AlertCase* out);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_EVIDENCE_ALERT_CASE_H_
