// Whole clusters under faults, from seeds. VIGIL_TEST_SEED replays one run.
#include <algorithm>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sim/isolated_run.h"
#include "tests/sim/report.h"
#include "tests/sim/sim_run.h"
#include "tests/sim/swarm.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::sim {
namespace {

// A storm of the kinds that every run of the fast tests should meet, drawn for `validators`.
Schedule Stormy(uint32_t validators, uint64_t seed, bool detection = false) {
  return DrawSchedule(
      seed, {.validators = validators, .detection = detection, .fault_micros = 15'000'000});
}

Schedule Calm(uint32_t validators, uint64_t seed, bool detection = false) {
  Schedule schedule = Stormy(validators, seed, detection);
  schedule.events.clear();
  schedule.hurried = false;
  schedule.network.snapshot_interval_blocks = 65;
  return schedule;
}

RunResult RunAndTell(const Schedule& schedule) {
  RunResult result = RunSchedule(schedule);
  std::cout << RunLine(absl::StrCat("sim: seed ", schedule.seed), schedule, result, 0) << std::endl;
  return result;
}

void RunSeeds(uint32_t validators, uint64_t first, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    VIGIL_TEST_SEED(seed, first + i);
    const Schedule schedule = Stormy(validators, seed);
    const RunResult result = RunAndTell(schedule);
    REQUIRE(result.wrong == "");
    CHECK(result.acknowledged >= schedule.clients * schedule.client.batches);
  }
}

TEST_CASE("sim: a calm cluster of any size commits everything exactly once", "[sim]") {
  for (const uint32_t validators : {1, 3, 4, 5}) {
    const Schedule schedule = Calm(validators, 100);
    const RunResult result = RunAndTell(schedule);
    REQUIRE(result.wrong == "");
    CHECK(result.acknowledged >= schedule.clients * schedule.client.batches);
    // At least the last two of every validator whose chain is long enough.
    const uint64_t passed = result.height / schedule.network.snapshot_interval_blocks;
    CHECK(result.snapshots >= std::min<uint64_t>(passed, 2) * validators);
  }
}

TEST_CASE("sim: a lone validator loses nothing over crashes", "[sim]") { RunSeeds(1, 200, 3); }

TEST_CASE("sim: faults of any kind cost time but no event", "[sim]") {
  RunSeeds(3, 300, 4);
  RunSeeds(4, 400, 1);
  RunSeeds(5, 500, 2);
}

TEST_CASE("sim: the set of validators changes and no event is lost", "[sim][sets]") {
  uint64_t epochs = 0;
  for (const uint64_t first : {800, 802}) {
    VIGIL_TEST_SEED(seed, first);
    const Schedule schedule = DrawSchedule(
        seed,
        {.validators = 3, .detection = false, .fault_micros = 12'000'000, .set_changes = true});
    const RunResult result = RunAndTell(schedule);
    REQUIRE(result.wrong == "");
    CHECK(result.acknowledged >= schedule.clients * schedule.client.batches);
    epochs += result.counts.at("epochs begun");
  }
  CHECK(epochs > 0);
}

TEST_CASE("sim: the same seed gives the same run when the set changes", "[sim][sets]") {
  VIGIL_TEST_SEED(seed, 804);
  const Schedule schedule = DrawSchedule(
      seed, {.validators = 4, .detection = false, .fault_micros = 8'000'000, .set_changes = true});
  const RunResult once = RunSchedule(schedule);
  const RunResult again = RunSchedule(schedule);
  CHECK(once.digest == again.digest);
  CHECK(once.counts == again.counts);
}

TEST_CASE("sim: all detectors train the same models and every alert is confirmed",
          "[sim][detect]") {
  for (const uint32_t validators : {1, 3}) {
    const RunResult result = RunAndTell(Calm(validators, 700, /*detection=*/true));
    REQUIRE(result.wrong == "");
    CHECK(result.models > 0);
    CHECK(result.alerts > 0);
  }
  for (const uint64_t seed : {720, 721}) {
    REQUIRE(RunAndTell(Stormy(3, seed, /*detection=*/true)).wrong == "");
  }
}

TEST_CASE("sim: the same seed gives the same run and a trace changes nothing", "[sim]") {
  VIGIL_TEST_SEED(seed, 600);
  const Schedule schedule = Stormy(3, seed);
  const RunResult once = RunSchedule(schedule);
  uint64_t lines = 0;
  const RunResult again = RunSchedule(schedule, [&](const TraceEntry&) { ++lines; });
  CHECK(once.digest == again.digest);
  CHECK(once.counts == again.counts);
  CHECK(lines > 1000);
  CHECK(once.digest != RunSchedule(Stormy(3, seed + 1)).digest);
}

IsolatedOptions OneSecond() {
  IsolatedOptions options;
  options.seconds_max = 1;
  return options;
}

TEST_CASE("sim: a run that hangs is a result", "[sim]") {
  Schedule schedule = Calm(1, 1);
  schedule.fault_micros = 36'000'000'000;
  const RunResult result = RunIsolated(schedule, OneSecond());
  CHECK(absl::StrContains(result.wrong, "does not end in 1 s"));
}

TEST_CASE("sim: a run that takes too much memory is a result", "[sim]") {
  IsolatedOptions options;
  options.memory_bytes_max = 1 << 20;
  const RunResult result = RunIsolated(Calm(1, 1), options);
  CHECK(absl::StrContains(result.wrong, "MiB of memory, at most 1"));
  CHECK(result.digest == RunSchedule(Calm(1, 1)).digest);
}

TEST_CASE("sim: many stormy seeds", "[sim][.slow]") {
  RunSeeds(3, 10'000, 100);
  RunSeeds(5, 20'000, 50);
}

}  // namespace
}  // namespace vigil::sim
