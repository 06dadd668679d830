// The commands about what organisations decide together: validators, and rules of the detectors.
#ifndef VIGIL_CLIENT_CLI_GOVERNANCE_CLI_H_
#define VIGIL_CLIENT_CLI_GOVERNANCE_CLI_H_

#include <CLI/CLI.hpp>

#include "client/cli/rules_cli.h"
#include "client/cli/validator_cli.h"

namespace vigil::client {

class GovernanceCli {
 public:
  // Adds the commands below `app` and `admin`; `choose` is called with the one that was given. This
  // object must outlive both.
  void Add(CLI::App* app, CLI::App* admin, const ValidatorCli::Choose& choose) {
    validators_.Add(app, admin, choose);
    rules_.Add(admin, choose);
  }

 private:
  ValidatorCli validators_;
  RulesCli rules_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_GOVERNANCE_CLI_H_
