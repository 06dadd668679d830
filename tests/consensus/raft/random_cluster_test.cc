#include "tests/consensus/raft/random_cluster.h"

#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::consensus {
namespace {

constexpr uint32_t kSizes[] = {1, 3, 4, 5, 7};

void RunSeeds(uint64_t first_seed, uint64_t seed_count, uint32_t stormy_ticks) {
  uint64_t committed = 0, terms_led = 0, crashes = 0, lost_groups = 0, lost_journals = 0;
  uint64_t reads_answered = 0, reads_lost = 0, transfers = 0;
  uint64_t archived = 0, rejoined = 0;
  for (uint64_t seed = first_seed; seed < first_seed + seed_count; ++seed) {
    for (const uint32_t validators : kSizes) {
      INFO("replay with VIGIL_TEST_SEED=" << seed << ", " << validators << " validators");
      const ClusterReport report = RunRandomCluster(validators, seed, stormy_ticks);
      REQUIRE(report.failure == "");
      committed += report.committed;
      terms_led += report.terms_led;
      crashes += report.crashes;
      lost_groups += report.lost_groups;
      lost_journals += report.lost_journals;
      reads_answered += report.reads_answered;
      reads_lost += report.reads_lost;
      transfers += report.transfers;
      archived += report.archived;
      rejoined += report.rejoined;
    }
  }
  // The storm must have been one.
  INFO(committed << " blocks, " << terms_led << " terms, " << crashes << " crashes, " << lost_groups
                 << " lost groups, " << lost_journals << " lost journals, " << reads_answered
                 << " reads, " << reads_lost << " reads lost, " << transfers << " transfers, "
                 << archived << " archived, " << rejoined << " rejoined");
  CHECK(committed > seed_count * 5 * 10);
  CHECK(terms_led > seed_count * 5 * 2);
  CHECK(crashes > seed_count * 5);
  CHECK(lost_groups > 0);
  CHECK(lost_journals > 0);
  CHECK(reads_answered > seed_count * 5 * 10);
  CHECK(reads_lost > seed_count * 5);
  CHECK(transfers > seed_count * 3);
  CHECK(archived > seed_count * 5);
  CHECK(rejoined > 0);
}

TEST_CASE("raft cluster: nothing promised is broken in a storm and it makes progress after",
          "[consensus]") {
  VIGIL_TEST_SEED(seed, 1);
  RunSeeds(seed, std::getenv("VIGIL_TEST_SEED") != nullptr ? 1 : 40, /*stormy_ticks=*/600);
}

TEST_CASE("raft cluster: many long storms", "[consensus][.slow]") {
  VIGIL_TEST_SEED(seed, 100'000);
  RunSeeds(seed, std::getenv("VIGIL_TEST_SEED") != nullptr ? 1 : 400, /*stormy_ticks=*/4000);
}

TEST_CASE("raft cluster: one seed gives one history", "[consensus]") {
  VIGIL_TEST_SEED(seed, 7);
  const ClusterReport first = RunRandomCluster(5, seed, 500);
  const ClusterReport again = RunRandomCluster(5, seed, 500);
  CHECK(first.digest == again.digest);
  CHECK(first.digest != RunRandomCluster(5, seed + 1, 500).digest);
}

}  // namespace
}  // namespace vigil::consensus
