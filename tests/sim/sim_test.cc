// Whole clusters under faults, from seeds. VIGIL_TEST_SEED replays one run.
#include <algorithm>
#include <iostream>

#include "tests/sim/sim_run.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::sim {
namespace {

RunOptions Calm(uint32_t validators) {
  RunOptions options;
  options.network.validators = validators;
  options.network.snapshot_interval_blocks = 65;
  options.fault_micros = 5'000'000;
  return options;
}

RunOptions Stormy(uint32_t validators) {
  RunOptions options;
  options.network.validators = validators;
  options.network.snapshot_interval_blocks = 65;
  options.lose_frames = options.reorder = options.partitions = true;
  options.crashes = options.pauses = options.clock_skew = true;
  // Spread over the whole storm.
  options.client.batches = 100;
  options.client.pause_micros_max = 400'000;
  return options;
}

// Small windows and short periods, so that there is something to find.
RunOptions Detecting(RunOptions options) {
  options.detection = true;
  ledger::DetectorParameters& detector = options.network.detector;
  detector.window_rows_max = 512;
  detector.window_rows_min = 128;
  detector.period_events = 512;
  detector.trees = 10;
  detector.sample_rows = 64;
  detector.seed_reveals = 2;
  detector.threshold_floor_q8 = 256;
  options.client.batches = 100;
  options.client.pause_micros_max = 200'000;
  options.client.odd_permille = 10;
  return options;
}

void RunSeeds(const RunOptions& options, uint64_t first, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    VIGIL_TEST_SEED(seed, first + i);
    const RunResult result = Run(options, seed);
    std::cout << "sim: " << options.network.validators << " validators, seed " << seed
              << ": height " << result.height << ", " << result.acknowledged << " acknowledged, "
              << result.retries << " retries, " << result.crashes << " crashes, view "
              << result.elections << ", " << result.models << " models, " << result.alerts
              << " alerts, " << result.snapshots << " snapshots" << std::endl;
    REQUIRE(result.wrong == "");
    CHECK(result.acknowledged == options.clients * options.client.batches);
    // At least the last two of every validator whose chain is long enough.
    const uint64_t passed = result.height / options.network.snapshot_interval_blocks;
    CHECK(result.snapshots >= std::min<uint64_t>(passed, 2) * options.network.validators);
    if (!options.detection) continue;
    CHECK(result.models > 0);
    CHECK(result.alerts > 0);
  }
}

TEST_CASE("sim: a calm cluster of any size commits everything exactly once", "[sim]") {
  for (const uint32_t validators : {1, 3, 4, 5}) RunSeeds(Calm(validators), 100, 1);
}

TEST_CASE("sim: a lone validator loses nothing over crashes", "[sim]") {
  RunOptions options = Stormy(1);
  options.partitions = options.lose_frames = false;
  RunSeeds(options, 200, 3);
}

TEST_CASE("sim: loss and delay and crashes and partitions cost time but no event", "[sim]") {
  RunSeeds(Stormy(3), 300, 4);
  RunSeeds(Stormy(4), 400, 1);
  RunSeeds(Stormy(5), 500, 2);
}

TEST_CASE("sim: all detectors train the same models and every alert is confirmed",
          "[sim][detect]") {
  RunOptions calm = Detecting(Calm(3));
  calm.fault_micros = 15'000'000;
  RunSeeds(calm, 700, 1);
  RunSeeds(Detecting(Calm(1)), 710, 1);
  RunSeeds(Detecting(Stormy(3)), 720, 2);
  RunSeeds(Detecting(Stormy(4)), 730, 1);
}

TEST_CASE("sim: the same seed gives the same run", "[sim]") {
  VIGIL_TEST_SEED(seed, 600);
  RunOptions options = Stormy(3);
  options.fault_micros = 8'000'000;
  CHECK(Run(options, seed).digest == Run(options, seed).digest);
  CHECK(Run(options, seed).digest != Run(options, seed + 1).digest);
}

TEST_CASE("sim: many stormy seeds", "[sim][.slow]") {
  RunSeeds(Stormy(3), 10'000, 100);
  RunSeeds(Stormy(5), 20'000, 50);
}

}  // namespace
}  // namespace vigil::sim
