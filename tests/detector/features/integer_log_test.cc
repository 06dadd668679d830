#include "detector/features/integer_log.h"

#include <cmath>

#include "ledger/base/random.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

TEST_CASE("integer log: agrees with the real logarithm within two units", "[detector]") {
  const uint64_t seed = testing::TestSeed(1);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  double worst = 0;
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t value = i < 70'000 ? i + 1 : (random.Next() >> random.Below(64)) | 1;
    const double exact = std::log2(static_cast<long double>(value)) * 65536;
    worst = std::max(worst, std::abs(Log2Q16(value) - exact));
  }
  CHECK(worst <= 2.0);
}

TEST_CASE("integer log: powers of two are exact and the ends of the range hold", "[detector]") {
  for (int bit = 0; bit < 64; ++bit) {
    CHECK(Log2Q16(uint64_t{1} << bit) == bit << 16);
    CHECK(Log2Q8(uint64_t{1} << bit) == bit << 8);
  }
  CHECK(Log2Q16(~uint64_t{0}) <= 64 << 16);
  CHECK(Log2Q16(~uint64_t{0}) >= (64 << 16) - 2);
}

TEST_CASE("integer log: never falls", "[detector]") {
  int32_t before = 0;
  for (uint64_t value = 1; value < 300'000; ++value) {
    const int32_t now = Log2Q16(value);
    if (now < before) FAIL("falls at " << value);
    before = now;
  }
  SUCCEED();
}

}  // namespace
}  // namespace vigil::detector
