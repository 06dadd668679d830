// Whom a leader cannot bring on, in the status that clients get.
#include "node/api/query_service.h"
#include "tests/node/driver/lacking_cluster.h"
#include "tests/support/catch.h"

namespace vigil::node {

TEST_CASE("status: who needs what was pruned is said of that one alone", "[api]") {
  LackingCluster t;
  t.ComeBack();
  v1::Status status;
  REQUIRE(FillStatus(t.leader(), &status).ok());
  REQUIRE(status.peers_size() == 3);
  for (uint32_t i = 0; i < 3; ++i) {
    const v1::PeerStatus& peer = status.peers(static_cast<int>(i));
    const bool lacks = i == LackingCluster::kAway;
    CHECK((peer.needs_height() > 0) == lacks);
    CHECK(peer.needs_why() == (lacks ? "whose payloads were pruned here" : ""));
  }
}

}  // namespace vigil::node
