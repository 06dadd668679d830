// `vigil status` against validators of the test's own: what a table shows, and what it says is
// wrong.
#include <grpcpp/grpcpp.h>

#include <list>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "client/cli/chain_commands.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "tests/client/lib/loopback.h"
#include "tests/support/catch.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::client {
namespace {

class StatusValidator final : public v1::Query::Service {
 public:
  explicit StatusValidator(v1::Status status) : status_(std::move(status)) {}
  std::string endpoint() const { return server_.endpoint(); }
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::Status* status) override {
    *status = status_;
    return grpc::Status::OK;
  }

 private:
  const v1::Status status_;
  LoopbackServer server_{{this}};
};

// acme/v0 leads acme/v1 and acme/v2; all have executed block 500.
std::vector<v1::Status> Network() {
  std::vector<v1::Status> statuses(3);
  for (size_t i = 0; i < statuses.size(); ++i) {
    v1::Status& status = statuses[i];
    status.set_validator(absl::StrCat("acme/v", i));
    status.set_role(i == 0 ? "leader" : "follower");
    status.set_leader("acme/v0");
    status.set_committed_height(500);
    status.set_executed_height(500);
    status.set_state_digest(std::string(32, 'd'));
    for (size_t peer = 0; peer < statuses.size(); ++peer) {
      v1::PeerStatus* const one = status.add_peers();
      one->set_validator(absl::StrCat("acme/v", peer));
      one->set_connected(true);
      one->set_match_height(i == 0 ? 500 : 0);
    }
  }
  return statuses;
}

struct Shown {
  absl::Status status;
  std::string out;
};

// `silent`: one more endpoint, at which nobody answers.
Shown Show(const std::vector<v1::Status>& statuses, OutputFormat format = OutputFormat::kTable,
           bool silent = false) {
  std::list<StatusValidator> validators;
  std::vector<std::string> endpoints;
  for (const v1::Status& status : statuses) {
    endpoints.push_back(validators.emplace_back(status).endpoint());
  }
  if (silent) endpoints.push_back("127.0.0.1:1");
  std::ostringstream out;
  std::ostringstream err;
  Session session;
  session.client = PlainOptions(endpoints, /*timeout_millis=*/2000);
  session.format = format;
  session.out = &out;
  session.err = &err;
  const absl::Status status = RunStatus(session);
  return {status, out.str()};
}

std::string Unhealthy(const std::vector<v1::Status>& statuses) {
  const absl::Status status = Show(statuses).status;
  CHECK(absl::IsFailedPrecondition(status));
  return std::string(status.message());
}

// As the leader says of acme/v2.
void Lack(std::vector<v1::Status>* statuses, const std::string& why) {
  v1::PeerStatus* const peer = statuses->at(0).mutable_peers(2);
  peer->set_match_height(7);
  peer->set_needs_height(8);
  peer->set_needs_why(why);
}

TEST_CASE("status: a network where all is well is a row for each validator and no complaint") {
  const Shown shown = Show(Network());
  CHECK(shown.status.ok());
  const std::vector<std::string> lines = absl::StrSplit(shown.out, '\n', absl::SkipEmpty());
  REQUIRE(lines.size() == 4);
  CHECK_THAT(lines[0], Catch::Contains("VALIDATOR") && Catch::Contains("STATE DIGEST"));
  for (size_t i = 0; i < 3; ++i) {
    CHECK_THAT(lines[i + 1], Catch::StartsWith(absl::StrCat("acme/v", i, " ")) &&
                                 Catch::Contains(i == 0 ? "leader" : "follower"));
  }
}

TEST_CASE("status: who needs what the leader has not kept is named with block and way out") {
  std::vector<v1::Status> statuses = Network();
  Lack(&statuses, "whose payloads were pruned here");
  CHECK(Unhealthy(statuses) ==
        "acme/v2 needs block 8, whose payloads were pruned here (acme/v0): let it join anew with: "
        "vigild rejoin --even-if-sound");
  SECTION("in JSON it stands with that peer alone") {
    const Shown shown = Show(statuses, OutputFormat::kJson);
    const Json json = Json::parse(shown.out);
    REQUIRE(json.size() == 3);
    for (size_t i = 0; i < 3; ++i) {
      for (size_t peer = 0; peer < 3; ++peer) {
        INFO(i << " of " << peer);
        const Json& one = json[i]["peers"][peer];
        CHECK(one.contains("needs_height") == (i == 0 && peer == 2));
        CHECK(one.contains("needs_why") == (i == 0 && peer == 2));
      }
    }
    CHECK(json[0]["peers"][2]["needs_height"] == "8");
    CHECK(json[0]["peers"][2]["needs_why"] == "whose payloads were pruned here");
  }
  SECTION("the table shows the row of each validator as ever") {
    CHECK(Show(statuses).out == Show(Network()).out);
  }
  SECTION("once it has caught up nothing is said any more") {
    statuses[0].mutable_peers(2)->clear_needs_height();
    statuses[0].mutable_peers(2)->set_match_height(500);
    CHECK(Show(statuses).status.ok());
  }
}

TEST_CASE("status: what stops a network comes before who lags behind") {
  std::vector<v1::Status> statuses = Network();
  Lack(&statuses, "which its archive holds");
  SECTION("a refusing validator") {
    statuses[2].set_role("refusing");
    statuses[2].set_refusing_reason("its journal is damaged");
    CHECK(Unhealthy(statuses) == "acme/v2 refuses to vote: its journal is damaged");
  }
  SECTION("one that does not answer") {
    const absl::Status status =
        Show({statuses[0], statuses[1]}, OutputFormat::kTable, /*silent=*/true).status;
    CHECK(status.message() == "2 of 3 validators answer, a quorum is 2");
  }
  SECTION("two states at one height") {
    statuses[1].set_state_digest(std::string(32, 'e'));
    CHECK(Unhealthy(statuses) == "acme/v0 and acme/v1 show different state digests at height 500");
  }
}

TEST_CASE("status: who lags without lacking anything is told from who lacks") {
  std::vector<v1::Status> statuses = Network();
  statuses[0].mutable_peers(1)->set_match_height(100);
  statuses[0].mutable_peers(1)->set_connected(false);
  CHECK(Unhealthy(statuses) ==
        "acme/v1 lags: the leader knows it to have 100 of 500 blocks, and is not connected to it; "
        "its own log and the leader's say why");
  // The one who cannot catch up by itself is what an operator has to know first.
  Lack(&statuses, "whose payloads were pruned here");
  CHECK_THAT(Unhealthy(statuses), Catch::StartsWith("acme/v2 needs block 8"));
  statuses[0].mutable_peers(2)->clear_needs_height();
  statuses[0].mutable_peers(2)->set_match_height(500);
  statuses[0].mutable_peers(1)->set_match_height(500 - 64);
  CHECK(Show(statuses).status.ok());
}

}  // namespace
}  // namespace vigil::client
