// Options that commands about proposals have in common, whatever these are about.
#ifndef VIGIL_CLIENT_CLI_PROPOSAL_OPTIONS_H_
#define VIGIL_CLIENT_CLI_PROPOSAL_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>

#include "client/cli/cli_options.h"
#include "client/cli/proposal_signer.h"
#include "client/cli/proposals.h"

namespace vigil::client {

// `options` must outlive `command`, here and below.
inline void AddListOptions(CLI::App* command, ProposalListOptions* options) {
  command->add_flag("--open", options->open_only, "those alone that are open");
  command->add_option("--limit", options->limit, "proposals on a page")
      ->check(NumberFrom(0, std::numeric_limits<uint32_t>::max()));
  command->add_option("--cursor", options->cursor, "of the page before")
      ->check(NumberFrom(0, std::numeric_limits<uint64_t>::max()));
}

template <typename Options>
void AddSigningFlags(CLI::App* command, Options* options) {
  command->add_flag("--yes", options->yes, "sign without asking");
  command->add_flag("--trust", options->trust, "take a validator's word instead of a proof");
}

inline void AddBallotOptions(CLI::App* command, BallotOptions* options) {
  command->add_option("proposal", options->proposal, "its record index")
      ->check(NumberFrom(0, std::numeric_limits<uint64_t>::max()))
      ->required();
  AddSigningFlags(command, options);
}

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_PROPOSAL_OPTIONS_H_
