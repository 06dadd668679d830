// Makes a schedule that fails shorter, as long as it fails in the same way.
#ifndef VIGIL_TESTS_SIM_MINIMIZER_H_
#define VIGIL_TESTS_SIM_MINIMIZER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "tests/sim/schedule.h"

namespace vigil::sim {

// What is wrong with a run of a schedule; empty: nothing.
using Judge = std::function<std::string(const Schedule&)>;

struct Minimized {
  Schedule schedule;
  std::string wrong;
  uint32_t runs = 0;
};

// Takes out events by delta debugging (Zeller and Hildebrandt, "Simplifying and isolating
// failure-inducing input", IEEE TSE 2002), then makes load and times smaller. A failure is the same
// when its text is, but for numbers. Asks `judge` at most `runs_max` times.
// REQUIRES: judge(schedule) is `wrong`, which is not empty.
Minimized Minimize(const Schedule& schedule, const std::string& wrong, const Judge& judge,
                   uint32_t runs_max);

// The text of a failure without its numbers.
std::string FailureClass(const std::string& wrong);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_MINIMIZER_H_
