// The file that shows a log to have only grown between two checkpoints
// (docs/formats/proof.md, Consistency).
//
//   vigil.dev/consistency-proof@v1
//   old <size of the older tree>
//   <base64 of a hash>               zero to 63 lines, RFC 6962 section 2.1.2
//   <empty line>
//   <older signed checkpoint>
//   <empty line>
//   <newer signed checkpoint>
//
// Pure.
#ifndef VIGIL_LEDGER_PROOF_CONSISTENCY_H_
#define VIGIL_LEDGER_PROOF_CONSISTENCY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/proof/head.h"
#include "ledger/proof/policy_chain.h"
#include "ledger/proof/two_notes.h"
#include "ledger/proof/verdict.h"

namespace vigil::ledger {

inline constexpr size_t kConsistencyBytesMax = 4 << 20;

struct ConsistencyProof {
  std::vector<Hash> path;
  TwoNotes checkpoints;  // The older one first.
  bool operator==(const ConsistencyProof&) const = default;
};

// REQUIRES: DecodeConsistencyProof() gives it back.
std::string EncodeConsistencyProof(const ConsistencyProof& proof);
// Errors: kInvalidArgument on anything but exactly that text, an old size that is not the first
// checkpoint's, or over the limits.
absl::StatusOr<ConsistencyProof> DecodeConsistencyProof(absl::string_view text);

struct ConsistencyReport {
  ProofVerdict verdict = ProofVerdict::kMalformed;
  std::string reason;  // Empty when verified.
  std::optional<ProvenHead> older;
  std::optional<ProvenHead> newer;
};

// kVerified: both checkpoints satisfy the policy, and the older tree is a prefix of the newer one.
// kNotConsistent at one size with two roots is a fork: CheckForkEvidence() names who signed both.
// Elsewhere it says only that this path shows nothing: anybody can write a wrong one.
ConsistencyReport VerifyConsistencyProof(const PolicyChain& policies, absl::string_view file_bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_CONSISTENCY_H_
