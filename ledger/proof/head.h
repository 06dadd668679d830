// The head that a proof hangs on: a checkpoint whose signatures satisfy the reader's policy.
//
// Pure. Nothing else in this folder decides whether a checkpoint counts.
#ifndef VIGIL_LEDGER_PROOF_HEAD_H_
#define VIGIL_LEDGER_PROOF_HEAD_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/policy.h"
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
  bool operator==(const ProvenHead&) const = default;
};

// Whether the policy is satisfied with the signed checkpoint `note`; fills `head` only then.
// docs/formats/proof.md, steps 2 to 4.
std::optional<Refusal> CheckHead(const Policy& policy, absl::string_view note, ProvenHead* head);

// Epochs of the validators of `origin` that the policy lists as witnesses, from their key names
// "<origin>/v/<org>/<validator>/<epoch>". Empty when it lists none under such a name.
std::set<uint64_t> PolicyEpochs(const Policy& policy, absl::string_view origin);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_HEAD_H_
