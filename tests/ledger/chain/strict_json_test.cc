#include "ledger/chain/strict_json.h"

#include <string>

#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

std::string Error(const std::string& text) { return std::string(CheckStrictJson(text).message()); }

}  // namespace

TEST_CASE("strict json: every form of RFC 8259 passes", "[json]") {
  for (const char* text :
       {"{}", "[]", " [ ] ", "{\"a\":1}", "{\"a\": {\"a\": [1, 2, {\"b_2\": null}]}}", "true",
        "false", "null", "0", "-0", "10", "-1.5", "1e5", "1E+5", "1.25e-3", "\"\"",
        "\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e9\"", "\t[\r\n1 ,2]\n", "\"\xC3\xA9\""}) {
    INFO(text);
    CHECK(Error(text) == "");
  }
}

TEST_CASE("strict json: what lenient readers take is refused", "[json]") {
  for (const char* text :
       {"",         "{",          "[",         "]",         "{]",        "[}",
        "[1,]",     "{\"a\":1,}", "{\"a\"}",   "{\"a\" 1}", "{\"a\":}",  "{a:1}",
        "{'a':1}",  "['a']",      "[1 2]",     "01",        "-",         "+1",
        ".5",       "5.",         "1e",        "0x10",      "NaN",       "Infinity",
        "True",     "nul",        "\"",        "\"\\\"",    "\"\\x41\"", "\"\\u12g4\"",
        "\"\\u123", "\"a\nb\"",   "// c\n1",   "1 1",       "{} {}",     "{\"a\":1 \"b\":2}",
        "{1:2}",    "[1}",        "{\"a\":1]", "undefined", "{a\":1}"}) {
    INFO(text);
    CHECK(Error(text) != "");
  }
  CHECK(Error(std::string("1\0", 2)) != "");
  CHECK(Error(std::string("\"\0\"", 3)) != "");
}

TEST_CASE("strict json: a key occurs once in its object", "[json]") {
  CHECK(Error("{\"a\": 1,\n\"b\": 2,\n\"a\": 3}") == "line 3: key \"a\" given twice");
  CHECK(Error("[{\"a\": 1}, {\"a\": 2}]") == "");
  CHECK(Error("{\"a\": {\"a\": 1}}") == "");
}

TEST_CASE("strict json: keys have one spelling", "[json]") {
  CHECK(Error("{\"maxBytes\": 1}") == "line 1: key \"maxBytes\" may hold only a-z, 0-9 and \"_\"");
  CHECK(Error("{\"\\u0061\": 1}") != "");
}

TEST_CASE("strict json: depth is bounded", "[json]") {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(Error(nested(kJsonDepthMax)) == "");
  CHECK(Error(nested(kJsonDepthMax + 1)) == "line 1: nested too deep");
  CHECK(Error(std::string(1'000'000, '[')) == "line 1: nested too deep");
  CHECK(Error(std::string(1'000'000, '{')) != "");
}

}  // namespace vigil::ledger
