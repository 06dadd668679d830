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

struct LogPolicyOptions {
  std::vector<std::string> witnesses;  // vkeys of witnesses outside the network.
  std::string epochs;                  // Epoch chain file; empty: genesis alone.
  bool fetch = false;                  // Ask validators for the epochs instead.
};
// Prints the policy that the genesis file implies (C2SP tlog-policy), or that of the newest epoch
// which is verified from it: which log keys to accept, and how many of the validators must have
// cosigned; with witnesses, also any one of them. Needs no network unless it fetches.
// Errors: kInvalidArgument without a genesis file, or when it or a vkey is malformed; kDataLoss:
// the epoch chain does not follow from genesis.
absl::Status RunLogPolicy(const Session& session, const LogPolicyOptions& options);

// Fetches the epoch chain, verifies it from the genesis file and writes it to `path`.
// Errors: kInvalidArgument without a genesis file; kDataLoss: it does not follow from genesis; of
// network and disk.
absl::Status RunLogEpochs(const Session& session, const std::string& path);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_LOG_COMMANDS_H_
