// What the tests of whole nodes share: one submission and its outcome, a leader and the others.
#ifndef VIGIL_TESTS_NODE_DRIVER_CLUSTER_SUPPORT_H_
#define VIGIL_TESTS_NODE_DRIVER_CLUSTER_SUPPORT_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/sim/sim_cluster.h"
#include "tests/support/catch.h"

namespace vigil::node {

inline constexpr int64_t kSecond = 1'000'000;

// Where the answer to a submission arrives; shared with the callback.
using OutcomeBox = std::shared_ptr<std::optional<SubmitOutcome>>;

inline OutcomeBox SubmitTo(Node* node, ledger::Record record) {
  auto box = std::make_shared<std::optional<SubmitOutcome>>();
  node->Submit(std::move(record), [box](const SubmitOutcome& outcome) {
    CHECK_FALSE(box->has_value());  // Exactly once.
    *box = outcome;
  });
  return box;
}

// Submits and runs until there is an answer.
inline SubmitOutcome SubmitAndWait(sim::SimCluster* cluster, uint32_t node, ledger::Record record,
                                   int64_t micros_max = 20 * kSecond) {
  const OutcomeBox box = SubmitTo(cluster->node(node), std::move(record));
  REQUIRE(cluster->RunUntil([&] { return box->has_value(); }, micros_max));
  return **box;
}

// Runs until some node leads, and returns its number.
inline uint32_t WaitForLeader(sim::SimCluster* cluster) {
  REQUIRE(cluster->RunUntil([&] { return cluster->leader() != nullptr; }, 20 * kSecond));
  for (uint32_t i = 0; i < cluster->size(); ++i) {
    if (cluster->node(i) == cluster->leader()) return i;
  }
  return 0;
}

inline sim::SensorStream StreamOf(const sim::SimCluster& cluster, uint32_t sensor = 0,
                                  std::string name = "conn") {
  return sim::SensorStream(&cluster.test_network().genesis(),
                           &cluster.test_network().sensor_key(sensor), std::move(name),
                           /*seed=*/7 + sensor);
}

}  // namespace vigil::node

#endif  // VIGIL_TESTS_NODE_DRIVER_CLUSTER_SUPPORT_H_
