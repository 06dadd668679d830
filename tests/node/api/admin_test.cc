// The Admin service over gRPC: who may call it, and what it answers.
#include <string>

#include "node/api/admin_service.h"
#include "tests/node/api/api_fixture.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

std::string CodeOf(const absl::Status& status) {
  const auto detail = client::DetailOf(status);
  return detail.has_value() ? detail->code() : std::string(status.message());
}

TEST_CASE("admin: admins of the organisation and listed clients may and nobody else", "[admin]") {
  AdminAccess access;
  access.org = "acme";
  access.clients = {"spiffe://acme/client/ops", "spiffe://other/admin/eve"};
  for (const char* id :
       {"spiffe://acme/admin/ada", "spiffe://acme/client/ops", "spiffe://other/admin/eve"}) {
    INFO(id);
    CHECK(access.Check({id}).ok());
    CHECK(access.Check({"spiffe://acme/client/x", id}).ok());
  }
  for (const char* id :
       {"", "acme", "spiffe://acme/client/x", "spiffe://acme/validator/v0", "spiffe://acme/admin/",
        "spiffe://acme/admin/a/b", "spiffe://acme.evil/admin/ada", "spiffe://other/admin/ada",
        "spiffe://acme/administrator/ada", "Spiffe://acme/admin/ada", "spiffe://acme/client/ops2",
        "https://acme/admin/ada"}) {
    INFO(id);
    CHECK(absl::IsPermissionDenied(access.Check({id})));
  }
  CHECK(absl::IsPermissionDenied(access.Check({})));
  CHECK(absl::IsPermissionDenied(AdminAccess().Check({"spiffe:///admin/ada"})));
  access.without_tls = true;
  CHECK(access.Check({}).ok());
}

TEST_CASE("admin: a server that was not told who may call lets nobody", "[admin]") {
  Fixture fixture;
  const absl::Status status = fixture.client()->TransferLeadership("").status();
  CHECK(absl::IsPermissionDenied(status));
  CHECK(CodeOf(status) == "admin.denied");
}

TEST_CASE("admin: transfer names what is wrong", "[admin]") {
  Fixture fixture;
  AdminAccess access;
  access.without_tls = true;
  const auto server = *ApiServer::Start("127.0.0.1:0", grpc::InsecureServerCredentials(),
                                        fixture.node(), {.name = "api"}, access);
  client::ClientOptions options;
  options.endpoints = {absl::StrCat("127.0.0.1:", server->port())};
  options.insecure = true;
  const auto client = *client::Client::Make(options);
  // Once it leads.
  sim::SensorStream stream = fixture.Stream();
  REQUIRE(fixture.Submit(stream.NextBatch(1)).ok());
  CHECK(CodeOf(client->TransferLeadership("").status()) == "transfer.no_successor");
  CHECK(CodeOf(client->TransferLeadership("acme/nobody").status()) == "transfer.unknown");
  const std::string self = fixture.genesis().validators[0].identity();
  const auto already = client->TransferLeadership(self);
  REQUIRE(already.ok());
  CHECK(already->leader() == self);
}

}  // namespace
}  // namespace vigil::node
