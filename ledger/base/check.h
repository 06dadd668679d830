// VIGIL_CHECK: stops the process when an invariant of our own is broken, in release builds too.
//
// Never for input: what a peer, client, file or config got wrong is an absl::Status.
#ifndef VIGIL_LEDGER_BASE_CHECK_H_
#define VIGIL_LEDGER_BASE_CHECK_H_

#include <string>

#include "absl/strings/str_cat.h"

namespace vigil {

// Writes `file:line: check failed: condition: message` to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const std::string& message);

}  // namespace vigil

// VIGIL_CHECK(size <= max, "batch of ", size, " bytes, at most ", max);
#define VIGIL_CHECK(condition, ...)                                        \
  do {                                                                     \
    if (!(condition)) [[unlikely]] {                                       \
      ::vigil::CheckFailed(__FILE__, __LINE__, #condition,                 \
                           ::absl::StrCat("" __VA_OPT__(, ) __VA_ARGS__)); \
    }                                                                      \
  } while (false)

#endif  // VIGIL_LEDGER_BASE_CHECK_H_
