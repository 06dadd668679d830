// `vigil verify FILE --policy POLICY`: what a proof file proves, offline (docs/formats/proof.md).
#ifndef VIGIL_CLIENT_CLI_VERIFY_FILE_H_
#define VIGIL_CLIENT_CLI_VERIFY_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct VerifyFileOptions {
  std::string file;    // Proof of an event, a record or a block, of consistency, or of a fork.
  std::string other;   // A second proof of the same index, to convict whoever signed both.
  std::string policy;  // C2SP tlog-policy.
  std::string epochs;  // Epoch chain from it on; empty: the policy alone.
};

// Prints the facts in the order in which they are proven, then the verdict with its reason. Of fork
// evidence: VERIFIED, somebody lied; QUORUM_SHORT, two histories, and nobody of the policy signed
// both or against its quorum; MALFORMED, it shows no two histories.
// Errors: kDataLoss on any verdict but VERIFIED, that of an epoch chain which does not hold
// included; kInvalidArgument when the policy cannot be read or is none, or a file cannot be read.
absl::Status RunVerifyFile(const Session& session, const VerifyFileOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_VERIFY_FILE_H_
