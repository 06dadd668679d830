// Whom a leader cannot bring on, in what a node says of itself and in its metrics.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/http/metrics.h"
#include "tests/node/driver/lacking_cluster.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

TEST_CASE("lacking: a leader says who needs what was pruned until that one has joined anew") {
  LackingCluster t;
  const std::string sample = "vigil_peer_needs_height{validator=\"";
  CHECK(t.leader().Status().lacking.empty());
  CHECK(!absl::StrContains(MetricsText(t.leader()), sample));

  t.ComeBack();
  const NodeStatus status = t.leader().Status();
  REQUIRE(status.lacking.size() == 1);
  const NodeStatus::Lacking lacking = status.lacking[0];
  CHECK(lacking.validator == ValidatorIndex(LackingCluster::kAway));
  CHECK(lacking.height > Height(0));
  CHECK(lacking.height <= t.cluster.node(0)->Status().executed);
  CHECK(lacking.why == "whose payloads were pruned here");
  const std::string identity = t.leader().genesis().validators[LackingCluster::kAway].identity();
  CHECK(absl::StrContains(MetricsText(t.leader()),
                          absl::StrCat(sample, identity, "\"} ", lacking.height.value())));
  // Whoever does not lead says nothing, and time alone changes nothing. What it cannot use is not
  // sent to it again and again.
  uint64_t bytes = 0;
  t.cluster.network().SetObserver([&](uint32_t, uint32_t to, absl::string_view frame) {
    if (to == LackingCluster::kAway) bytes += frame.size();
  });
  t.cluster.RunFor(10 * kSecond);
  t.cluster.network().SetObserver(nullptr);
  CHECK(bytes < 500'000);
  CHECK(t.leader().Status().lacking.size() == 1);
  for (uint32_t i = 0; i < 2; ++i) {
    Node* const node = t.cluster.node(i);
    if (node != t.cluster.leader()) CHECK(node->Status().lacking.empty());
  }

  SECTION("it has what it needed once it joined anew") {
    t.cluster.Crash(LackingCluster::kAway, ledger::CrashMode::kProcessOnly);
    REQUIRE(t.cluster.Rejoin(LackingCluster::kAway, /*even_if_sound=*/true).ok());
    REQUIRE(t.cluster.Start(LackingCluster::kAway).ok());
    REQUIRE(t.cluster.RunUntil([&] { return t.leader().Status().lacking.empty(); }, 120 * kSecond));
    CHECK(!absl::StrContains(MetricsText(t.leader()), sample));
    const Height height = t.leader().Status().executed;
    CHECK(t.cluster.RunUntil(
        [&] { return t.cluster.node(LackingCluster::kAway)->Status().executed >= height; },
        60 * kSecond));
  }
  SECTION("a leader that no longer leads says it no more and the next one does") {
    Node* const before = &t.leader();
    bool done = false;
    before->TransferLeadership(std::nullopt, [&](const TransferOutcome&) { done = true; });
    REQUIRE(t.cluster.RunUntil([&] { return done && &t.leader() != before; }, 60 * kSecond));
    CHECK(before->Status().lacking.empty());
    CHECK(
        t.cluster.RunUntil([&] { return t.leader().Status().lacking.size() == 1; }, 60 * kSecond));
  }
}

}  // namespace
}  // namespace vigil::node
