#include "node/api/api_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "node/api/feed.h"
#include "node/api/ingest_service.h"
#include "node/api/query_service.h"

namespace vigil::node {
namespace {

constexpr auto kStopWait = std::chrono::seconds(2);

}  // namespace

ApiServer::ApiServer() = default;
ApiServer::~ApiServer() { Stop(); }

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(
    const std::string& address, const std::shared_ptr<grpc::ServerCredentials>& credentials,
    NodeServices* services) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::unique_ptr<ApiServer> server(new ApiServer);
  server->feeds_ = std::make_unique<FeedHub>(services);
  server->ingest_ = std::make_unique<IngestService>(services);
  server->query_ = std::make_unique<QueryService>(services, server->feeds_.get());
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kGrpcMessageBytesMax);
  builder.SetMaxSendMessageSize(kGrpcMessageBytesMax);
  // Without this a second process silently shares the port.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(address, credentials, &server->port_);
  builder.RegisterService(server->ingest_.get());
  builder.RegisterService(server->query_.get());
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || server->port_ == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen for clients on ", address,
                     ": the port is taken or the address is not this machine's; change "
                     "listen.api or end the other process"));
  }
  return server;
}

void ApiServer::SetServing(bool serving) {
  if (server_ != nullptr) server_->GetHealthCheckService()->SetServingStatus(serving);
}

void ApiServer::Stop() {
  if (server_ == nullptr) return;
  SetServing(false);
  feeds_->Stop();
  server_->Shutdown(std::chrono::system_clock::now() + kStopWait);
  server_->Wait();
  server_.reset();
}

}  // namespace vigil::node
