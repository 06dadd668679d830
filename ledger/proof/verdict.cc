#include "ledger/proof/verdict.h"

namespace vigil::ledger {

absl::string_view ProofVerdictName(ProofVerdict verdict) {
  switch (verdict) {
    case ProofVerdict::kVerified:
      return "VERIFIED";
    case ProofVerdict::kVerifiedErased:
      return "VERIFIED_ERASED";
    case ProofVerdict::kPayloadMissing:
      return "PAYLOAD_MISSING";
    case ProofVerdict::kPayloadMismatch:
      return "PAYLOAD_MISMATCH";
    case ProofVerdict::kNotIncluded:
      return "NOT_INCLUDED";
    case ProofVerdict::kQuorumShort:
      return "QUORUM_SHORT";
    case ProofVerdict::kKeyRevoked:
      return "KEY_REVOKED";
    case ProofVerdict::kUnknownEpoch:
      return "UNKNOWN_EPOCH";
    case ProofVerdict::kMalformed:
      return "MALFORMED";
    case ProofVerdict::kNotConsistent:
      return "NOT_CONSISTENT";
  }
  return "UNKNOWN";
}

bool IsVerified(ProofVerdict verdict) {
  return verdict == ProofVerdict::kVerified || verdict == ProofVerdict::kVerifiedErased;
}

int ProofExitCode(ProofVerdict verdict) { return IsVerified(verdict) ? 0 : 6; }

}  // namespace vigil::ledger
