// Letters, digits and a few signs as five by seven dots.
#ifndef VIGIL_CLIENT_TABLE_DOT_FONT_H_
#define VIGIL_CLIENT_TABLE_DOT_FONT_H_

#include <array>
#include <cstdint>

namespace vigil::client {

// Seven rows from the top; bit 4 is the leftmost dot. Small letters are shown as capitals; what the
// font does not have is blank.
std::array<uint8_t, 7> DotGlyph(char c);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_DOT_FONT_H_
