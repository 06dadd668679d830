#include "tests/consensus/raft/random_epochs.h"

#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::consensus {
namespace {

constexpr uint32_t kSizes[] = {1, 3, 4, 5, 7};

void RunSeeds(uint64_t first_seed, uint64_t seed_count, uint32_t stormy_ticks) {
  EpochsReport sum;
  for (uint64_t seed = first_seed; seed < first_seed + seed_count; ++seed) {
    for (const uint32_t set_size : kSizes) {
      INFO("replay with VIGIL_TEST_SEED=" << seed << ", " << set_size << " validators at first");
      const EpochsReport report = RunRandomEpochs(set_size, seed, stormy_ticks);
      REQUIRE(report.failure == "");
      sum.committed += report.committed;
      sum.epochs += report.epochs;
      sum.seals_built += report.seals_built;
      sum.closings_built += report.closings_built;
      sum.entered_with_base += report.entered_with_base;
      sum.entered_without += report.entered_without;
      sum.fetched += report.fetched;
      sum.sealed_waits += report.sealed_waits;
      sum.crashes += report.crashes;
      sum.lost_groups += report.lost_groups;
      sum.reads_answered += report.reads_answered;
    }
  }
  // The storm must have been one.
  INFO(sum.committed << " blocks, " << sum.epochs << " epochs, " << sum.seals_built
                     << " sealing and " << sum.closings_built << " closing blocks built, entered "
                     << sum.entered_with_base << " times with the base and " << sum.entered_without
                     << " without, " << sum.fetched << " fetched, " << sum.sealed_waits
                     << " sealed epochs healed, " << sum.crashes << " crashes, " << sum.lost_groups
                     << " lost groups, " << sum.reads_answered << " reads");
  if (seed_count < 10) return;
  CHECK(sum.committed > seed_count * 5 * 10);
  CHECK(sum.epochs > seed_count * 5 * 3 / 2);
  CHECK(sum.seals_built > sum.epochs - seed_count * 5);
  CHECK(sum.closings_built > seed_count * 5);
  CHECK(sum.entered_with_base > seed_count * 5 * 3);
  CHECK(sum.entered_without > seed_count);
  CHECK(sum.fetched > seed_count);
  CHECK(sum.sealed_waits > 0);
  CHECK(sum.crashes > seed_count * 5);
  CHECK(sum.lost_groups > 0);
  CHECK(sum.reads_answered > seed_count * 5);
}

TEST_CASE("raft epochs at random: no block of two epochs shares a height and all go on after",
          "[consensus]") {
  VIGIL_TEST_SEED(seed, 1);
  RunSeeds(seed, std::getenv("VIGIL_TEST_SEED") != nullptr ? 1 : 40, /*stormy_ticks=*/600);
}

TEST_CASE("raft epochs at random: many long storms", "[consensus][.slow]") {
  VIGIL_TEST_SEED(seed, 100'000);
  RunSeeds(seed, std::getenv("VIGIL_TEST_SEED") != nullptr ? 1 : 400, /*stormy_ticks=*/2000);
}

TEST_CASE("raft epochs at random: one seed gives one history", "[consensus]") {
  VIGIL_TEST_SEED(seed, 7);
  const EpochsReport first = RunRandomEpochs(5, seed, 500);
  CHECK(first.digest == RunRandomEpochs(5, seed, 500).digest);
  CHECK(first.digest != RunRandomEpochs(5, seed + 1, 500).digest);
}

}  // namespace
}  // namespace vigil::consensus
