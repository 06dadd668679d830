#include "client/lib/terminal_text.h"

#include "absl/strings/str_format.h"

namespace vigil::client {
namespace {

// Unicode: Bidi_Control, and categories Cc, Zl and Zp.
bool IsUnsafe(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C || code == 0x200E ||
         code == 0x200F || (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

Utf8Character FirstUtf8Character(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return {.code = byte(0), .size = 1};
  const size_t size = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < size) return {};
  uint32_t code = byte(0) & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[size] || code > 0x10FFFF || surrogate) return {};
  return {.code = code, .size = size};
}

std::string ForTerminal(absl::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character first = FirstUtf8Character(text);
    const size_t size = first.size == 0 ? 1 : first.size;
    if (first.size == 0 || IsUnsafe(first.code)) {
      safe.push_back('?');
    } else {
      safe.append(text.data(), size);
    }
    text.remove_prefix(size);
  }
  return safe;
}

std::string ForTerminalJson(absl::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  while (!json.empty()) {
    const Utf8Character first = FirstUtf8Character(json);
    const size_t size = first.size == 0 ? 1 : first.size;
    // Below U+0020 there are the line ends between values alone: in texts they are escaped already.
    if (first.code >= 0x7F && IsUnsafe(first.code)) {
      safe.append(absl::StrFormat("\\u%04x", first.code));
    } else {
      safe.append(json.data(), size);
    }
    json.remove_prefix(size);
  }
  return safe;
}

}  // namespace vigil::client
