// `vigil log checkpoint | policy`: the transparency log for whoever verifies it offline.
#ifndef VIGIL_CLIENT_CLI_LOG_COMMANDS_H_
#define VIGIL_CLIENT_CLI_LOG_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

// Prints the newest final checkpoint of a validator, as the signed note that stock tools read.
// With a genesis file at hand, its signatures and quorum are checked first; lines of witnesses
// outside the network are named, and not checked.
// Errors: kNotFound while nothing is final; kDataLoss when it does not verify.
absl::Status RunLogCheckpoint(const Session& session);

// Prints the policy that the genesis file implies (C2SP tlog-policy): which log keys to accept, and
// how many of the validators must have cosigned; with `witnesses`, vkeys, also any one of them.
// Needs no network.
// Errors: kInvalidArgument without a genesis file, or when it or a vkey is malformed.
absl::Status RunLogPolicy(const Session& session, const std::vector<std::string>& witnesses);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_LOG_COMMANDS_H_
