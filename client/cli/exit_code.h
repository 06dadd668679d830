// The exit codes of `vigil` and `vigild` (docs/operating.md).
#ifndef VIGIL_CLIENT_CLI_EXIT_CODE_H_
#define VIGIL_CLIENT_CLI_EXIT_CODE_H_

#include "absl/status/status.h"

namespace vigil::client {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kCannotConnect = 3,
  kDenied = 4,
  kNotFound = 5,
  kVerificationFailed = 6,
  kTimeout = 7,
  kUnhealthy = 8,
  kPartial = 9,
  kInterrupted = 130,
};

// The code for an error that a command ends with.
ExitCode ExitCodeFor(const absl::Status& status);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_EXIT_CODE_H_
