// `vigil admin rules`: the rules of the detectors, what is proposed instead, and what an
// organisation's admin signs to change them.
#ifndef VIGIL_CLIENT_CLI_RULES_COMMANDS_H_
#define VIGIL_CLIENT_CLI_RULES_COMMANDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/proposal_signer.h"
#include "client/cli/session.h"

namespace vigil::client {

struct RulesShowOptions {
  std::string proposal;  // Record index; empty: the rules that are active.
  std::string digest;    // Or of these, 64 hexadecimal digits.
  std::string save;      // Where the rule file is written; empty: it is printed.
};
struct RulesProposeOptions {
  std::string file;
  std::string reason;
  bool yes = false;
  bool trust = false;
};
struct RulesTryOptions {
  std::string file;
  uint64_t blocks = 0;  // The newest ones.
};

// Digest, version, since when, and the file. Of a proposal also ballots and what it changes.
// Errors: kNotFound; kDataLoss: a file of another digest than the validator says.
absl::Status RunRulesShow(const Session& session, const RulesShowOptions& options);
// Every rule file since genesis, newest first.
absl::Status RunRulesHistory(const Session& session);

// Reads the file as every validator will, shows what changes, asks, signs and waits.
// Errors: kInvalidArgument with line, rule and remedy, before anything is sent; kCancelled;
// kAborted: somebody was quicker; of the network.
absl::Status RunRulesPropose(const Session& session, const RulesProposeOptions& options);
// The same for a ballot, after showing what the proposal changes.
absl::Status RunRulesBallot(const Session& session, const BallotOptions& options);

// Holds a rule file, and the active one, against the events of the newest blocks, and says what
// would have matched. Nothing is sent. Errors: kInvalidArgument as above; of the network.
absl::Status RunRulesTry(const Session& session, const RulesTryOptions& options);

// What `after` changes, for people: "+ rule 13 name", "- rule 4 name", "~ rule 9 name" with the
// lines that go and come. Both are rule files that parse, or empty. Empty: comments alone differ.
std::vector<std::string> RulesDifference(absl::string_view before, absl::string_view after);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_RULES_COMMANDS_H_
