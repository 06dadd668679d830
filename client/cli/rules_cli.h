// The arguments of `vigil admin rules`.
#ifndef VIGIL_CLIENT_CLI_RULES_CLI_H_
#define VIGIL_CLIENT_CLI_RULES_CLI_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/proposals.h"
#include "client/cli/rules_commands.h"
#include "client/cli/session.h"

namespace vigil::client {

class RulesCli {
 public:
  using Command = std::function<absl::Status(const Session&)>;
  using Choose = std::function<void(Command)>;

  // Adds the commands below `admin`; `choose` is called with the one that was given. This object
  // must outlive it.
  void Add(CLI::App* admin, Choose choose);

 private:
  CLI::App* AddCommand(CLI::App* parent, const std::string& name, const std::string& help,
                       Command command);
  void AddBallot(CLI::App* rules, const std::string& name, const std::string& help,
                 ledger::BallotChoice choice);

  Choose choose_;
  RulesShowOptions show_;
  RulesProposeOptions propose_;
  RulesTryOptions try_{.file = {}, .blocks = 10'000};
  BallotOptions ballot_;
  ProposalListOptions list_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_RULES_CLI_H_
