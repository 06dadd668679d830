// Rule files, from disk and from validators.
#ifndef VIGIL_CLIENT_CLI_RULES_FILE_H_
#define VIGIL_CLIENT_CLI_RULES_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/lib/client.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

// A rule file, as every validator will read it.
// Errors: kInvalidArgument: it cannot be read; with line, rule and remedy.
absl::StatusOr<std::string> ReadRuleFile(const std::string& path);

// Rules that are or were active, the file held against the digest; empty: those that are active.
// Errors: kDataLoss: another file than the digest says; as the validator answers.
absl::StatusOr<v1::Rules> FetchRules(Client* client, const std::string& digest);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_RULES_FILE_H_
