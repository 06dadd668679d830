#include "client/cli/output.h"

#include <sstream>

#include "client/cli/event_commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/render.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

TEST_CASE("output: hostile text cannot drive a terminal") {
  CHECK(ForTerminal("a\x1b[2Jb\r\n\x7f") == "a?[2Jb???");
  // U+009B is a one-character control sequence introducer.
  CHECK(ForTerminal("a\xc2\x9b"
                    "31mb") == "a?31mb");
  CHECK(ForTerminal("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  // U+202E turns what follows round; a lone 9B is a control in an 8-bit terminal.
  CHECK(ForTerminal("a\xe2\x80\xaegpj.exe\xe2\x81\xa6\xd8\x9c") == "a?gpj.exe??");
  CHECK(ForTerminal("\x9b"
                    "31m\xff\xe2\x80") == "?31m???");
  Table table({"A"});
  table.Add({"\x1b[31m"});
  Facts facts;
  facts.Add("a", "\x1b[31m");
  std::ostringstream out;
  table.Print(out);
  facts.Print(out);
  CHECK(out.str() == "A\n?[31m\na  ?[31m\n");
}

TEST_CASE("output: JSON means the same and holds no character that drives a terminal") {
  const std::string hostile =
      "\x1b[31m\x7f\xc2\x9b\xe2\x80\xae\xe2\x81\xa9\xe2\x80\xa8 gr\xc3\xbc\xc3\x9f "
      "\xf0\x9f\x98\x80";
  const std::string text = JsonText(Json{{hostile, hostile}}, 2);
  CHECK(Json::parse(text) == Json{{hostile, hostile}});
  CHECK(text.find("\\u009b\\u202e\\u2069\\u2028 gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80") !=
        std::string::npos);
  for (const char c : text) CHECK((c == '\n' || (c >= 0x20 && c != 0x7f) || c < 0));
}

TEST_CASE("output: columns line up and numbers of 64 bits are strings") {
  Table table({"A", "LONGER"});
  table.Add({"wide cell", "1"});
  std::ostringstream out;
  table.Print(out);
  CHECK(out.str() == "A          LONGER\nwide cell  1\n");
  CHECK(Number(UINT64_MAX).dump() == "\"18446744073709551615\"");
  CHECK(Hex(std::string("\x00\xff", 2)).dump() == "\"00ff\"");
}

TEST_CASE("output: bits and times read as people write them") {
  CHECK(BitsText(256) == "1.00");
  CHECK(BitsText(2050) == "8.00");
  CHECK(BitsText(384) == "1.50");
  CHECK(TimeText(0) == "1970-01-01 00:00:00.000Z");
  CHECK(TimeText(1767254400123) == "2026-01-01 08:00:00.123Z");
  CHECK(AddressText(std::string("\x0a\x01\x00\x07", 4)) == "10.1.0.7");
  CHECK(AddressText(std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16)) ==
        "2001:db8::1");
  CHECK(AddressText("abc").empty());
}

TEST_CASE("output: times are read in seconds and RFC 3339 and nothing else") {
  CHECK(*ParseTime("") == 0);
  CHECK(*ParseTime("10") == 10'000'000'000);
  CHECK(*ParseTime("2026-01-01T08:00:00Z") == 1767254400000000000);
  CHECK_FALSE(ParseTime("yesterday").ok());
  CHECK_FALSE(ParseTime("-5").ok());
}

TEST_CASE("output: each error has its documented exit code") {
  CHECK(ExitCodeFor(absl::OkStatus()) == ExitCode::kOk);
  CHECK(ExitCodeFor(absl::InvalidArgumentError("")) == ExitCode::kUsage);
  CHECK(ExitCodeFor(absl::UnavailableError("")) == ExitCode::kCannotConnect);
  CHECK(ExitCodeFor(absl::PermissionDeniedError("")) == ExitCode::kDenied);
  CHECK(ExitCodeFor(absl::NotFoundError("")) == ExitCode::kNotFound);
  CHECK(ExitCodeFor(absl::DataLossError("")) == ExitCode::kVerificationFailed);
  CHECK(ExitCodeFor(absl::DeadlineExceededError("")) == ExitCode::kTimeout);
  CHECK(ExitCodeFor(absl::AbortedError("")) == ExitCode::kPartial);
  CHECK(ExitCodeFor(absl::CancelledError("")) == ExitCode::kInterrupted);
  CHECK(ExitCodeFor(absl::InternalError("")) == ExitCode::kFailed);
}

}  // namespace
}  // namespace vigil::client
