#include "ledger/base/random.h"

#include <array>

#include "tests/support/catch.h"

namespace vigil {
namespace {

TEST_CASE("split mix: gives the published numbers for seed 1234567", "[base]") {
  // Reference output of Vigna's splitmix64.c, as published with Rosetta Code's task
  // "Pseudo-random numbers/Splitmix64".
  SplitMix64 random(1234567);
  CHECK(random.Next() == 6457827717110365317ULL);
  CHECK(random.Next() == 3203168211198807973ULL);
  CHECK(random.Next() == 9817491932198370423ULL);
  CHECK(random.Next() == 4593380528125082431ULL);
  CHECK(random.Next() == 16408922859458223821ULL);
}

TEST_CASE("split mix: numbers below a bound stay below it and reach every value", "[base]") {
  SplitMix64 random(7);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t number = random.Below(10);
    REQUIRE(number < 10);
    ++seen[number];
  }
  // Mean 1,000 and standard deviation 30: seven of them either way.
  for (int count : seen) {
    CHECK(count > 790);
    CHECK(count < 1210);
  }
  for (int i = 0; i < 100; ++i) CHECK(random.Below(1) == 0);
}

TEST_CASE("split mix: a bound above half the range is met without bias", "[base]") {
  // Without rejection a third of all draws would fall twice into the lowest third.
  const uint64_t bound = 3ULL << 62;
  SplitMix64 random(8);
  int low = 0;
  for (int i = 0; i < 9'000; ++i) {
    const uint64_t number = random.Below(bound);
    REQUIRE(number < bound);
    if (number < bound / 3) ++low;
  }
  // Mean 3,000 and standard deviation 45; with bias it would be 4,500.
  CHECK(low > 2'700);
  CHECK(low < 3'300);
}

TEST_CASE("split mix: chances of none and all are certain", "[base]") {
  SplitMix64 random(9);
  for (int i = 0; i < 1'000; ++i) {
    CHECK_FALSE(random.Chance(0));
    CHECK(random.Chance(1000));
  }
}

}  // namespace
}  // namespace vigil
