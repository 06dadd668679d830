// The log over HTTP, from a real node in memory.
#include "node/http/log_files.h"

#include "absl/strings/str_cat.h"
#include "ledger/log/policy.h"
#include "ledger/log/tiles.h"
#include "ledger/state/log_keys.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

TEST_CASE("log files: a node serves a tile log that verifies and nothing else") {
  sim::SimCluster cluster({.validators = 1}, /*seed=*/5);
  cluster.StartAll();
  const Node& node = *cluster.node(0);
  CHECK(LogFileAnswer(node, false, "checkpoint").status == 404);
  WaitForLeader(&cluster);
  sim::SensorStream stream = StreamOf(cluster);
  for (int i = 0; i < 300; ++i) {
    REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(1)).error.ok());
  }
  REQUIRE(
      cluster.RunUntil([&] { return node.FinalHeight() == node.Status().executed; }, 5 * kSecond));

  const HttpAnswer note = LogFileAnswer(node, false, "checkpoint");
  REQUIRE(note.status == 200);
  CHECK(note.content_type == "text/plain; charset=utf-8");
  const auto verdict = ledger::CheckCheckpoint(ledger::LogPolicyOf(node.genesis()), note.body);
  REQUIRE(verdict.ok());
  CHECK(verdict->quorum);

  const HttpAnswer full = LogFileAnswer(node, false, "tile/0/000");
  CHECK(full.status == 200);
  CHECK(full.content_type == "application/octet-stream");
  CHECK(full.body.size() == 256 * Hash::size());
  CHECK(full.cache_control != note.cache_control);

  SECTION("leaves only where they are public") {
    const HttpAnswer refused = LogFileAnswer(node, false, "tile/entries/000");
    CHECK(refused.status == 403);
    CHECK_THAT(refused.body, Catch::Contains("log.public_entries"));
    const HttpAnswer bundle = LogFileAnswer(node, true, "tile/entries/000");
    REQUIRE(bundle.status == 200);
    const auto leaves = ledger::DecodeBundle(AsBytes(bundle.body), 256);
    REQUIRE(leaves.ok());
    const auto hashes = ledger::DecodeTile(AsBytes(full.body), 256);
    CHECK(ledger::LeafHash((*leaves)[17]) == (*hashes)[17]);
  }
  SECTION("no other file, however it is spelt") {
    for (const char* path : {"progress", "evidence", "../state/LOCK", "tile/0/../../progress",
                             "tile/0/00", "tile/0/000.p/256", "tile/9/000", "", "checkpoint/"}) {
      INFO(path);
      CHECK(LogFileAnswer(node, true, path).status == 400);
    }
    CHECK(LogFileAnswer(node, true, "tile/0/999").status == 404);
  }
}

}  // namespace
}  // namespace vigil::node
