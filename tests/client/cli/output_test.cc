#include "client/cli/output.h"

#include <sstream>

#include "client/cli/arguments.h"
#include "client/cli/event_commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/render.h"
#include "client/lib/client.h"
#include "ledger/base/status_macros.h"
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
}

TEST_CASE("output: times are read in seconds and RFC 3339 and nothing else") {
  CHECK(*ParseTime("") == 0);
  CHECK(*ParseTime("10") == 10'000'000'000);
  CHECK(*ParseTime("2026-01-01T08:00:00Z") == 1767254400000000000);
  CHECK_FALSE(ParseTime("yesterday").ok());
  CHECK(*ParseTime("2026-01-01T09:00:00.5+01:00") == 1767254400500000000);
  CHECK(*ParseTime("1970-01-01T00:00:00Z") == 0);
  for (const char* text : {"-5", "+5", "18446744073709551617", "9223372037", "1900-01-01T00:00:00Z",
                           "9999-01-01T00:00:00Z", "2026-02-30T00:00:00Z"}) {
    INFO(text);
    CHECK(absl::IsInvalidArgument(ParseTime(text).status()));
  }
}

TEST_CASE("output: numbers are digits alone within their range") {
  CHECK(WhyNotNumber("0", 0, 10).empty());
  CHECK(WhyNotNumber("18446744073709551615", 0, UINT64_MAX).empty());
  for (const char* text : {"-1", "+1", "", " 1", "1 ", "0x1", "1e3", "18446744073709551616",
                           "-18446744073709551615"}) {
    INFO(text);
    CHECK_FALSE(WhyNotNumber(text, 0, UINT64_MAX).empty());
  }
  CHECK(WhyNotNumber("11", 1, 10) == "'11' where a number from 1 to 10 belongs");
  CHECK_FALSE(WhyNotNumber("0", 1, 10).empty());
}

TEST_CASE("output: text must be UTF-8 and what was meant is found") {
  CHECK(WhyNotText("gr\xc3\xbc\xc3\x9f").empty());
  CHECK(WhyNotText("a\xff") == "'a\xef\xbf\xbd' is not UTF-8");
  const std::vector<std::string> commands = {"status", "block", "alert", "wait"};
  CHECK(Nearest("blok", commands) == "block");
  CHECK(Nearest("statsu", commands) == "status");
  CHECK(Nearest("wiat", commands) == "wait");
  CHECK(Nearest("nosuch", commands).empty());
  CHECK(Nearest("", commands).empty());
}

TEST_CASE("output: each error has its documented exit code") {
  CHECK(ExitCodeFor(absl::OkStatus()) == ExitCode::kOk);
  CHECK(ExitCodeFor(absl::InvalidArgumentError("")) == ExitCode::kUsage);
  CHECK(ExitCodeFor(UnreachableError("")) == ExitCode::kCannotConnect);
  CHECK(ExitCodeFor(Annotate(UnreachableError(""), "x")) == ExitCode::kCannotConnect);
  CHECK(ExitCodeFor(FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "x"), "a:1")) ==
        ExitCode::kCannotConnect);
  CHECK(ExitCodeFor(absl::UnavailableError("a disk")) == ExitCode::kFailed);
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
