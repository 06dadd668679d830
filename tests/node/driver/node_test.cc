// One whole node, from a submission to its receipt.
#include "node/driver/node.h"

#include <optional>

#include "tests/sim/sim_cluster.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using sim::SensorStream;
using sim::SimCluster;

constexpr int64_t kSecond = 1'000'000;

TEST_CASE("node: a lone validator commits what a sensor submits and answers with its place",
          "[node]") {
  SimCluster cluster({.validators = 1}, /*seed=*/1);
  cluster.StartAll();
  SensorStream stream(&cluster.test_network().genesis(), &cluster.test_network().sensor_key(0),
                      "conn", /*seed=*/7);
  std::optional<SubmitOutcome> outcome;
  cluster.node(0)->Submit(stream.NextBatch(10), [&](const SubmitOutcome& got) { outcome = got; });
  REQUIRE(cluster.RunUntil([&] { return outcome.has_value(); }, 10 * kSecond));
  INFO(outcome->error.code << ": " << outcome->error.what);
  REQUIRE(outcome->error.ok());
  CHECK(outcome->receipt.result == ledger::ResultCode::kOk);
  CHECK(outcome->receipt.leaf_hash == stream.head());
  CHECK(cluster.node(0)->Status().executed >= outcome->receipt.height);
}

}  // namespace
}  // namespace vigil::node
