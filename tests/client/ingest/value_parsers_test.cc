#include "client/ingest/value_parsers.h"

#include <ctime>

#include "ledger/base/bytes.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

TEST_CASE("value parsers: decimals are scaled digit by digit", "[ingest]") {
  CHECK(ParseScaled("1.5", 6) == 1'500'000);
  CHECK(ParseScaled("-1.5", 6) == -1'500'000);
  CHECK(ParseScaled("0.000431060791015625", 9) == 431'060);
  CHECK(ParseScaled("1521911725.396014", 9) == 1'521'911'725'396'014'000);
  CHECK(ParseScaled("9.059906005859375e-06", 9) == 9'059);
  CHECK(ParseScaled("12e2", 0) == 1200);
  CHECK(ParseScaled("120e-1", 0) == 12);
  CHECK(ParseScaled("0e999999999", 6) == 0);
  CHECK(ParseScaled("1e-999999999", 6) == 0);
  CHECK(ParseScaled(".5", 1) == 5);
  CHECK(ParseScaled("9223372036854775807", 0) == INT64_MAX);
}

TEST_CASE("value parsers: what is no decimal or does not fit is refused", "[ingest]") {
  for (const char* text : {"", "-", ".", "e5", "1e", "1e+", "1x", " 1", "1 ", "nan", "inf", "0x10",
                           "9223372036854775808", "1e19", "1e400", "1e999999999999999999999",
                           "99999999999999999999999999"}) {
    INFO(text);
    CHECK_FALSE(ParseScaled(text, 0).has_value());
  }
  CHECK_FALSE(ParseScaled("9223372036854775807", 1).has_value());
}

TEST_CASE("value parsers: unsigned numbers stop at 64 bits", "[ingest]") {
  CHECK(ParseUnsigned("18446744073709551615") == UINT64_MAX);
  CHECK_FALSE(ParseUnsigned("18446744073709551616").has_value());
  CHECK_FALSE(ParseUnsigned("-1").has_value());
  CHECK_FALSE(ParseUnsigned("").has_value());
  CHECK_FALSE(ParseUnsigned("1.0").has_value());
}

TEST_CASE("value parsers: RFC 3339 times with their offsets", "[ingest]") {
  // RFC 3339, section 5.8: both name the same instant.
  CHECK(ParseRfc3339("1996-12-19T16:39:57-08:00") == ParseRfc3339("1996-12-20T00:39:57Z"));
  CHECK(ParseRfc3339("1970-01-01T00:00:00Z") == 0u);
  CHECK(ParseRfc3339("1985-04-12T23:20:50.52Z") == 482'196'050'520'000'000u);
  CHECK(ParseRfc3339("2021-06-06T15:59:46.457984+0200") == 1'622'987'986'457'984'000u);
  CHECK(ParseRfc3339("2024-02-29 12:00:00.123456789123Z") == 1'709'208'000'123'456'789u);
  for (const char* text : {"", "2021", "2021-06-06", "2021-06-06T15:59:46", "2021-02-29T00:00:00Z",
                           "2021-13-01T00:00:00Z", "2021-06-06T24:00:00Z", "2021-06-06T15:59:46+2",
                           "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "2021-06-06T15:59:46.Z",
                           "2021-06-06T15:59:46Zx", "1970-01-01T00:00:00+01:00"}) {
    INFO(text);
    CHECK_FALSE(ParseRfc3339(text).has_value());
  }
}

TEST_CASE("value parsers: every day from 1970 to 2261 agrees with timegm", "[ingest]") {
  for (int64_t day = 0; day < 106'000; day += 17) {
    const std::time_t seconds = static_cast<std::time_t>(day) * 86400 + 3661;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    REQUIRE(ParseRfc3339(text) == static_cast<uint64_t>(seconds) * 1'000'000'000);
  }
}

TEST_CASE("value parsers: Zeek times in seconds and milliseconds and text", "[ingest]") {
  CHECK(ParseZeekTime("1521911725.396014") == 1'521'911'725'396'014'000u);
  CHECK(ParseZeekTime("1521911725396") == 1'521'911'725'396'000'000u);
  CHECK(ParseZeekTime("2018-03-24T17:15:25.396014Z") == 1'521'911'725'396'014'000u);
  CHECK(ParseZeekTime("29.869534") == 29'869'534'000u);
  CHECK_FALSE(ParseZeekTime("-1.5").has_value());
  CHECK_FALSE(ParseZeekTime("99999999999999999999").has_value());
  CHECK_FALSE(ParseZeekTime("yesterday").has_value());
}

TEST_CASE("value parsers: addresses in 4 or 16 bytes", "[ingest]") {
  CHECK(HexEncode(AsBytes(ParseIp("10.164.94.120").view())) == "0aa45e78");
  CHECK(HexEncode(AsBytes(ParseIp("2001:db8::1").view())) == "20010db8000000000000000000000001");
  CHECK(HexEncode(AsBytes(ParseIp("::ffff:1.2.3.4").view())) == "01020304");
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
                           "fe80::1%eth0", ":::", "1:2:3:4:5:6:7:8:9", "host", "1..2.3"}) {
    INFO(text);
    CHECK(ParseIp(text).size == 0);
  }
  CHECK(ParseIp(std::string("::1\0", 4)).size == 0);
  CHECK(ParseIp(std::string(1000, ':')).size == 0);
}

TEST_CASE("value parsers: MAC addresses and protocols", "[ingest]") {
  CHECK(HexEncode(AsBytes(ParseMac("24:4b:fe:1c:48:A4"))) == "244bfe1c48a4");
  CHECK(ParseMac("24-4b-fe-1c-48-a4").size() == 6);
  CHECK(ParseMac("24:4b:fe:1c:48").empty());
  CHECK(ParseMac("24:4b:fe:1c:48:zz").empty());
  CHECK(ParseProtocol("TCP") == 6);
  CHECK(ParseProtocol("IPv6-ICMP") == 58);
  CHECK(ParseProtocol("255") == 255);
  CHECK(ParseProtocol("256") == 0);
  CHECK(ParseProtocol("unknown_transport") == 0);
}

TEST_CASE("value parsers: text is cut between characters and repaired byte by byte", "[ingest]") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";  // a é € 😀
  CHECK(TruncateUtf8(text, 10) == text);
  CHECK(TruncateUtf8(text, 9) == absl::string_view(text).substr(0, 6));
  CHECK(TruncateUtf8(text, 5) == absl::string_view(text).substr(0, 3));
  CHECK(TruncateUtf8(text, 2) == "a");
  CHECK(TruncateUtf8(text, 0).empty());
  CHECK(RepairUtf8(text) == text);
  CHECK(RepairUtf8("a\xFFz") == "a\xEF\xBF\xBDz");
  CHECK(RepairUtf8("\xC3") == "\xEF\xBF\xBD");
  CHECK(RepairUtf8("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(RepairUtf8("\xC0\x80x") == "\xEF\xBF\xBD\xEF\xBF\xBDx");
}

}  // namespace
}  // namespace vigil::client
