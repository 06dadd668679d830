// Text of others, made harmless for the terminals and editors that show it.
//
// Log lines, file names and answers of validators may hold control sequences, and characters that
// make text read in another order than it is written. Pure; thread-safe.
#ifndef VIGIL_CLIENT_LIB_TERMINAL_TEXT_H_
#define VIGIL_CLIENT_LIB_TERMINAL_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace vigil::client {

struct Utf8Character {
  uint32_t code = 0;
  size_t size = 0;  // Bytes; 0: the first byte begins no UTF-8 character.
};

// The character at the front of `text` (RFC 3629). REQUIRES: `text` is not empty.
Utf8Character FirstUtf8Character(absl::string_view text);

// `text` with '?' for every control character (C0, U+007F, C1), bidirectional control (U+061C,
// U+200E, U+200F, U+202A-202E, U+2066-2069), line or paragraph separator, and byte that is not
// UTF-8.
std::string ForTerminal(absl::string_view text);

// JSON with the same characters inside its texts written as \uXXXX, which means the same. What JSON
// has outside of texts stays, and so do bytes that are not UTF-8.
std::string ForTerminalJson(absl::string_view json);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_TERMINAL_TEXT_H_
