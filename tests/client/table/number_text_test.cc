#include "client/table/number_text.h"

#include <cmath>
#include <cstdlib>
#include <string>

#include "ledger/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::client {
namespace {

int64_t Fixed(const std::string& text, int decimals) {
  const auto number = ParseNumber(text);
  REQUIRE(number.has_value());
  return ToFixed(*number, decimals);
}

TEST_CASE("number text: fixed-point numbers come from the digits", "[client]") {
  CHECK(Fixed("12", 0) == 12);
  CHECK(Fixed(" -0.5 ", 2) == -50);
  CHECK(Fixed("+3.", 1) == 30);
  CHECK(Fixed(".25", 2) == 25);
  CHECK(Fixed("0.125", 2) == 13);
  CHECK(Fixed("-0.125", 2) == -13);
  CHECK(Fixed("0.0049", 2) == 0);
  CHECK(Fixed("0.7", 0) == 1);
  CHECK(Fixed("1.5e-7", 9) == 150);
  CHECK(Fixed("2.5E3", 0) == 2500);
  CHECK(Fixed("00012.500", 1) == 125);
  CHECK(Fixed("0x1F", 0) == 31);
  CHECK(Fixed("0e99999", 9) == 0);
  CHECK(Fixed("1e-99999", 9) == 0);
}

TEST_CASE("number text: what is too large is cut and keeps its sign", "[client]") {
  for (const char* text : {"1e30", "inf", "Infinity", "99999999999999999999999999",
                           "0xffffffffffffffffffff", "1e99999"}) {
    CHECK(Fixed(text, 3) == kFixedMax);
    CHECK(Fixed(std::string("-") + text, 3) == -kFixedMax);
  }
}

TEST_CASE("number text: what is no number is none", "[client]") {
  for (const char* text : {"", " ", "-", ".", "1.2.3", "1e", "1e+", "0x", "0xg", "nan", "12a",
                           "1 2", "--1", "1,5", "infinite"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseNumber(text).has_value());
  }
}

TEST_CASE("number text: decimals and whole digits are those that are needed", "[client]") {
  CHECK(DecimalsOf(*ParseNumber("1.500")) == 1);
  CHECK(DecimalsOf(*ParseNumber("10.0")) == 0);
  CHECK(DecimalsOf(*ParseNumber("1.5e-7")) == 8);
  CHECK(DecimalsOf(*ParseNumber("1.25e1")) == 1);
  CHECK(WholeDigitsOf(*ParseNumber("001234.5")) == 4);
  CHECK(WholeDigitsOf(*ParseNumber("0.001")) == 0);
  CHECK(WholeDigitsOf(*ParseNumber("1e6")) == 7);
}

TEST_CASE("number text: agrees with strtod", "[client]") {
  const uint64_t seed = TestSeed(83);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = random.Chance(300) ? "-" : "";
    for (uint64_t left = random.Below(7); left > 0; --left) {
      text += static_cast<char>('0' + random.Below(10));
    }
    text += random.Chance(500) ? ".0" : "5.";
    for (uint64_t left = random.Below(7); left > 0; --left) {
      text += static_cast<char>('0' + random.Below(10));
    }
    if (random.Chance(300)) text += "e" + std::to_string(static_cast<int>(random.Below(9)) - 4);
    const int decimals = static_cast<int>(random.Below(7));
    const double want = std::strtod(text.c_str(), nullptr) * std::pow(10, decimals);
    CAPTURE(text, decimals);
    CHECK(std::abs(static_cast<double>(Fixed(text, decimals)) - want) <=
          0.5 + 1e-3 + std::abs(want) * 1e-14);
  }
}

}  // namespace
}  // namespace vigil::client
