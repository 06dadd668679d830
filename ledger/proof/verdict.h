// What an offline check concluded. Never one boolean: what to do next differs.
#ifndef VIGIL_LEDGER_PROOF_VERDICT_H_
#define VIGIL_LEDGER_PROOF_VERDICT_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace vigil::ledger {

// Stored: never renumber (docs/formats/proof.md, Verdicts).
enum class ProofVerdict : uint8_t {
  kVerified = 1,
  kVerifiedErased = 2,   // The event's bytes are gone because a tombstone says so. Not yet given.
  kPayloadMissing = 3,   // Everything holds, but the event's bytes are not in the file.
  kPayloadMismatch = 4,  // The event is not the one that its batch commits to.
  kNotIncluded = 5,      // Not in the log, not in the block named, or not accepted.
  kQuorumShort = 6,      // Too few of those whom the policy trusts signed the checkpoint.
  kKeyRevoked = 7,       // Cosigned by the set of an epoch that was over by then.
  kUnknownEpoch = 8,     // Signed in an epoch that neither policy nor epoch chain reaches.
  kMalformed = 9,        // Not a proof, or the record in it breaks the rules of its kind.
  kNotConsistent = 10,   // The older checkpoint is not shown to be a prefix of the newer one.
};

// "VERIFIED", "PAYLOAD_MISSING" ...; "UNKNOWN" for a number without meaning.
absl::string_view ProofVerdictName(ProofVerdict verdict);

// Whether the claim stands as it is: kVerified and kVerifiedErased.
bool IsVerified(ProofVerdict verdict);

// Exit code of a program that says this verdict: 0 when IsVerified(), else 6.
int ProofExitCode(ProofVerdict verdict);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_VERDICT_H_
