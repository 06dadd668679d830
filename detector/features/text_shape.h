// What a text looks like, in integers: lengths, shares, character entropy; parts of a URL or name.
#ifndef VIGIL_DETECTOR_FEATURES_TEXT_SHAPE_H_
#define VIGIL_DETECTOR_FEATURES_TEXT_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detector/features/hash.h"

namespace vigil::detector {

// Texts longer than this are judged by their first bytes; the limits of the wire are below it.
inline constexpr size_t kShapeBytesMax = 65'535;

struct TextShape {
  uint32_t length = 0;              // Bytes.
  uint32_t distinct = 0;            // Different byte values.
  uint32_t entropy_q8 = 0;          // Empirical entropy per byte, 1/256 bit, 0 .. 2048.
  uint32_t digit_permille = 0;      // Share of [0-9].
  uint32_t symbol_permille = 0;     // Share of bytes that are neither ASCII letter nor digit.
  uint32_t uppercase_permille = 0;  // Share of [A-Z].
  uint32_t word_count = 0;          // Runs of bytes other than space and tab.
  uint32_t word_longest = 0;        // Bytes of the longest such run.
};
TextShape ShapeOf(std::string_view text);

// The pieces of "scheme://host:port/path?query", of "/path?query", or of a bare domain name. Views
// into the text; a missing piece is empty. No decoding: an escape stays an escape.
struct UrlParts {
  std::string_view host;   // Without port, user name and trailing dot.
  std::string_view path;   // From the first slash to the query, slash included.
  std::string_view query;  // After the question mark.
};
UrlParts SplitUrl(std::string_view text);

struct NameShape {
  uint32_t label_count = 0;
  uint32_t label_longest = 0;        // Bytes.
  std::string_view last_label;       // "org"; "" for an IPv4 literal.
  std::string_view last_two_labels;  // "example.org"; the whole for an IPv4 literal.
};
NameShape ShapeOfName(std::string_view host);

// The extension of the last path segment without its dot; empty if there is none within 8 bytes.
std::string_view ExtensionOf(std::string_view path);

// A 64-bit stand-in for a category's name. Up to 7 bytes are embedded, so that different short
// names never collide; longer ones are hashed to 62 bits. Never kMissing.
int64_t TokenOf(std::string_view text, Hash32 hash);
// The same after folding A-Z to a-z.
int64_t FoldedTokenOf(std::string_view text, Hash32 hash);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FEATURES_TEXT_SHAPE_H_
