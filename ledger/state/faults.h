// Module faults: what validators found wrong with an alert that others contest.
//
// A fault proof, by the record key of a validator:
//
//   names no alert                                        NOT_FOUND
//   the alert is not contested, or this validator does    INVALID
//     not dispute it with the score that it states here
//   somebody said exactly the same of the alert, or this  ALREADY_EXISTS
//     validator said something of it
//
// So f liars alone can put nothing here: an alert is contested by f + 1. What they add beside
// honest ones is theirs by name, and anyone recomputes which of them is right. Nothing follows on
// the chain.
#ifndef VIGIL_LEDGER_STATE_FAULTS_H_
#define VIGIL_LEDGER_STATE_FAULTS_H_

#include "absl/status/status.h"
#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"

namespace vigil::ledger {

ResultCode ApplyFaultProof(const RecordContext& context, const FaultProofBody& body);

// Whether the record could still count.
// Errors: kAlreadyExists.
absl::Status CheckFaultProofAdmissible(const StateView& view, const KeyRow& signer,
                                       const FaultProofBody& body);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_FAULTS_H_
