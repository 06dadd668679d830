// The arguments of `vigil validators` and `vigil admin validator`.
#ifndef VIGIL_CLIENT_CLI_VALIDATOR_CLI_H_
#define VIGIL_CLIENT_CLI_VALIDATOR_CLI_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/proposals.h"
#include "client/cli/session.h"
#include "client/cli/validator_commands.h"
#include "client/cli/validator_proposal.h"

namespace vigil::client {

class ValidatorCli {
 public:
  using Command = std::function<absl::Status(const Session&)>;
  using Choose = std::function<void(Command)>;

  // Adds the commands below `app` and `admin`; `choose` is called with the one that was given. This
  // object must outlive both.
  void Add(CLI::App* app, CLI::App* admin, Choose choose);

 private:
  CLI::App* AddCommand(CLI::App* parent, const std::string& name, const std::string& help,
                       Command command);
  void AddChange(CLI::App* validator, const std::string& name, const std::string& help,
                 SetChange change);
  void AddBallot(CLI::App* validator, const std::string& name, const std::string& help,
                 ledger::BallotChoice choice);

  Choose choose_;
  bool epochs_ = false;
  ProposalListOptions list_;
  ValidatorProposalOptions change_;
  BallotOptions ballot_;
  uint64_t shown_ = 0;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_VALIDATOR_CLI_H_
