// `vigil evidence verify` and `vigil evidence page`: offline, against a policy.
#ifndef VIGIL_CLIENT_CLI_EVIDENCE_COMMANDS_H_
#define VIGIL_CLIENT_CLI_EVIDENCE_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct EvidenceOptions {
  std::string file;
  std::string policy;   // C2SP tlog-policy.
  std::string epochs;   // Epoch chain from it on; empty: the one in the file, if there is one.
  std::string extract;  // verify: folder for the standard proof files in it; empty: none.
  std::string page;     // page: where it goes; empty: standard output.
};

// Prints the facts in the order in which they are proven, then the verdict with its reason.
// Errors: kDataLoss on any verdict but VERIFIED; kInvalidArgument when the policy is none or a file
// cannot be read.
absl::Status RunEvidenceVerify(const Session& session, const EvidenceOptions& options);

// Writes the page of a file that verifies. Errors: as above.
absl::Status RunEvidencePage(const Session& session, const EvidenceOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_EVIDENCE_COMMANDS_H_
