// What arguments must be, before any command sees them. Pure; thread-safe.
#ifndef VIGIL_CLIENT_CLI_ARGUMENTS_H_
#define VIGIL_CLIENT_CLI_ARGUMENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace vigil::client {

// Why `text` is no decimal number from `least` to `most`: no digits alone, out of range. Empty: it
// is one.
std::string WhyNotNumber(absl::string_view text, uint64_t least, uint64_t most);
// Why `text` cannot stand in a request: it is not UTF-8. Empty: it can.
std::string WhyNotText(absl::string_view text);

// The one of `candidates` that `word` was most likely meant to be; empty when none is near.
std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_ARGUMENTS_H_
