// The seed of a random test: VIGIL_TEST_SEED, else fixed. Printed, so that a failure can be
// replayed.
#ifndef VIGIL_TESTS_SUPPORT_SEED_H_
#define VIGIL_TESTS_SUPPORT_SEED_H_

#include <cstdint>
#include <cstdlib>

#include "tests/support/catch.h"

namespace vigil {

inline uint64_t TestSeed(uint64_t otherwise) {
  const char* text = std::getenv("VIGIL_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace vigil

// Defines `name` and shows it with every failure in this scope.
#define VIGIL_TEST_SEED(name, otherwise)              \
  const uint64_t name = ::vigil::TestSeed(otherwise); \
  INFO("replay with VIGIL_TEST_SEED=" << name)

#endif  // VIGIL_TESTS_SUPPORT_SEED_H_
