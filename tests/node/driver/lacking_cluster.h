// Three validators of which one was away until the others had pruned what it needs.
#ifndef VIGIL_TESTS_NODE_DRIVER_LACKING_CLUSTER_H_
#define VIGIL_TESTS_NODE_DRIVER_LACKING_CLUSTER_H_

#include "tests/node/driver/cluster_support.h"

namespace vigil::node {

struct LackingCluster {
  static constexpr uint32_t kAway = 2;

  LackingCluster()
      : cluster({.validators = 3,
                 .heartbeat_millis = 100,
                 .max_block_bytes = 64 * 1024,
                 .snapshot_interval_blocks = 65},
                /*seed=*/311),
        stream(StreamOf(cluster)) {
    for (uint32_t i = 0; i < 3; ++i) {
      cluster.config(i).journal.segment_bytes = 16 * 1024;
      cluster.config(i).payload_age_millis = 500;
      cluster.config(i).detector_enabled = false;  // It would read the payloads again.
    }
    cluster.StartAll();
    WaitForLeader(&cluster);
    REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(10)).error.ok());
    cluster.RunFor(kSecond);
    cluster.Crash(kAway, ledger::CrashMode::kProcessOnly);
    WaitForLeader(&cluster);
    for (int i = 0; i < 100; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(10)).error.ok());
    }
    cluster.RunFor(140 * kSecond);  // Two rounds of pruning.
    for (const uint32_t i : {0u, 1u}) REQUIRE(cluster.node(i)->Status().pruned_bytes > 0);
  }
  Node& leader() {
    REQUIRE(cluster.RunUntil([&] { return cluster.leader() != nullptr; }, 20 * kSecond));
    return *cluster.leader();
  }
  // The one that was away comes back, and its leader finds what it lacks.
  void ComeBack() {
    REQUIRE(cluster.Start(kAway).ok());
    REQUIRE(cluster.RunUntil([&] { return !leader().Status().lacking.empty(); }, 60 * kSecond));
  }

  sim::SimCluster cluster;
  sim::SensorStream stream;
};

}  // namespace vigil::node

#endif  // VIGIL_TESTS_NODE_DRIVER_LACKING_CLUSTER_H_
