// Numbers as people and programs write them, read without floating point.
#ifndef VIGIL_CLIENT_TABLE_NUMBER_TEXT_H_
#define VIGIL_CLIENT_TABLE_NUMBER_TEXT_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace vigil::client {

inline constexpr int kDecimalsMax = 9;
// Fixed-point numbers are cut to plus and minus this.
inline constexpr int64_t kFixedMax = int64_t{1} << 61;

// "12", "-0.5", "+3.", ".25", "1.5e-7", "0x1f", "inf", "-Infinity", in any case, with blanks
// around.
struct NumberText {
  bool negative = false;
  bool infinite = false;
  absl::string_view digits;  // With at most one point; or hexadecimal.
  bool hexadecimal = false;
  int32_t exponent = 0;  // Power of ten; within 10,000 either way.
};

// Nothing when `text` is no number ("nan" is none).
std::optional<NumberText> ParseNumber(absl::string_view text);

// Digits behind the point that are needed to write the number exactly; 0 for whole ones.
int DecimalsOf(const NumberText& number);
// Digits before the point.
int WholeDigitsOf(const NumberText& number);

// number * 10^decimals, rounded half away from zero, cut to kFixedMax. REQUIRES: decimals within
// [0, kDecimalsMax].
int64_t ToFixed(const NumberText& number, int decimals);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_NUMBER_TEXT_H_
