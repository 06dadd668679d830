#include "ledger/log/text.h"

#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

TEST_CASE("text: decimals have one form and a maximum", "[log]") {
  CHECK(*DecodeDecimal("0", 0) == 0);
  CHECK(*DecodeDecimal("109482", 200'000) == 109'482);
  CHECK(*DecodeDecimal("18446744073709551615", ~0ULL) == ~0ULL);
  for (const char* bad : {"", "00", "07", "+7", "-7", " 7", "7 ", "0x7", "7\n", "seven", "11",
                          "18446744073709551616"}) {
    INFO(bad);
    CHECK(absl::IsInvalidArgument(DecodeDecimal(bad, 10).status()));
  }
}

TEST_CASE("text: base64 has one form", "[log]") {
  // RFC 4648 section 10.
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"Zg==", "f"},
                                                         {"Zm8=", "fo"},
                                                         {"Zm9v", "foo"},
                                                         {"Zm9vYg==", "foob"},
                                                         {"Zm9vYmE=", "fooba"},
                                                         {"Zm9vYmFy", "foobar"}};
  for (const auto& [text, raw] : vectors) CHECK(*DecodeBase64(text) == raw);
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9=", " Zm9v", "Zm9v\n", "Zm 9v",
                          "Zm9v====", "Zm9-", "Zm9_", "Z", "="}) {
    INFO(bad);
    CHECK(absl::IsInvalidArgument(DecodeBase64(bad).status()));
  }
}

TEST_CASE("text: a hash line is one hash", "[log]") {
  // SHA-256 of nothing.
  const std::string line = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  const absl::StatusOr<Hash> hash = DecodeBase64Hash(line);
  REQUIRE(hash.ok());
  CHECK(hash->ToHex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(EncodeBase64Hash(*hash) == line);
  CHECK(absl::IsInvalidArgument(DecodeBase64Hash("").status()));
  CHECK(absl::IsInvalidArgument(DecodeBase64Hash("AAAA").status()));
  CHECK(absl::IsInvalidArgument(DecodeBase64Hash(line + line).status()));
}

TEST_CASE("text: what a message quotes is escaped and cut", "[log]") {
  CHECK(Quoted("a\nb") == "'a\\nb'");
  CHECK(Quoted(std::string(80, 'x')) == "'" + std::string(80, 'x') + "'");
  CHECK(Quoted(std::string(81, 'x')) == "'" + std::string(80, 'x') + "...'");
}

TEST_CASE("text: lines are taken one by one and messages count them", "[log]") {
  LineReader lines("thing", "one\n\nindex 5\nrest");
  CHECK(*lines.Next() == "one");
  CHECK(lines.Next()->empty());
  CHECK(lines.NextIs("index"));
  CHECK_FALSE(lines.NextIs("inde"));
  CHECK(lines.NextDecimal("index", 5).value() == 5);
  CHECK(lines.rest() == "rest");
  CHECK(lines.Next().status().message() == "thing: line 4: not ended by a newline");
}

TEST_CASE("text: a line without its word or with a bad number behind it is named", "[log]") {
  CHECK(LineReader("t", "indexx 5\n").NextDecimal("index", 9).status().message() ==
        "t: line 1: does not begin with 'index '");
  CHECK(LineReader("t", "index  5\n").NextDecimal("index", 9).status().message() ==
        "t: line 1: ' 5' is no decimal from 0 to 9");
  CHECK(LineReader("t", "index 10\n").NextDecimal("index", 9).status().message() ==
        "t: line 1: '10' is no decimal from 0 to 9");
}

TEST_CASE("text: path lines are 0 to 63 hashes and an empty line", "[log]") {
  for (size_t count : {size_t{0}, size_t{1}, kProofHashesMax}) {
    const std::vector<Hash> path(count);
    const std::string text = EncodePathLines(path) + "rest";
    LineReader lines("path", text);
    CHECK(*ReadPathLines(&lines) == path);
    CHECK(lines.rest() == "rest");
  }
  const std::string many = EncodePathLines(std::vector<Hash>(kProofHashesMax + 1));
  LineReader too_many("path", many);
  CHECK(ReadPathLines(&too_many).status().message() == "path: line 64: more than 63 hashes");
  LineReader bad("path", "AAAA\n\n");
  CHECK(ReadPathLines(&bad).status().message() == "path: line 1: 3 bytes where 32 belong");
  LineReader no_end("path", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
  CHECK(absl::IsInvalidArgument(ReadPathLines(&no_end).status()));
}

}  // namespace
}  // namespace vigil::ledger
