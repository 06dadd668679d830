// HttpServer: /metrics (Prometheus text), /livez, /readyz and /log/..., on loopback by default.
#ifndef VIGIL_NODE_HTTP_HTTP_SERVER_H_
#define VIGIL_NODE_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/http/log_files.h"

namespace vigil::node {

struct HttpHandlers {
  std::function<std::string()> metrics;
  // Empty when the node can serve; else why it cannot. Answered as 200 or 503.
  std::function<std::string()> not_ready;
  // What lies below /log/ by the path behind it. Empty: nothing does.
  std::function<HttpAnswer(absl::string_view path)> log_file = {};
};

// Threads: one that accepts and a small pool that answers ("http"), joined by the destructor.
class HttpServer {
 public:
  // `address` is "host:port"; port 0 picks one.
  // Errors: kAlreadyExists when the port is taken; kInvalidArgument when the address is malformed.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpHandlers handlers);
  ~HttpServer();
  int port() const;

 private:
  struct Impl;
  HttpServer();
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_HTTP_HTTP_SERVER_H_
