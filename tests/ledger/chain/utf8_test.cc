#include "ledger/chain/utf8.h"

#include <string>

#include "ledger/base/random.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

// The definition, decoded one code point at a time (RFC 3629).
bool SlowIsUtf8(const std::string& text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto at = [&](size_t k) -> uint32_t { return static_cast<uint8_t>(text[k]); };
    const uint32_t lead = at(i);
    const size_t size = lead < 0x80           ? 1
                        : (lead >> 5) == 0x06 ? 2
                        : (lead >> 4) == 0x0E ? 3
                        : (lead >> 3) == 0x1E ? 4
                                              : 0;
    if (size == 0 || i + size > text.size()) return false;
    uint32_t code = size == 1 ? lead : lead & (0xFF >> (size + 1));
    for (size_t k = 1; k < size; ++k) {
      if ((at(i + k) & 0xC0) != 0x80) return false;
      code = code << 6 | (at(i + k) & 0x3F);
    }
    static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      return false;
    }
    i += size;
  }
  return true;
}

}  // namespace

TEST_CASE("utf8: every sequence of up to three bytes is judged as its definition says", "[utf8]") {
  for (uint32_t value = 0; value < (1u << 24); value += 1) {
    // Continuation bytes beyond the first matter only after a lead byte.
    if ((value >> 16) < 0xC0 && (value & 0xFF) != 0x41) continue;
    const std::string text(
        {static_cast<char>(value >> 16), static_cast<char>(value >> 8), static_cast<char>(value)});
    if (IsValidUtf8(AsBytes(text)) != SlowIsUtf8(text)) FAIL(HexEncode(AsBytes(text)));
  }
}

TEST_CASE("utf8: four-byte forms end at U+10FFFF and are never overlong", "[utf8]") {
  for (uint32_t lead = 0xF0; lead <= 0xFF; ++lead) {
    for (uint32_t second = 0; second < 256; ++second) {
      for (const char* tail : {"\x80\x80", "\xBF\xBF", "\x7F\x80", "\x80\xC0", "\x80"}) {
        const std::string text =
            std::string({static_cast<char>(lead), static_cast<char>(second)}) + tail;
        if (IsValidUtf8(AsBytes(text)) != SlowIsUtf8(text)) FAIL(HexEncode(AsBytes(text)));
      }
    }
  }
}

TEST_CASE("utf8: random text around the eight-byte steps is judged as its definition says",
          "[utf8]") {
  SplitMix64 random(samples::TestSeed(7));
  const std::string kPieces[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    for (uint64_t count = random.Next() % 16; count > 0; --count)
      text += kPieces[random.Next() % 4];
    REQUIRE(SlowIsUtf8(text));
    if (!IsValidUtf8(AsBytes(text))) FAIL(HexEncode(AsBytes(text)));
    if (text.empty()) continue;
    text[random.Next() % text.size()] = static_cast<char>(random.Next());
    if (IsValidUtf8(AsBytes(text)) != SlowIsUtf8(text)) FAIL(HexEncode(AsBytes(text)));
    text.pop_back();
    if (IsValidUtf8(AsBytes(text)) != SlowIsUtf8(text)) FAIL(HexEncode(AsBytes(text)));
  }
}

}  // namespace vigil::ledger
