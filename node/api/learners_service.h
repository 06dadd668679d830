// vigil.v1.Learners on a node: who learns, and how far it is.
#ifndef VIGIL_NODE_API_LEARNERS_SERVICE_H_
#define VIGIL_NODE_API_LEARNERS_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "node/driver/services.h"
#include "vigil/v1/learners.grpc.pb.h"

namespace vigil::node {

class LearnersService final : public v1::Learners::CallbackService {
 public:
  // `services` must outlive the service.
  explicit LearnersService(const NodeServices* services) : services_(services) {}

  grpc::ServerUnaryReactor* ListNewcomers(grpc::CallbackServerContext* context,
                                          const v1::ListNewcomersRequest* request,
                                          v1::ListNewcomersResponse* response) override;

 private:
  const NodeServices* const services_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_LEARNERS_SERVICE_H_
