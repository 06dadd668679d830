// What every gRPC server of a validator allows its callers, and how connections reach it.
#ifndef VIGIL_NODE_NET_GRPC_LIMITS_H_
#define VIGIL_NODE_NET_GRPC_LIMITS_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "node/net/listener.h"

namespace vigil::node {

struct GrpcLimits {
  ListenerOptions listener;
  int receive_bytes_max = 0;  // Of one message.
  int send_bytes_max = 0;
  int streams_per_connection = 0;  // Calls that one connection may have under way.
  size_t memory_bytes_max = 0;     // Of all buffers of the server.
  int threads_max = 16;            // That block in handlers of synchronous services.
};

// Owns a running gRPC server and the listener that feeds it.
class LimitedGrpcServer {
 public:
  // Serves what `builder` has registered, with `credentials`, on `address`.
  // Errors: those of Listener::Open.
  static absl::StatusOr<std::unique_ptr<LimitedGrpcServer>> Start(
      const std::string& address, const std::shared_ptr<grpc::ServerCredentials>& credentials,
      const GrpcLimits& limits, grpc::ServerBuilder* builder);
  ~LimitedGrpcServer();
  // Refuses new connections at once and cancels calls that are under way after `wait`.
  void Stop(std::chrono::milliseconds wait);

  int port() const { return listener_->port(); }
  uint64_t refused_count() const { return listener_->refused_count(); }
  grpc::Server* server() { return server_.get(); }

 private:
  LimitedGrpcServer() = default;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_NET_GRPC_LIMITS_H_
