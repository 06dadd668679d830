// `vigil admin`: what an operator asks of validators.
#ifndef VIGIL_CLIENT_CLI_ADMIN_COMMANDS_H_
#define VIGIL_CLIENT_CLI_ADMIN_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

// Asks the leader to hand over to `to` ("org/name"; empty: whoever is furthest), and prints who
// leads.
absl::Status RunAdminTransfer(const Session& session, const std::string& to);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_ADMIN_COMMANDS_H_
