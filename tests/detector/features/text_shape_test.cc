#include "detector/features/text_shape.h"

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "detector/features/schema.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Sha256;

TEST_CASE("test hash: agrees with the vectors of FIPS 180-4", "[detector]") {
  CHECK(testing::Hex(Sha256("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(testing::Hex(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(testing::Hex(Sha256("")) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("text shape: entropy agrees with its definition", "[detector]") {
  const uint64_t seed = testing::TestSeed(2);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    const uint64_t alphabet = 1 + random.Below(256);
    for (uint64_t i = 0, size = 1 + random.Below(2000); i < size; ++i) {
      text += static_cast<char>(random.Below(alphabet));
    }
    std::map<char, double> counts;
    for (const char c : text) ++counts[c];
    double entropy = 0;
    for (const auto& [c, count] : counts)
      entropy -= count / text.size() * std::log2(count / text.size());
    const TextShape shape = ShapeOf(text);
    CHECK(std::abs(static_cast<double>(shape.entropy_q8) - entropy * 256) <= 1.0);
    CHECK(shape.distinct == counts.size());
  }
}

TEST_CASE("text shape: shares and words are counted", "[detector]") {
  const TextShape shape = ShapeOf("Ab1  cd-22\tE");
  CHECK(shape.length == 12);
  CHECK(shape.word_count == 3);
  CHECK(shape.word_longest == 5);
  CHECK(shape.digit_permille == 250);
  CHECK(shape.uppercase_permille == 166);
  CHECK(shape.symbol_permille == 333);  // Three blanks and a dash.
  CHECK(ShapeOf("").length == 0);
  CHECK(ShapeOf("aaaa").entropy_q8 == 0);
}

TEST_CASE("url: is split into host and path and query", "[detector]") {
  struct Row {
    const char *text, *host, *path, *query;
  };
  const Row row =
      GENERATE(Row{"http://user@example.org:8080/a/b?x=1&y", "example.org", "/a/b", "x=1&y"},
               Row{"example.org.", "example.org", "", ""},
               Row{"/only/path?q", "", "/only/path", "q"}, Row{"host/p", "host", "/p", ""},
               Row{"https://h?next=http://evil/x", "h", "", "next=http://evil/x"},
               Row{"", "", "", ""}, Row{"?", "", "", ""}, Row{"://", "", "", ""},
               Row{"http://[2001:db8::1]/x", "[2001:db8::1]", "/x", ""});
  CAPTURE(row.text);
  const UrlParts parts = SplitUrl(row.text);
  CHECK(parts.host == row.host);
  CHECK(parts.path == row.path);
  CHECK(parts.query == row.query);
}

TEST_CASE("name: labels are counted and the last ones found", "[detector]") {
  const NameShape shape = ShapeOfName("a.longest-label.example.org");
  CHECK(shape.label_count == 4);
  CHECK(shape.label_longest == 13);
  CHECK(shape.last_label == "org");
  CHECK(shape.last_two_labels == "example.org");
  CHECK(ShapeOfName("localhost").last_two_labels == "localhost");
  CHECK(ShapeOfName("192.0.2.7").last_label.empty());
  CHECK(ShapeOfName("192.0.2.7").last_two_labels == "192.0.2.7");
  CHECK(ShapeOfName(".").label_count == 2);
  CHECK(ShapeOfName("").label_count == 0);
  CHECK(ExtensionOf("/a.b/c.tar.gz") == "gz");
  CHECK(ExtensionOf("C:\\x.y\\run").empty());
  CHECK(ExtensionOf("a.muchtoolong").empty());
}

TEST_CASE("token: different names get different tokens and none is missing", "[detector]") {
  std::set<int64_t> tokens;
  std::set<std::string> names;
  for (int i = 0; i < 3000; ++i) {
    names.insert(std::to_string(i));
    names.insert("a longer name " + std::to_string(i));
    names.insert(std::string(static_cast<size_t>(i % 9), '\0'));
  }
  for (const std::string& name : names) tokens.insert(TokenOf(name, Sha256));
  CHECK(tokens.size() == names.size());
  CHECK(tokens.count(kMissing) == 0);
  CHECK(FoldedTokenOf("PowerShell.EXE", Sha256) == TokenOf("powershell.exe", Sha256));
  CHECK(TokenOf("http", Sha256) == 0x0400000068747470);
}

TEST_CASE("token: a hash of zero is still not missing", "[detector]") {
  const Hash32 zero = [](std::span<const uint8_t>) { return Digest{}; };
  CHECK(TokenOf("longer than seven", zero) != kMissing);
}

}  // namespace
}  // namespace vigil::detector
