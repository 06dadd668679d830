// Evidence that somebody signed two histories of one log (docs/formats/proof.md, Fork evidence).
//
// Two kinds convince a stranger who has nothing but the keys:
//   (1) two checkpoints of one origin and size with different roots;
//   (2) two proof files that show different leaves at one index under two checkpoints of one
//       origin, of whatever sizes.
// A consistency proof that fails is none: anybody can write a wrong one. Pure.
#ifndef VIGIL_LEDGER_PROOF_FORK_EVIDENCE_H_
#define VIGIL_LEDGER_PROOF_FORK_EVIDENCE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/log/checkpoint.h"
#include "ledger/proof/policy_chain.h"
#include "ledger/proof/two_notes.h"

namespace vigil::ledger {

inline constexpr size_t kForkEvidenceBytesMax = 4 << 20;

struct ForkEvidence {
  Checkpoint first;
  Checkpoint second;
  // Who signed both: keys of the policy in vkey text, logs first, each in the policy's order.
  std::vector<std::string> culprits;
  // Who signed one history while the policy's quorum cosigned the other and not both: lies, if the
  // quorum is to be believed. The same text and order.
  std::vector<std::string> against_quorum;
};

// Kind (1). No quorum is asked for: one key on both sides is enough to convict its owner. Where the
// policy's quorum cosigned one side, a key on the other side alone contradicts it.
// Errors:
//   kInvalidArgument:    a note is no signed checkpoint.
//   kFailedPrecondition: the checkpoints do not contradict each other.
//   kNotFound:           they do, but no key of the policy signed both or against its quorum.
absl::StatusOr<ForkEvidence> CheckForkEvidence(const PolicyChain& policies,
                                               absl::string_view note_a, absl::string_view note_b);

// Kind (2): two proof files of VerifyProof(). Errors: as above.
absl::StatusOr<ForkEvidence> CheckForkProofs(const PolicyChain& policies, absl::string_view file_a,
                                             absl::string_view file_b);

// The file of kind (1): the line "vigil.dev/fork-evidence@v1", an empty line, and both notes with
// an empty line between. REQUIRES: DecodeForkEvidence() gives it back.
std::string EncodeForkEvidence(const TwoNotes& notes);
// Errors: kInvalidArgument on anything but exactly that, or over the limit.
absl::StatusOr<TwoNotes> DecodeForkEvidence(absl::string_view text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_FORK_EVIDENCE_H_
