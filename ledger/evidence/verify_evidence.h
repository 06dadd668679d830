// Decides offline what an evidence file proves (docs/formats/evidence.md, Verification).
//
// Pure: a policy and a file in, a report out. Each record is proven as VerifyProof() proves it, all
// under one checkpoint; each event leads to the items root that its author signed.
#ifndef VIGIL_LEDGER_EVIDENCE_VERIFY_EVIDENCE_H_
#define VIGIL_LEDGER_EVIDENCE_VERIFY_EVIDENCE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/evidence/alert_case.h"
#include "ledger/evidence/evidence_file.h"
#include "ledger/evidence/shown_record.h"
#include "ledger/evidence/stream_case.h"
#include "ledger/proof/policy_chain.h"
#include "ledger/proof/verify_proof.h"

namespace vigil::ledger {

// A validator as the genesis file in the evidence names it, or the epoch chain for later epochs;
// the origin of the log is that file's hash.
struct NamedValidator {
  std::string identity;  // "org/name"
  std::string organisation;
  bool cosigned = false;  // The checkpoint.
  bool operator==(const NamedValidator&) const = default;
};

// Parts are there as far as the checks came; what is there is proven.
struct EvidenceReport {
  ProofVerdict verdict = ProofVerdict::kMalformed;
  std::string reason;  // Empty when verified.
  std::optional<EvidenceQuestion> question;
  std::optional<ProvenHead> head;
  std::vector<NamedValidator> validators;  // Empty without a genesis file.
  std::vector<ShownRecord> records;
  // In the log, but the chain did not accept them. Only of an alert, whose span of blocks may hold
  // such records.
  std::vector<ShownRecord> rejected;
  std::vector<StreamCase> streams;
  // Also where only its event is not shown, or not the one that the alert names.
  std::optional<AlertCase> alert;
  // The model file in it, of a rule's alert the rule file, whose digest is the alert's unless
  // `wrong_model`. Empty: there is none.
  absl::string_view model;
  bool wrong_model = false;

  // Of all records.
  uint64_t events_shown() const;
  // Of those, how many bear a time in the span in question. REQUIRES: the question is a span.
  uint64_t events_in_span() const;
};

// Under one policy alone, an epoch chain in the file is walked from it; a chain of policies is
// taken as it is. Views of the report point into `file_bytes`.
EvidenceReport VerifyEvidence(const PolicyChain& policies, absl::string_view file_bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_EVIDENCE_VERIFY_EVIDENCE_H_
