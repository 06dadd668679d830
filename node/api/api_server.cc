#include "node/api/api_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "node/api/feed.h"
#include "node/api/ingest_service.h"
#include "node/api/learners_service.h"
#include "node/api/query_service.h"

namespace vigil::node {
namespace {

constexpr auto kStopWait = std::chrono::seconds(2);
// A submission needs little more than its payload; everything else is smaller.
constexpr int kRequestBytesMax = 2 * 1024 * 1024;
static_assert(kRequestBytesMax > kPayloadBytesMax + kRecordLeafBytesMax + 1024);
constexpr int kStreamsPerConnectionMax = 128;
constexpr size_t kMemoryBytesMax = 128 * 1024 * 1024;

}  // namespace

ApiServer::ApiServer() = default;
ApiServer::~ApiServer() { Stop(); }

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(
    const std::string& address, const std::shared_ptr<grpc::ServerCredentials>& credentials,
    NodeServices* services, const ListenerOptions& listener, const AdminAccess& admin) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::unique_ptr<ApiServer> server(new ApiServer);
  server->services_ = services;
  server->feeds_ = std::make_unique<FeedHub>(services);
  server->ingest_ = std::make_unique<IngestService>(services);
  server->query_ = std::make_unique<QueryService>(services, server->feeds_.get());
  server->admin_ = std::make_unique<AdminService>(services, admin);
  server->learners_ = std::make_unique<LearnersService>(services);
  grpc::ServerBuilder builder;
  builder.RegisterService(server->ingest_.get());
  builder.RegisterService(server->query_.get());
  builder.RegisterService(server->admin_.get());
  builder.RegisterService(server->learners_.get());
  const GrpcLimits limits = {.listener = listener,
                             .receive_bytes_max = kRequestBytesMax,
                             .send_bytes_max = kGrpcMessageBytesMax,
                             .streams_per_connection = kStreamsPerConnectionMax,
                             .memory_bytes_max = kMemoryBytesMax};
  absl::StatusOr<std::unique_ptr<LimitedGrpcServer>> started =
      LimitedGrpcServer::Start(address, credentials, limits, &builder);
  if (absl::IsAlreadyExists(started.status())) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen for clients on ", address,
                     ": the port is taken or the address is not this machine's; change "
                     "listen.api or end the other process"));
  }
  if (!started.ok()) return Annotate(started.status(), "listen.api");
  server->server_ = *std::move(started);
  return server;
}

void ApiServer::SetServing(bool serving) {
  if (server_ != nullptr) server_->server()->GetHealthCheckService()->SetServingStatus(serving);
}

void ApiServer::Stop() {
  if (server_ == nullptr) return;
  SetServing(false);
  feeds_->Stop();
  // Nobody may be left who waits: gRPC ends only once every call has been answered.
  services_->AnswerWaiting();
  server_->Stop(kStopWait);
  server_.reset();
}

}  // namespace vigil::node
