// Structured logs on stderr, as text or JSON lines: the one place with spdlog.
#ifndef VIGIL_NODE_APP_LOGGING_H_
#define VIGIL_NODE_APP_LOGGING_H_

#include <string>

#include "node/driver/log.h"

namespace vigil::node {

// A thread-safe function that prints at and above `level` ("trace", "debug", "info", "warn",
// "error"), in `format` ("text" or "json": time, level, component, message).
LogFunction MakeLog(const std::string& level, const std::string& format);

// Lines of gRPC and protobuf go to `log` too, as component "grpc" and "protobuf", at most twenty a
// minute: what they write, strangers can cause.
void TakeLibraryLogs(const LogFunction& log);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_LOGGING_H_
