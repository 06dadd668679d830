// `vigil validators` and the reading half of `vigil admin validator`: who the validators are, which
// sets there were, and what is proposed.
#ifndef VIGIL_CLIENT_CLI_VALIDATOR_COMMANDS_H_
#define VIGIL_CLIENT_CLI_VALIDATOR_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"
#include "ledger/chain/genesis.h"

namespace vigil::client {

// The present set with keys and journal ids, what is open and what is approved.
absl::Status RunValidators(const Session& session);

// What the validator that answers says of one newcomer: "learns, at height 12, 3 behind".
std::string LearningText(const v1::Newcomer& newcomer);
// All epochs: base height, proposal and validators of each.
absl::Status RunValidatorEpochs(const Session& session);
// One proposal, its ballots and what it changes. Errors: kNotFound.
absl::Status RunProposalShow(const Session& session, uint64_t proposal);

// What `next` changes, a line each for people: "+" comes, "-" goes, "~" gets other keys. Texts are
// those of checked sets and need no escaping. Empty: only the order differs, or nothing.
std::vector<std::string> SetDifference(const std::vector<ledger::GenesisValidator>& present,
                                       const std::vector<ledger::GenesisValidator>& next);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_VALIDATOR_COMMANDS_H_
