// Where a node's words go. node/app prints them; tests collect or drop them.
#ifndef VIGIL_NODE_DRIVER_LOG_H_
#define VIGIL_NODE_DRIVER_LOG_H_

#include <functional>

#include "absl/strings/string_view.h"

namespace vigil::node {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Called from any thread; must not block for long.
using LogFunction =
    std::function<void(LogLevel level, absl::string_view component, absl::string_view text)>;

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_LOG_H_
