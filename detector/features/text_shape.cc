#include "detector/features/text_shape.h"

#include <algorithm>
#include <array>
#include <string>

#include "detector/features/codec.h"
#include "detector/features/integer_log.h"

namespace vigil::detector {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

uint32_t Permille(uint32_t part, uint32_t whole) { return whole == 0 ? 0 : part * 1000 / whole; }

// lg(n) - sum c lg(c) / n, the entropy of counts c that sum to n.
uint32_t EntropyQ8(const std::array<uint32_t, 256>& counts, uint32_t total) {
  int64_t weighted_q16 = 0;
  for (const uint32_t count : counts) {
    if (count > 1) weighted_q16 += int64_t{count} * Log2Q16(count);
  }
  const int64_t entropy_q16 = Log2Q16(total) - weighted_q16 / total;
  return static_cast<uint32_t>(std::max<int64_t>(0, (entropy_q16 + 128) >> 8));
}

}  // namespace

TextShape ShapeOf(std::string_view text) {
  TextShape shape;
  text = text.substr(0, kShapeBytesMax);
  if (text.empty()) return shape;
  std::array<uint32_t, 256> counts{};
  uint32_t digits = 0, uppers = 0, letters = 0, word = 0;
  for (const char c : text) {
    ++counts[static_cast<uint8_t>(c)];
    digits += IsDigit(c);
    uppers += IsUpper(c);
    letters += IsUpper(c) || IsLower(c);
    const bool blank = c == ' ' || c == '\t';
    word = blank ? 0 : word + 1;
    shape.word_count += word == 1;
    shape.word_longest = std::max(shape.word_longest, word);
  }
  shape.length = static_cast<uint32_t>(text.size());
  shape.distinct = static_cast<uint32_t>(
      std::count_if(counts.begin(), counts.end(), [](uint32_t count) { return count > 0; }));
  shape.entropy_q8 = EntropyQ8(counts, shape.length);
  shape.digit_permille = Permille(digits, shape.length);
  shape.symbol_permille = Permille(shape.length - letters - digits, shape.length);
  shape.uppercase_permille = Permille(uppers, shape.length);
  return shape;
}

UrlParts SplitUrl(std::string_view text) {
  UrlParts parts;
  const size_t scheme = text.find("://");
  const bool has_scheme = scheme != std::string_view::npos && scheme <= 16;
  if (has_scheme) text.remove_prefix(scheme + 3);
  const size_t query = text.find('?');
  if (query != std::string_view::npos) {
    parts.query = text.substr(query + 1);
    text = text.substr(0, query);
  }
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) parts.path = text.substr(slash);
  parts.host = text.substr(0, slash);
  const size_t user = parts.host.rfind('@');
  if (user != std::string_view::npos) parts.host.remove_prefix(user + 1);
  const size_t port = parts.host.find(':');
  if (port != std::string_view::npos && parts.host.find(':', port + 1) == std::string_view::npos) {
    parts.host = parts.host.substr(0, port);
  }
  if (!parts.host.empty() && parts.host.back() == '.') parts.host.remove_suffix(1);
  return parts;
}

NameShape ShapeOfName(std::string_view host) {
  NameShape shape;
  if (host.empty()) return shape;
  const bool literal =
      std::all_of(host.begin(), host.end(), [](char c) { return IsDigit(c) || c == '.'; });
  uint32_t label = 0;
  shape.label_count = 1;
  for (const char c : host) {
    label = c == '.' ? 0 : label + 1;
    shape.label_count += c == '.';
    shape.label_longest = std::max(shape.label_longest, label);
  }
  shape.last_two_labels = host;
  if (literal) return shape;
  const size_t last = host.rfind('.');
  shape.last_label = last == std::string_view::npos ? host : host.substr(last + 1);
  if (last == std::string_view::npos || last == 0) return shape;
  const size_t second = host.rfind('.', last - 1);
  if (second != std::string_view::npos) shape.last_two_labels = host.substr(second + 1);
  return shape;
}

std::string_view ExtensionOf(std::string_view path) {
  const size_t slash = path.find_last_of("/\\");
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return {};
  path.remove_prefix(dot + 1);
  return path.size() <= 8 ? path : std::string_view();
}

int64_t TokenOf(std::string_view text, Hash32 hash) {
  constexpr size_t kEmbeddedMax = 7;
  uint64_t token = 0;
  if (text.size() <= kEmbeddedMax) {
    for (const char c : text) token = token << 8 | static_cast<uint8_t>(c);
    return static_cast<int64_t>(uint64_t{text.size()} << 56 | token);
  }
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/token/v1")
      .Raw({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  const Digest digest = hash(writer.bytes());
  for (int i = 7; i >= 0; --i) token = token << 8 | digest[i];
  return static_cast<int64_t>(token | uint64_t{1} << 63 | 1);  // The low bit keeps off kMissing.
}

int64_t FoldedTokenOf(std::string_view text, Hash32 hash) {
  if (std::none_of(text.begin(), text.end(), IsUpper)) return TokenOf(text, hash);
  std::string folded(text);
  for (char& c : folded) {
    if (IsUpper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return TokenOf(folded, hash);
}

}  // namespace vigil::detector
