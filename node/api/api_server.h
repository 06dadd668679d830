// ApiServer: the gRPC surface for clients: Ingest, Query, Admin, health v1 and reflection.
#ifndef VIGIL_NODE_API_API_SERVER_H_
#define VIGIL_NODE_API_API_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "node/api/admin_service.h"
#include "node/driver/services.h"
#include "node/net/grpc_limits.h"

namespace vigil::node {

class FeedHub;
class IngestService;
class LearnersService;
class QueryService;

class ApiServer {
 public:
  // Listens on `address` ("host:port"; port 0 picks one). `services` must outlive it; `admin` says
  // who may call the Admin service.
  // Errors: kAlreadyExists when the port is taken, naming the address and the remedy.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(
      const std::string& address, const std::shared_ptr<grpc::ServerCredentials>& credentials,
      NodeServices* services, const ListenerOptions& listener = {.name = "api"},
      const AdminAccess& admin = {});
  ~ApiServer();
  // Answers NOT_SERVING, ends feeds, answers every submission that waits with node.stopping, waits
  // up to two seconds for calls under way.
  void Stop();
  // What health v1 says of this node and of each service.
  void SetServing(bool serving);
  int port() const { return server_->port(); }

 private:
  ApiServer();
  std::unique_ptr<FeedHub> feeds_;
  std::unique_ptr<IngestService> ingest_;
  std::unique_ptr<QueryService> query_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<LearnersService> learners_;
  NodeServices* services_ = nullptr;
  std::unique_ptr<LimitedGrpcServer> server_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_API_SERVER_H_
