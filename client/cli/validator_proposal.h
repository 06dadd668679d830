// `vigil admin validator add|remove|replace|approve|reject`: what an organisation's admin signs to
// change the set of validators.
#ifndef VIGIL_CLIENT_CLI_VALIDATOR_PROPOSAL_H_
#define VIGIL_CLIENT_CLI_VALIDATOR_PROPOSAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/proposal_signer.h"
#include "client/cli/session.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"

namespace vigil::client {

enum class SetChange { kAdd, kRemove, kReplace };

struct ValidatorProposalOptions {
  SetChange change = SetChange::kAdd;
  std::string file;      // kAdd, kReplace: the newcomer as `vigild` writes it.
  std::string address;   // Of the newcomer, "host:port"; may be empty.
  std::string identity;  // kRemove, kReplace: "org/name" of the present set.
  std::string reason;
  bool yes = false;    // Do not ask before signing.
  bool trust = false;  // Take a validator's word for the result instead of a proof.
};

// A set and where its validators are reached, in the same order.
struct ProposedSet {
  std::vector<ledger::GenesisValidator> validators;
  std::vector<std::string> addresses;  // Empty strings where none is known.
};
// The whole next set, from that of `genesis`, with one change.
// Errors: kInvalidArgument: of the file, the identity, the address, or a set that may not follow
// (ledger::CheckNextSet).
absl::StatusOr<ProposedSet> BuildNextSet(const ledger::Genesis& genesis,
                                         const ValidatorProposalOptions& options,
                                         const std::string& newcomer);

// Builds the next set from the present one, which genesis and the epoch chain bear out, shows what
// changes, asks, signs with the session's key and waits for the result.
// Errors: kInvalidArgument, before anything is sent, as BuildNextSet(); kPermissionDenied: the key
// is no admin's; kCancelled: not confirmed; kAborted: somebody was quicker; of the network.
absl::Status RunValidatorProposal(const Session& session, const ValidatorProposalOptions& options);
// The same for a ballot, after showing what the proposal changes. An approval is refused with
// kFailedPrecondition while the validator that answers does not say of every newcomer that it has
// caught up, unless `even_if_behind`.
absl::Status RunValidatorBallot(const Session& session, const BallotOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_VALIDATOR_PROPOSAL_H_
