// Whether a proof that a validator gave verifies, and shows what it was asked for.
//
// A validator that lies is caught here: another event, an altered payload, a checkpoint that the
// policy is not satisfied with, parts of different moments. Pure.
#ifndef VIGIL_CLIENT_LIB_CHECKED_PROOF_H_
#define VIGIL_CLIENT_LIB_CHECKED_PROOF_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/proof/consistency.h"
#include "ledger/proof/policy_chain.h"
#include "ledger/proof/verify_proof.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

// What was shown. A record's proof may show that the chain did not accept it: `report.result`. An
// event's proof may lack its bytes: kPayloadMissing.
struct CheckedProof {
  ledger::ProofReport report;                            // Of an event, a record or a block.
  std::optional<ledger::ConsistencyReport> consistency;  // Instead.
  ledger::Checkpoint head;                               // The newest one that the file has.
};

// Judges the file that `request` was answered with.
// Errors: kOutOfRange: it is of an epoch that `policies` does not reach; kDataLoss: it does not
// verify, with verdict and reason, or shows something else.
absl::StatusOr<CheckedProof> CheckProof(const ledger::PolicyChain& policies,
                                        const v1::GetProofRequest& request, absl::string_view file);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_CHECKED_PROOF_H_
