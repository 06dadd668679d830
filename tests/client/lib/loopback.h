// A test's own gRPC server on a port of its own, and clients without TLS.
#ifndef VIGIL_TESTS_CLIENT_LIB_LOOPBACK_H_
#define VIGIL_TESTS_CLIENT_LIB_LOOPBACK_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/lib/client.h"
#include "tests/support/catch.h"

namespace vigil::client {

// Serves until it goes, so it is the last member of whoever answers: calls end before the rest
// goes.
class LoopbackServer {
 public:
  explicit LoopbackServer(const std::vector<grpc::Service*>& services) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(16 * 1024 * 1024);
    for (grpc::Service* const service : services) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~LoopbackServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

inline ClientOptions PlainOptions(std::vector<std::string> endpoints,
                                  uint32_t timeout_millis = 5000) {
  return {.endpoints = std::move(endpoints),
          .ca = "",
          .certificate = "",
          .key = "",
          .insecure = true,
          .timeout_millis = timeout_millis};
}

inline std::unique_ptr<Client> ConnectTo(std::vector<std::string> endpoints,
                                         uint32_t timeout_millis = 5000) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Make(PlainOptions(std::move(endpoints), timeout_millis));
  REQUIRE(client.ok());
  return *std::move(client);
}

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_LIB_LOOPBACK_H_
