// Stops the process when an invariant of our own is broken: VIGIL_CHECK for the detector, whose
// core must do without Abseil. Never for input.
#ifndef VIGIL_DETECTOR_FEATURES_REQUIRE_H_
#define VIGIL_DETECTOR_FEATURES_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

namespace vigil::detector {

inline void Require(bool condition, const char* what, const char* name = "") {
  if (condition) [[likely]] {
    return;
  }
  std::fprintf(stderr, "detector: requirement broken: %s %s\n", what, name);
  std::abort();
}

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_REQUIRE_H_
