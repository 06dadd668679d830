#include "node/api/admin_service.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "node/api/error.h"

namespace vigil::node {
namespace {

std::vector<std::string> IdsOfCaller(const grpc::AuthContext& context) {
  std::vector<std::string> ids;
  for (const grpc::string_ref& property : context.FindPropertyValues("peer_spiffe_id")) {
    ids.emplace_back(property.data(), property.size());
  }
  return ids;
}

ServiceError DeniedError(const absl::Status& denied) {
  return MakeError(
      absl::StatusCode::kPermissionDenied, "admin.denied", std::string(denied.message()),
      "use a certificate of this validator's organisation for spiffe://<org>/admin/<name>, or have "
      "the caller's id entered in admin.clients");
}

ServiceError UnknownError(const std::string& identity) {
  return MakeError(absl::StatusCode::kInvalidArgument, "transfer.unknown",
                   absl::StrCat("'", identity, "' is no validator of this network"),
                   "name one as vigil status does: org/name");
}

}  // namespace

absl::Status AdminAccess::Check(const std::vector<std::string>& ids) const {
  if (without_tls) return absl::OkStatus();
  for (const std::string& id : ids) {
    if (std::find(clients.begin(), clients.end(), id) != clients.end()) return absl::OkStatus();
    absl::string_view name(id);
    const bool is_admin =
        !org.empty() && absl::ConsumePrefix(&name, absl::StrCat("spiffe://", org, "/admin/"));
    if (is_admin && !name.empty() && name.find('/') == absl::string_view::npos) {
      return absl::OkStatus();
    }
  }
  return absl::PermissionDeniedError(
      absl::StrCat("'", absl::StrJoin(ids, ", "), "' may not administer this validator"));
}

grpc::ServerUnaryReactor* AdminService::TransferLeadership(
    grpc::CallbackServerContext* context, const v1::TransferLeadershipRequest* request,
    v1::TransferLeadershipResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::Status allowed = access_.Check(IdsOfCaller(*context->auth_context()));
  if (!allowed.ok()) {
    reactor->Finish(ToGrpcStatus(DeniedError(allowed)));
    return reactor;
  }
  std::optional<ValidatorIndex> to;
  if (!request->to().empty()) {
    to = services_->genesis().FindValidator(request->to());
    if (!to.has_value()) {
      reactor->Finish(ToGrpcStatus(UnknownError(request->to())));
      return reactor;
    }
  }
  services_->TransferLeadership(to, [this, reactor, response](const TransferOutcome& outcome) {
    if (outcome.error.ok()) {
      response->set_leader(services_->genesis().validators[outcome.leader.value()].identity());
    }
    reactor->Finish(ToGrpcStatus(outcome.error));
  });
  return reactor;
}

}  // namespace vigil::node
