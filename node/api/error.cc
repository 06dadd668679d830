#include "node/api/error.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace vigil::node {
namespace {

std::string RemedyFor(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return "correct the request; docs/operating.md lists limits";
    case absl::StatusCode::kNotFound:
      return "check the number, or wait until this node has caught up";
    case absl::StatusCode::kDataLoss:
      return "stop this validator and run `vigil verify ledger` on its data; state, index and "
             "detect in it may be removed and are built anew, journal may not";
    case absl::StatusCode::kUnavailable:
      return "retry, here or on another validator";
    default:
      return "see the log of this node";
  }
}

}  // namespace

v1::ErrorDetail ToDetail(const ServiceError& error) {
  v1::ErrorDetail detail;
  detail.set_code(error.code);
  detail.set_what(error.what);
  detail.set_remedy(error.remedy);
  detail.set_retry_after_millis(error.retry_after_millis);
  if (error.expected_sequence != 0) {
    detail.set_expected_sequence(error.expected_sequence);
    detail.set_expected_previous(std::string(error.expected_previous.view()));
  }
  return detail;
}

grpc::Status ToGrpcStatus(const ServiceError& error) {
  if (error.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(error.status),
                      absl::StrCat(error.what, "; ", error.remedy),
                      ToDetail(error).SerializeAsString());
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return ToGrpcStatus(MakeError(
      status.code(),
      absl::StrCat("query.", absl::AsciiStrToLower(absl::StatusCodeToString(status.code()))),
      std::string(status.message()), RemedyFor(status.code())));
}

}  // namespace vigil::node
