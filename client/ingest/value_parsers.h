// Text of sensor logs -> numbers, times and addresses, exactly or not at all.
//
// Nothing here goes through floating point: decimals are read digit by digit. Pure; thread-safe.
#ifndef VIGIL_CLIENT_INGEST_VALUE_PARSERS_H_
#define VIGIL_CLIENT_INGEST_VALUE_PARSERS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace vigil::client {

// `text` x 10^scale as an integer; digits below that are cut off. Accepts a sign, a fraction and an
// exponent ("-1.5e-3"). nullopt when it is no such number or does not fit.
std::optional<int64_t> ParseScaled(absl::string_view text, int scale);
// Decimal digits only. nullopt when there are none, others, or the value exceeds 2^64 - 1.
std::optional<uint64_t> ParseUnsigned(absl::string_view text);

// Nanoseconds since 1970 UTC of "2021-06-06T15:59:46.457984+0200": RFC 3339, the offset also
// without its colon, the 'T' also a space. nullopt before 1970, after 2261, or on anything else.
std::optional<uint64_t> ParseRfc3339(absl::string_view text);

// A time as Zeek writes it: seconds with a fraction, milliseconds (an integer from 10^11 on), or
// RFC 3339.
std::optional<uint64_t> ParseZeekTime(absl::string_view text);

// An address in network order; an IPv4-mapped one is written with 4 bytes. size 0: not an address.
struct IpBytes {
  std::array<char, 16> bytes{};
  size_t size = 0;
  absl::string_view view() const { return absl::string_view(bytes.data(), size); }
};
IpBytes ParseIp(absl::string_view text);

// "24:4b:fe:1c:48:a4", also with '-'. Six bytes, or empty.
std::string ParseMac(absl::string_view text);

// IANA number of "tcp", "UDP", "ipv6-icmp" ..., or of decimal digits up to 255. 0: unknown.
uint32_t ParseProtocol(absl::string_view text);

bool IsValidUtf8(absl::string_view text);
// The longest prefix of at most `size_max` bytes that does not cut a character.
// REQUIRES: `text` is valid UTF-8.
absl::string_view TruncateUtf8(absl::string_view text, size_t size_max);
// `text` with every byte that is not part of valid UTF-8 replaced by U+FFFD.
std::string RepairUtf8(absl::string_view text);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_VALUE_PARSERS_H_
