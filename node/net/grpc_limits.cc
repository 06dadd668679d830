#include "node/net/grpc_limits.h"

#include <chrono>

#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

// Also the time until a connection must have shown that it speaks HTTP/2.
constexpr int kHandshakeMillisMax = 5'000;
constexpr int kIdleMillisMax = 5 * 60 * 1000;
// Callers may ask this often whether the connection lives.
constexpr int kPingMillisMin = 5'000;
constexpr int kMetadataBytesMax = 16 * 1024;

void Apply(const GrpcLimits& limits, grpc::ServerBuilder* builder) {
  grpc::ResourceQuota quota(limits.listener.name);
  quota.Resize(limits.memory_bytes_max);
  quota.SetMaxThreads(limits.threads_max);
  builder->SetResourceQuota(quota);
  builder->SetMaxReceiveMessageSize(limits.receive_bytes_max);
  builder->SetMaxSendMessageSize(limits.send_bytes_max);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.streams_per_connection);
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMillisMax);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMillisMax);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kPingMillisMin);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LimitedGrpcServer>> LimitedGrpcServer::Start(
    const std::string& address, const std::shared_ptr<grpc::ServerCredentials>& credentials,
    const GrpcLimits& limits, grpc::ServerBuilder* builder) {
  using Experimental = grpc::ServerBuilder::experimental_type;
  std::unique_ptr<LimitedGrpcServer> server(new LimitedGrpcServer);
  ASSIGN_OR_RETURN(server->listener_, Listener::Open(address, limits.listener));
  Apply(limits, builder);
  server->acceptor_ = builder->experimental().AddExternalConnectionAcceptor(
      Experimental::ExternalConnectionType::FROM_FD, credentials);
  server->server_ = builder->BuildAndStart();
  if (server->server_ == nullptr) {
    return absl::InternalError("gRPC did not start; its own message says why");
  }
  server->listener_->Start([acceptor = server->acceptor_.get()](int descriptor) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = descriptor;
    acceptor->HandleNewConnection(&connection);
  });
  return server;
}

LimitedGrpcServer::~LimitedGrpcServer() { Stop(std::chrono::milliseconds(0)); }

void LimitedGrpcServer::Stop(std::chrono::milliseconds wait) {
  if (server_ == nullptr) return;
  listener_->Stop();
  server_->Shutdown(std::chrono::system_clock::now() + wait);
  server_->Wait();
  server_.reset();
}

}  // namespace vigil::node
