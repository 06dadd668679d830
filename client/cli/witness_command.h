// `vigil witness`: a small witness that a third party runs (C2SP tlog-witness).
#ifndef VIGIL_CLIENT_CLI_WITNESS_COMMAND_H_
#define VIGIL_CLIENT_CLI_WITNESS_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct WitnessOptions {
  std::string directory;  // Key and state.
  std::string name;       // init: on its signature lines.
  std::string listen = "127.0.0.1:7700";
  std::vector<std::string> policies;  // run: files, one per log or more.
};

// Makes the folder and prints the vkey. Errors: kAlreadyExists; kInvalidArgument for the name.
absl::Status RunWitnessInit(const Session& session, const WitnessOptions& options);

// Serves until SIGTERM or SIGINT. One line per decision on stderr.
// Errors: kNotFound when the folder or a policy is not there; kInvalidArgument naming file and line
// of a policy; kAlreadyExists when the port is taken or another witness runs on the folder;
// kDataLoss when what was cosigned is not known any more.
absl::Status RunWitness(const Session& session, const WitnessOptions& options);

// Prints what was cosigned last of each origin; also while the witness runs.
// Errors: kNotFound; kDataLoss.
absl::Status RunWitnessShow(const Session& session, const WitnessOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_WITNESS_COMMAND_H_
