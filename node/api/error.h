// ServiceError on the wire: a gRPC status whose details are a serialised vigil.v1.ErrorDetail.
#ifndef VIGIL_NODE_API_ERROR_H_
#define VIGIL_NODE_API_ERROR_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

v1::ErrorDetail ToDetail(const ServiceError& error);
grpc::Status ToGrpcStatus(const ServiceError& error);
// For queries: the code follows from the status code, "query.not_found" and so on.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_ERROR_H_
