#include "client/ingest/value_parsers.h"

#include <arpa/inet.h>

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "ledger/base/bytes.h"
#include "simdjson.h"

namespace vigil::client {
namespace {

constexpr int kExponentMax = 400;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The parts of a decimal: digits of integer and fraction, and the power of ten behind them.
struct Decimal {
  bool negative = false;
  absl::string_view whole;
  absl::string_view fraction;
  int exponent = 0;
};

absl::string_view TakeDigits(absl::string_view* text) {
  size_t size = 0;
  while (size < text->size() && IsDigit((*text)[size])) ++size;
  const absl::string_view digits = text->substr(0, size);
  text->remove_prefix(size);
  return digits;
}

bool SplitDecimal(absl::string_view text, Decimal* out) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    out->negative = text[0] == '-';
    text.remove_prefix(1);
  }
  out->whole = TakeDigits(&text);
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    out->fraction = TakeDigits(&text);
  }
  if (out->whole.empty() && out->fraction.empty()) return false;
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const absl::string_view digits = TakeDigits(&text);
  if (digits.empty() || !text.empty()) return false;
  for (const char c : digits) {
    if (out->exponent < kExponentMax) out->exponent = out->exponent * 10 + (c - '0');
  }
  if (out->exponent > kExponentMax) out->exponent = kExponentMax;
  if (negative) out->exponent = -out->exponent;
  return true;
}

// Days from 1970-01-01 of a proleptic Gregorian date (Hinnant, "chrono-Compatible Low-Level Date
// Algorithms", days_from_civil).
int64_t DaysFromCivil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = year / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<int64_t>(day_of_era) - 719468;
}

unsigned DaysInMonth(unsigned year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// `count` digits from the front of `text`; -1 when they are not there.
int TakeNumber(absl::string_view* text, size_t count) {
  if (text->size() < count) return -1;
  int value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) return -1;
    value = value * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(count);
  return value;
}

bool TakeChar(absl::string_view* text, char c) {
  if (text->empty() || (*text)[0] != c) return false;
  text->remove_prefix(1);
  return true;
}

// Nanoseconds of ".457984"; 0 when there is no fraction.
bool TakeFraction(absl::string_view* text, int64_t* nanos) {
  *nanos = 0;
  if (!TakeChar(text, '.')) return true;
  const absl::string_view digits = TakeDigits(text);
  if (digits.empty()) return false;
  for (size_t i = 0; i < 9; ++i) {
    *nanos = *nanos * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  }
  return true;
}

// Seconds east of UTC of "Z", "+0200" or "+02:00", which must end the text.
bool TakeOffset(absl::string_view text, int64_t* seconds) {
  *seconds = 0;
  if (text == "Z" || text == "z") return true;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  const int64_t sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const int hours = TakeNumber(&text, 2);
  TakeChar(&text, ':');
  const int minutes = TakeNumber(&text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !text.empty()) return false;
  *seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

IpBytes ParseIpv4(absl::string_view text) {
  IpBytes ip;
  for (int octet = 0; octet < 4; ++octet) {
    if (octet > 0 && !TakeChar(&text, '.')) return {};
    const absl::string_view digits = TakeDigits(&text);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return {};
    int value = 0;
    for (const char c : digits) value = value * 10 + (c - '0');
    if (value > 255) return {};
    ip.bytes[octet] = static_cast<char>(value);
  }
  if (!text.empty()) return {};
  ip.size = 4;
  return ip;
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Bytes of the valid UTF-8 character at the front of `text` (RFC 3629), 0 when there is none.
size_t CharacterSize(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  return IsValidUtf8(text.substr(0, size)) ? size : 0;
}

}  // namespace

std::optional<int64_t> ParseScaled(absl::string_view text, int scale) {
  Decimal decimal;
  if (!SplitDecimal(text, &decimal)) return std::nullopt;
  // The value is all digits x 10^shift; a negative shift cuts digits off.
  const int64_t shift =
      int64_t{decimal.exponent} - static_cast<int64_t>(decimal.fraction.size()) + scale;
  const auto digit_count = static_cast<int64_t>(decimal.whole.size() + decimal.fraction.size());
  const int64_t kept = shift < 0 ? digit_count + shift : digit_count;
  uint64_t value = 0;
  for (int64_t i = 0; i < kept; ++i) {
    const auto at = static_cast<size_t>(i);
    const char c =
        at < decimal.whole.size() ? decimal.whole[at] : decimal.fraction[at - decimal.whole.size()];
    if (__builtin_mul_overflow(value, 10u, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) return std::nullopt;
  }
  for (int64_t i = 0; i < shift && value != 0; ++i) {
    if (__builtin_mul_overflow(value, 10u, &value)) return std::nullopt;
  }
  if (value > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return decimal.negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

std::optional<uint64_t> ParseUnsigned(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    if (__builtin_mul_overflow(value, 10u, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) return std::nullopt;
  }
  return value;
}

std::optional<uint64_t> ParseRfc3339(absl::string_view text) {
  const int year = TakeNumber(&text, 4);
  if (!TakeChar(&text, '-')) return std::nullopt;
  const int month = TakeNumber(&text, 2);
  if (!TakeChar(&text, '-')) return std::nullopt;
  const int day = TakeNumber(&text, 2);
  if (!TakeChar(&text, 'T') && !TakeChar(&text, 't') && !TakeChar(&text, ' ')) return std::nullopt;
  const int hour = TakeNumber(&text, 2);
  if (!TakeChar(&text, ':')) return std::nullopt;
  const int minute = TakeNumber(&text, 2);
  if (!TakeChar(&text, ':')) return std::nullopt;
  const int second = TakeNumber(&text, 2);
  int64_t nanos = 0;
  int64_t offset = 0;
  if (!TakeFraction(&text, &nanos) || !TakeOffset(text, &offset)) return std::nullopt;
  if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
      static_cast<unsigned>(day) > DaysInMonth(year, month) || hour < 0 || hour > 23 ||
      minute < 0 || minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  const int64_t seconds =
      DaysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
  if (seconds < 0) return std::nullopt;
  return static_cast<uint64_t>(seconds) * 1'000'000'000 + static_cast<uint64_t>(nanos);
}

std::optional<uint64_t> ParseZeekTime(absl::string_view text) {
  constexpr uint64_t kMillisFrom = 100'000'000'000;
  if (text.size() > 10 && text[4] == '-') return ParseRfc3339(text);
  if (const std::optional<uint64_t> whole = ParseUnsigned(text); whole && *whole >= kMillisFrom) {
    if (*whole > static_cast<uint64_t>(INT64_MAX) / 1'000'000) return std::nullopt;
    return *whole * 1'000'000;
  }
  const std::optional<int64_t> nanos = ParseScaled(text, 9);
  if (!nanos || *nanos < 0) return std::nullopt;
  return static_cast<uint64_t>(*nanos);
}

IpBytes ParseIp(absl::string_view text) {
  constexpr char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};
  if (text.find(':') == absl::string_view::npos) return ParseIpv4(text);
  char buffer[INET6_ADDRSTRLEN + 1];
  if (text.size() >= sizeof(buffer) || text.find('\0') != absl::string_view::npos) return {};
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  IpBytes ip;
  if (inet_pton(AF_INET6, buffer, ip.bytes.data()) != 1) return {};
  ip.size = 16;
  if (std::memcmp(ip.bytes.data(), kMapped, sizeof(kMapped)) == 0) {
    std::memmove(ip.bytes.data(), ip.bytes.data() + 12, 4);
    ip.size = 4;
  }
  return ip;
}

std::string ParseMac(absl::string_view text) {
  if (text.size() != 17) return {};
  std::string mac;
  for (size_t at = 0; at < text.size(); at += 3) {
    if (at > 0 && text[at - 1] != ':' && text[at - 1] != '-') return {};
    const int high = HexDigit(text[at]);
    const int low = HexDigit(text[at + 1]);
    if (high < 0 || low < 0) return {};
    mac.push_back(static_cast<char>(high * 16 + low));
  }
  return mac;
}

uint32_t ParseProtocol(absl::string_view text) {
  struct Named {
    absl::string_view name;
    uint32_t number;
  };
  // IANA, "Assigned Internet Protocol Numbers".
  static constexpr Named kNames[] = {
      {"tcp", 6},   {"udp", 17},   {"icmp", 1},   {"ipv6-icmp", 58}, {"icmp6", 58}, {"icmpv6", 58},
      {"igmp", 2},  {"sctp", 132}, {"gre", 47},   {"esp", 50},       {"ah", 51},    {"ipv6", 41},
      {"ospf", 89}, {"pim", 103},  {"vrrp", 112}, {"udplite", 136},
  };
  for (const Named& named : kNames) {
    if (absl::EqualsIgnoreCase(text, named.name)) return named.number;
  }
  const std::optional<uint64_t> number = ParseUnsigned(text);
  return number && *number <= 255 ? static_cast<uint32_t>(*number) : 0;
}

bool IsValidUtf8(absl::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

absl::string_view TruncateUtf8(absl::string_view text, size_t size_max) {
  if (text.size() <= size_max) return text;
  size_t size = size_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

std::string RepairUtf8(absl::string_view text) {
  std::string repaired;
  repaired.reserve(text.size() + 16);
  while (!text.empty()) {
    const size_t size = CharacterSize(text);
    if (size == 0) {
      repaired.append("\xEF\xBF\xBD");
      text.remove_prefix(1);
    } else {
      repaired.append(text.data(), size);
      text.remove_prefix(size);
    }
  }
  return repaired;
}

}  // namespace vigil::client
