// `vigil log checkpoint | policy`: the transparency log for whoever verifies it offline.
#ifndef VIGIL_CLIENT_CLI_LOG_COMMANDS_H_
#define VIGIL_CLIENT_CLI_LOG_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

// Prints the newest final checkpoint of a validator, as the signed note that stock tools read.
// With a genesis file at hand, its signatures and quorum are checked first; lines of witnesses
// outside the network are named, and not checked.
// With `witnesses`, names or vkeys of witnesses outside the network, it is the newest one that all
// of them cosigned; the validator is asked to wait up to `wait_seconds` for it. Lines of vkeys are
// checked, too.
// Errors: kNotFound while nothing is final; kDataLoss when it does not verify or a line is missing;
// of GetProof.
absl::Status RunLogCheckpoint(const Session& session, const std::vector<std::string>& witnesses,
                              uint32_t wait_seconds);

// Prints the policy that the genesis file implies (C2SP tlog-policy): which log keys to accept, and
// how many of the validators must have cosigned; with `witnesses`, vkeys, also any one of them.
// Needs no network.
// Errors: kInvalidArgument without a genesis file, or when it or a vkey is malformed.
absl::Status RunLogPolicy(const Session& session, const std::vector<std::string>& witnesses);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_LOG_COMMANDS_H_
