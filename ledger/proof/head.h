// The head that a proof hangs on: a checkpoint whose signatures satisfy the reader's policy.
//
// Pure. Nothing else in this folder decides whether a checkpoint counts.
#ifndef VIGIL_LEDGER_PROOF_HEAD_H_
#define VIGIL_LEDGER_PROOF_HEAD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/policy.h"
#include "ledger/proof/policy_chain.h"
#include "ledger/proof/verdict.h"

namespace vigil::ledger {

// Why a claim does not stand. `reason` is for people: the thing, the place, what to do.
struct Refusal {
  ProofVerdict verdict = ProofVerdict::kMalformed;
  std::string reason;
};

struct ProvenWitness {
  std::string name;  // In the policy.
  uint64_t unix_seconds = 0;
  bool operator==(const ProvenWitness&) const = default;
};

struct ProvenHead {
  Checkpoint checkpoint;
  std::vector<ProvenWitness> witnesses;  // Those that cosigned, in the policy's order.
  uint64_t epoch = 0;                    // Whose policy it passed; 0: that of a policy alone.
  bool operator==(const ProvenHead&) const = default;
};

// Whether the policy is satisfied with the signed checkpoint `note`; fills `head` only then. Of a
// chain of policies, the newest epoch counts that lines of the note name and whose quorum signed;
// a head of an epoch that is over must not be larger than the log was at its end.
// docs/formats/proof.md, steps 2 to 4.
std::optional<Refusal> CheckHead(const PolicyChain& policies, absl::string_view note,
                                 ProvenHead* head);

// The policy under which CheckHead() let `head` pass.
const Policy& PolicyOfHead(const PolicyChain& policies, const ProvenHead& head);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_HEAD_H_
