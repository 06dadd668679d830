// A validator that was down while the leader's log began anew above it: it joins anew by itself.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using consensus::CoreRole;
using ledger::CrashMode;

constexpr uint64_t kInterval = 65;
constexpr uint32_t kLeader = 0, kBehind = 4;

bool Votes(sim::SimCluster* cluster, uint32_t i) {
  if (cluster->node(i) == nullptr) return false;
  const NodeStatus status = cluster->node(i)->Status();
  return !status.refusing && status.core.role != CoreRole::kNonVoter;
}

TEST_CASE("behind: one that lacks what the leader's log begins above joins anew by itself",
          "[rejoin][behind]") {
  sim::SimCluster cluster(
      {.validators = 5, .heartbeat_millis = 100, .snapshot_interval_blocks = kInterval}, 81);
  std::vector<std::string> log;
  cluster.SetLogTap([&](uint32_t i, LogLevel, absl::string_view line) {
    if (i == kBehind) log.emplace_back(line);
  });
  sim::SensorStream stream = StreamOf(cluster);
  cluster.StartAll();
  WaitForLeader(&cluster);
  const auto submit = [&](uint32_t at) {
    REQUIRE(SubmitAndWait(&cluster, at, stream.NextBatch(5)).error.ok());
  };
  submit(1);
  cluster.RunFor(kSecond);
  cluster.Crash(kBehind, CrashMode::kLoseUnsynced);
  REQUIRE(cluster.RunUntil(
      [&] { return cluster.node(1)->Status().final >= Height(2 * kInterval + 10); },
      120 * kSecond));

  // Another one joins by a snapshot far above it, and leads.
  cluster.Crash(kLeader, CrashMode::kLoseUnsynced);
  REQUIRE(cluster.Rejoin(kLeader, /*even_if_sound=*/true).ok());
  REQUIRE(cluster.Start(kLeader).ok());
  REQUIRE(cluster.RunUntil([&] { return Votes(&cluster, kLeader); }, 120 * kSecond));
  const auto leads = [&] { return cluster.node(kLeader)->Status().core.role == CoreRole::kLeader; };
  for (int i = 0; i < 5 && !leads(); ++i) {
    Node* const now = cluster.leader();
    if (now != nullptr) {
      now->TransferLeadership(ValidatorIndex(kLeader), [](const TransferOutcome&) {});
    }
    cluster.RunFor(2 * kSecond);
  }
  REQUIRE(leads());

  REQUIRE(cluster.Start(kBehind).ok());
  REQUIRE(cluster.RunUntil(
      [&] {
        return !log.empty() && Votes(&cluster, kBehind) &&
               cluster.node(kBehind)->Status().executed > Height(2 * kInterval);
      },
      120 * kSecond));
  const auto logged = [&](absl::string_view text) {
    for (const std::string& line : log) {
      if (absl::StrContains(line, text)) return true;
    }
    return false;
  };
  CHECK(logged("above which the leader's log begins"));
  CHECK(logged("joins by the snapshot of height"));
  submit(1);
  const Height height = cluster.node(1)->Status().executed;
  REQUIRE(cluster.RunUntil([&] { return cluster.node(kBehind)->Status().final >= height; },
                           60 * kSecond));
  CHECK(*cluster.node(kBehind)->Snapshot()->StateDigest(height) ==
        *cluster.node(1)->Snapshot()->StateDigest(height));
}

}  // namespace
}  // namespace vigil::node
