#include "client/cli/html.h"

#include <random>
#include <string>

#include "tests/support/catch.h"

namespace vigil::client {

TEST_CASE("page: markup in text is text", "[page]") {
  CHECK(HtmlText("<script>alert(1)</script>") == "&lt;script&gt;alert(1)&lt;/script&gt;");
  CHECK(HtmlText("a&amp;\"b\"'c'") == "a&amp;amp;&quot;b&quot;&#39;c&#39;");
  CHECK(HtmlText("Grüße, 東京") == "Grüße, 東京");
}

TEST_CASE("page: what cannot be seen is made visible and nothing is lost", "[page]") {
  CHECK(HtmlText("a\nb") == "a<span class=\"x\">\\u{000A}</span>b");
  CHECK(HtmlText("\xE2\x80\xAE") == "<span class=\"x\">\\u{202E}</span>");
  CHECK(HtmlText("\xE2\x80\x8B") == "<span class=\"x\">\\u{200B}</span>");
  CHECK(HtmlText("\xEF\xBB\xBF") == "<span class=\"x\">\\u{FEFF}</span>");
  CHECK(HtmlText("\xC2\xAD") == "<span class=\"x\">\\u{00AD}</span>");
  CHECK(HtmlText("\xF3\xA0\x81\x81") == "<span class=\"x\">\\u{E0041}</span>");
  CHECK(HtmlText("\xFF") == "<span class=\"x\">\\xFF</span>");
  // Overlong, surrogate, beyond Unicode, cut off: each byte for itself.
  CHECK(HtmlText("\xC0\xBC") == "<span class=\"x\">\\xC0</span><span class=\"x\">\\xBC</span>");
  CHECK(HtmlText("\xE2\x80") == "<span class=\"x\">\\xE2</span><span class=\"x\">\\x80</span>");
  CHECK(HtmlText("\\u{202E}") == "\\u{202E}");
}

TEST_CASE("page: any bytes make text without markup of their own", "[page]") {
  const uint32_t seed = Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 12, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 3 == 0 ? "<>&\"'/"[random() % 6] : random());
    std::string html = HtmlText(text);
    for (const std::string mark : {"<span class=\"x\">", "</span>"}) {
      for (size_t at = html.find(mark); at != std::string::npos; at = html.find(mark))
        html.erase(at, mark.size());
    }
    CHECK(html.find_first_of("<>\"'") == std::string::npos);
  }
}

}  // namespace vigil::client
