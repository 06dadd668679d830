// `vigil verify FILE --policy POLICY`: what a proof file proves, offline (docs/formats/proof.md).
#ifndef VIGIL_CLIENT_CLI_VERIFY_FILE_H_
#define VIGIL_CLIENT_CLI_VERIFY_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct VerifyFileOptions {
  std::string file;    // Proof of an event, a record or a block, or of consistency.
  std::string policy;  // C2SP tlog-policy.
};

// Prints the facts in the order in which they are proven, then the verdict with its reason.
// Errors: kDataLoss on any verdict but VERIFIED; kInvalidArgument when the policy cannot be read or
// is none, or the file cannot be read.
absl::Status RunVerifyFile(const Session& session, const VerifyFileOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_VERIFY_FILE_H_
