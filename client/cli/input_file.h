// Files that a command is to judge.
#ifndef VIGIL_CLIENT_CLI_INPUT_FILE_H_
#define VIGIL_CLIENT_CLI_INPUT_FILE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/log/policy.h"

namespace vigil::client {

// The bytes of `path`; nullopt when there are more than `most`, of which none is read: a file of
// that size is none of its kind.
// Errors: kInvalidArgument when it cannot be read: a wrong call, and no verdict.
absl::StatusOr<std::optional<std::string>> ReadInput(const std::string& path, size_t most);

struct InputPolicy {
  std::string text;
  ledger::Policy policy;
};
// Errors: kInvalidArgument when it cannot be read or is none.
absl::StatusOr<InputPolicy> ReadPolicy(const std::string& path);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_INPUT_FILE_H_
