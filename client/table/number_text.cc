#include "client/table/number_text.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace vigil::client {
namespace {

constexpr int32_t kExponentMax = 10'000;

std::optional<int32_t> ParseExponent(absl::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  int32_t value = 0;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return std::nullopt;
    value = std::min(value * 10 + (c - '0'), kExponentMax);
  }
  return negative ? -value : value;
}

bool IsDecimal(absl::string_view text) {
  int points = 0, digits = 0;
  for (const char c : text) {
    if (c == '.') {
      ++points;
    } else if (absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      ++digits;
    } else {
      return false;
    }
  }
  return points <= 1 && digits > 0;
}

// The digits without their point and leading zeros, and where the point stands, as a power of ten
// of the last digit.
struct Plain {
  absl::string_view text;
  int32_t exponent = 0;
};
Plain Normalise(const NumberText& number) {
  absl::string_view text = number.digits;
  int32_t behind = 0;
  const size_t point = text.find('.');
  if (point != absl::string_view::npos) {
    while (absl::EndsWith(text, "0")) text.remove_suffix(1);
    behind = static_cast<int32_t>(text.size() - point - 1);
  }
  while (!text.empty() && (text[0] == '0' || text[0] == '.')) text.remove_prefix(1);
  return {text, number.exponent - behind};
}

uint64_t HexValue(absl::string_view digits) {
  uint64_t value = 0;
  for (const char c : digits) {
    if (value >= static_cast<uint64_t>(kFixedMax)) return kFixedMax;
    const char low = absl::ascii_tolower(static_cast<unsigned char>(c));
    value = value * 16 + static_cast<uint64_t>(low <= '9' ? low - '0' : low - 'a' + 10);
  }
  return std::min<uint64_t>(value, kFixedMax);
}

uint64_t TimesTen(uint64_t value) {
  return value > static_cast<uint64_t>(kFixedMax) / 10 ? kFixedMax : value * 10;
}

}  // namespace

std::optional<NumberText> ParseNumber(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  NumberText number;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    number.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (absl::EqualsIgnoreCase(text, "inf") || absl::EqualsIgnoreCase(text, "infinity")) {
    number.infinite = true;
    return number;
  }
  if (absl::StartsWithIgnoreCase(text, "0x") && text.size() > 2) {
    number.digits = text.substr(2);
    number.hexadecimal = true;
    const bool fits = std::all_of(number.digits.begin(), number.digits.end(), [](char c) {
      return absl::ascii_isxdigit(static_cast<unsigned char>(c));
    });
    if (!fits) return std::nullopt;
    return number;
  }
  const size_t e = text.find_first_of("eE");
  if (e != absl::string_view::npos) {
    const std::optional<int32_t> exponent = ParseExponent(text.substr(e + 1));
    if (!exponent) return std::nullopt;
    number.exponent = *exponent;
    text = text.substr(0, e);
  }
  if (!IsDecimal(text)) return std::nullopt;
  number.digits = text;
  return number;
}

int DecimalsOf(const NumberText& number) {
  if (number.infinite || number.hexadecimal) return 0;
  const Plain plain = Normalise(number);
  if (plain.text.empty()) return 0;
  return std::max(0, -plain.exponent);
}

int WholeDigitsOf(const NumberText& number) {
  if (number.infinite || number.hexadecimal) return 0;
  const Plain plain = Normalise(number);
  if (plain.text.empty()) return 0;
  const auto digits = static_cast<int>(plain.text.size()) -
                      (plain.text.find('.') == absl::string_view::npos ? 0 : 1);
  return std::max(0, digits + plain.exponent);
}

int64_t ToFixed(const NumberText& number, int decimals) {
  uint64_t value = 0;
  if (number.infinite) {
    value = kFixedMax;
  } else if (number.hexadecimal) {
    value = HexValue(number.digits);
    for (int i = 0; i < decimals; ++i) value = TimesTen(value);
  } else {
    const Plain plain = Normalise(number);
    // Digits of the result: those given and zeros, or those given without the last few.
    const int64_t shift = int64_t{plain.exponent} + decimals;
    int64_t left = shift;
    for (const char c : plain.text) left += c != '.';
    int next = 0;  // The first digit that is cut off.
    int64_t taken = 0;
    for (const char c : plain.text) {
      if (c == '.') continue;
      if (taken == left) next = c - '0';
      if (taken++ >= left) break;
      value = TimesTen(value);
      value = std::min<uint64_t>(value + static_cast<uint64_t>(c - '0'), kFixedMax);
    }
    for (int64_t i = 0; i < shift && value != 0 && value < uint64_t{kFixedMax}; ++i) {
      value = TimesTen(value);
    }
    if (next >= 5) value = std::min<uint64_t>(value + 1, kFixedMax);
  }
  return number.negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

}  // namespace vigil::client
