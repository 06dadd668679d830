// One run of the simulator: clients and faults for a while, then everything is healed and the
// cluster must come to rest with nothing lost (consensus.md section 8, 2).
#ifndef VIGIL_TESTS_SIM_SIM_RUN_H_
#define VIGIL_TESTS_SIM_SIM_RUN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/oracle.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_cluster.h"

namespace vigil::sim {

struct RunOptions {
  NetworkOptions network;
  ClientOptions client;
  uint32_t clients = 4;
  int64_t fault_micros = 20'000'000;  // Length of the first phase.
  bool lose_frames = false;
  bool reorder = false;
  bool partitions = false;
  bool crashes = false;  // At most a minority is down at a time.
  bool pauses = false;
  bool clock_skew = false;
  bool detection = false;  // Demand models and confirmed alerts.
};

struct RunResult {
  std::string wrong;  // Empty: everything held.
  Hash digest;
  uint64_t height = 0;
  uint64_t acknowledged = 0;
  uint64_t retries = 0;
  uint64_t crashes = 0;
  uint64_t elections = 0;  // Highest view.
  uint64_t models = 0;     // Active ones, by type and period.
  uint64_t alerts = 0;     // All of them confirmed.
  uint64_t snapshots = 0;  // On all disks, one digest for each height.
};

RunResult Run(const RunOptions& options, uint64_t seed);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SIM_RUN_H_
