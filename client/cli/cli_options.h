// How options of the command line are checked, for whoever adds some to a CLI11 command.
#ifndef VIGIL_CLIENT_CLI_CLI_OPTIONS_H_
#define VIGIL_CLIENT_CLI_CLI_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "client/cli/arguments.h"

namespace vigil::client {

// A number of decimal digits alone: CLI11 by itself takes -1 and lets 2^64 wrap round.
inline CLI::Validator NumberFrom(uint64_t least, uint64_t most) {
  return CLI::Validator(
      [least, most](const std::string& text) { return WhyNotNumber(text, least, most); }, "");
}
template <typename Integer>
CLI::Option* AddNumber(CLI::App* command, const std::string& name, Integer& variable,
                       const std::string& help, uint64_t least = 0,
                       uint64_t most = std::numeric_limits<Integer>::max()) {
  return command->add_option(name, variable, help)->check(NumberFrom(least, most));
}
// Text that goes into requests.
inline CLI::Validator RequestText() {
  return CLI::Validator([](const std::string& text) { return WhyNotText(text); }, "");
}
template <typename Text>
CLI::Option* AddText(CLI::App* command, const std::string& name, Text& variable,
                     const std::string& help) {
  return command->add_option(name, variable, help)->check(RequestText());
}

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_CLI_OPTIONS_H_
