// Runs a schedule in a process of its own, so that a broken invariant, which ends the process, and
// a run that never ends are results like any other.
#ifndef VIGIL_TESTS_SIM_ISOLATED_RUN_H_
#define VIGIL_TESTS_SIM_ISOLATED_RUN_H_

#include <cstdint>
#include <string>

#include "tests/sim/sim_run.h"

namespace vigil::sim {

struct IsolatedOptions {
  uint32_t seconds_max = 600;  // Of real time.
  // Of the whole process: all validators, their disks and what is under way between them. Queues
  // that are not bounded show here.
  int64_t memory_bytes_max = int64_t{1} << 30;
  // Where to write what happened; empty: nowhere. A run that ends in an abort leaves both as far as
  // it came.
  std::string trace_path;
  std::string mermaid_path;
};

// REQUIRES: the calling process has one thread.
RunResult RunIsolated(const Schedule& schedule, const IsolatedOptions& options = {});

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_ISOLATED_RUN_H_
