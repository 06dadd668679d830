// Draws schedules: each seed turns some kinds of faults on, and decides how often and how strong
// they are (swarm testing, Groce et al., ISSTA 2012: leaving kinds out finds more than everything
// at once).
#ifndef VIGIL_TESTS_SIM_SWARM_H_
#define VIGIL_TESTS_SIM_SWARM_H_

#include <cstdint>
#include <optional>

#include "tests/sim/schedule.h"

namespace vigil::sim {

// What a caller fixes; everything else is drawn.
struct SwarmLimits {
  std::optional<uint32_t> validators;  // 1 to 7; else 1, 3, 4, 5 or 7.
  std::optional<bool> detection;
  std::optional<int64_t> fault_micros;
  std::optional<bool> set_changes = {};  // Needs more than one validator.
};

// The same arguments give the same schedule.
Schedule DrawSchedule(uint64_t seed, const SwarmLimits& limits);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SWARM_H_
