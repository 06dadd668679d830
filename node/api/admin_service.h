// The Admin service: what an operator asks of one validator. Runs on gRPC's threads.
#ifndef VIGIL_NODE_API_ADMIN_SERVICE_H_
#define VIGIL_NODE_API_ADMIN_SERVICE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "node/driver/services.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::node {

// Who may call it. Nobody by default.
struct AdminAccess {
  std::string org;                   // Admins of it: spiffe://<org>/admin/<name>; empty: none.
  std::vector<std::string> clients;  // Further SPIFFE ids.
  bool without_tls = false;          // Everybody, where callers have no certificates.

  // `ids`: the SPIFFE ids of the caller's certificate. Errors: kPermissionDenied.
  absl::Status Check(const std::vector<std::string>& ids) const;
};

class AdminService final : public v1::Admin::CallbackService {
 public:
  // `services` must outlive the service.
  AdminService(NodeServices* services, AdminAccess access)
      : services_(services), access_(std::move(access)) {}

  grpc::ServerUnaryReactor* TransferLeadership(grpc::CallbackServerContext* context,
                                               const v1::TransferLeadershipRequest* request,
                                               v1::TransferLeadershipResponse* response) override;

 private:
  NodeServices* const services_;
  const AdminAccess access_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_ADMIN_SERVICE_H_
