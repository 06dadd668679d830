// `vigil incident list | get`: confirmed alerts of one entity, together.
#ifndef VIGIL_CLIENT_CLI_INCIDENT_COMMANDS_H_
#define VIGIL_CLIENT_CLI_INCIDENT_COMMANDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct IncidentListOptions {
  std::string state;  // open, closed; empty: all.
  uint32_t limit = 50;
  uint64_t cursor = 0;
  bool ascending = false;
  bool all = false;  // Follow the cursor to the end.
};
absl::Status RunIncidentList(const Session& session, const IncidentListOptions& options);
// With all its alerts. Errors: kNotFound.
absl::Status RunIncidentGet(const Session& session, uint64_t number);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_INCIDENT_COMMANDS_H_
