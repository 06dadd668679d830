#include "client/cli/html.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/lib/terminal_text.h"

namespace vigil::client {
namespace {

struct CodeRange {
  uint32_t first = 0;
  uint32_t last = 0;
};

// Unicode 15: categories Cc, Zl, Zp; Bidi_Control; Default_Ignorable_Code_Point; spaces that are
// not U+0020; private use and noncharacters. Ascending.
constexpr CodeRange kUnseen[] = {
    {0x0000, 0x001F},   {0x007F, 0x00A0},    {0x00AD, 0x00AD},   {0x034F, 0x034F},
    {0x061C, 0x061C},   {0x115F, 0x1160},    {0x1680, 0x1680},   {0x17B4, 0x17B5},
    {0x180B, 0x180F},   {0x2000, 0x200F},    {0x2028, 0x202F},   {0x205F, 0x206F},
    {0x2800, 0x2800},   {0x3000, 0x3000},    {0x3164, 0x3164},   {0xE000, 0xF8FF},
    {0xFDD0, 0xFDEF},   {0xFE00, 0xFE0F},    {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},    {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF}, {0xF0000, 0x10FFFF},
};

bool IsUnseen(uint32_t code) {
  const auto* const at = std::ranges::lower_bound(kUnseen, code, {}, &CodeRange::last);
  return at != std::end(kUnseen) && code >= at->first;
}

void AppendMark(absl::string_view mark, std::string* out) {
  absl::StrAppend(out, "<span class=\"x\">", mark, "</span>");
}

void AppendCharacter(absl::string_view character, std::string* out) {
  switch (character[0]) {
    case '&':
      return absl::StrAppend(out, "&amp;");
    case '<':
      return absl::StrAppend(out, "&lt;");
    case '>':
      return absl::StrAppend(out, "&gt;");
    case '"':
      return absl::StrAppend(out, "&quot;");
    case '\'':
      return absl::StrAppend(out, "&#39;");
    default:
      return absl::StrAppend(out, character);
  }
}

}  // namespace

std::string HtmlText(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character first = FirstUtf8Character(text);
    const size_t size = first.size == 0 ? 1 : first.size;
    if (first.size == 0) {
      AppendMark(absl::StrFormat("\\x%02X", static_cast<uint8_t>(text[0])), &out);
    } else if (IsUnseen(first.code)) {
      AppendMark(absl::StrFormat("\\u{%04X}", first.code), &out);
    } else {
      AppendCharacter(text.substr(0, size), &out);
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace vigil::client
