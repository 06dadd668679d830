// A network's policy that also asks for witnesses outside of it.
//
// Pure.
#ifndef VIGIL_CLIENT_CLI_OUTSIDE_POLICY_H_
#define VIGIL_CLIENT_CLI_OUTSIDE_POLICY_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/log/policy.h"

namespace vigil::client {

// `policy` whose quorum is its own together with any one of the witnesses `vkeys`: group "outside"
// of them, and group "both". A witness is named after its key.
// Errors: kInvalidArgument naming the vkey that is none, of a log, not to be enrolled, or whose
// name or key the policy has already.
absl::StatusOr<ledger::Policy> WithOutsideWitnesses(ledger::Policy policy,
                                                    std::span<const std::string> vkeys);

// The key name of a witness that is given by that name or by its vkey.
std::string WitnessName(const std::string& witness);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_OUTSIDE_POLICY_H_
