// The policies of a network's epochs: what a reader trusts who pinned one of them and was shown the
// epoch chain (docs/formats/epoch_chain.md).
//
// Each anchor is judged by the validators of the epoch that it ends, and gives the next epoch's
// policy: the validators are replaced, witnesses outside of the network stay. A set that was
// replaced vouches for nothing beyond the log's size at the end of its epoch, whatever its keys
// sign later. Pure.
#ifndef VIGIL_LEDGER_PROOF_POLICY_CHAIN_H_
#define VIGIL_LEDGER_PROOF_POLICY_CHAIN_H_

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/log/policy.h"
#include "ledger/proof/verdict.h"

namespace vigil::ledger {

// "<origin>/v/<org>/<validator>/<epoch>": the epoch in the key name of a validator's cosigner.
// nullopt for names of another form.
std::optional<uint64_t> EpochOfCosigner(absl::string_view origin, absl::string_view name);

// Epochs of the validators of `origin` that the policy lists as witnesses. Empty when it lists none
// under such a name.
std::set<uint64_t> PolicyEpochs(const Policy& policy, absl::string_view origin);

struct PolicyEpoch {
  uint64_t number = 0;  // 0: of a policy that stands alone, whatever epochs it lists.
  Policy policy;
  std::optional<uint64_t> final_size;  // Leaves of the log at its end; nullopt: no end is known.
  bool operator==(const PolicyEpoch&) const = default;
};

// What to trust: one policy alone, or the policies of consecutive epochs.
class PolicyChain {
 public:
  // A policy alone. Implicit: wherever a chain is asked for, one policy will do.
  PolicyChain(Policy policy);  // NOLINT(google-explicit-constructor)

  // Walks the anchors of `file` from the epoch whose policy was pinned; those of earlier epochs are
  // not looked at.
  // Errors: kFailedPrecondition: `pinned` is not that of one epoch of one log, decided by a
  // majority of its validators, beside which witnesses outside may be asked for. kInvalidArgument:
  // the file is malformed or an anchor does not fit, naming the epoch; kDataLoss,
  // kPermissionDenied: its signatures do not verify, or are of fewer than a quorum.
  static absl::StatusOr<PolicyChain> Walk(const Policy& pinned, ByteSpan file);

  // Not empty; the first one is the pinned one.
  const std::vector<PolicyEpoch>& epochs() const { return epochs_; }
  const Policy& newest() const { return epochs_.back().policy; }
  bool is_alone() const { return epochs_.front().number == 0; }
  // nullptr when the chain does not reach it.
  const PolicyEpoch* Find(uint64_t number) const;
  // "1 to 3".
  std::string NumbersText() const;

 private:
  PolicyChain() = default;

  std::vector<PolicyEpoch> epochs_;
};

// The verdict on an epoch chain that Walk() refused: kQuorumShort or kMalformed.
ProofVerdict EpochChainVerdict(const absl::Status& refused);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_PROOF_POLICY_CHAIN_H_
