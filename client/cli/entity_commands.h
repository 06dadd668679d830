// `vigil entity show`: what the detectors remember of an address, name, user or port.
#ifndef VIGIL_CLIENT_CLI_ENTITY_COMMANDS_H_
#define VIGIL_CLIENT_CLI_ENTITY_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

// Windows, first and last time, and the alerts of rules, for each kind of entity that bears `name`.
// Errors: kNotFound: none is remembered; kInvalidArgument; kUnavailable while the validator's
// detector rebuilds its windows; of the connection.
absl::Status RunEntityShow(const Session& session, const std::string& name);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_ENTITY_COMMANDS_H_
