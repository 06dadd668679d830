#include "ledger/chain/utf8.h"

#include <cstdint>
#include <cstring>

namespace vigil::ledger {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080ULL;

uint64_t Load8(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Size of the well-formed sequence that starts at `at`, or 0. RFC 3629, section 4: the bounds of
// the second byte exclude overlong forms, surrogates and code points above U+10FFFF.
size_t SequenceSize(const uint8_t* at, size_t available) {
  const uint8_t lead = at[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (available < size || !IsContinuation(at[1])) return 0;
  if (lead == 0xE0 && at[1] < 0xA0) return 0;
  if (lead == 0xED && at[1] > 0x9F) return 0;
  if (lead == 0xF0 && at[1] < 0x90) return 0;
  if (lead == 0xF4 && at[1] > 0x8F) return 0;
  for (size_t i = 2; i < size; ++i) {
    if (!IsContinuation(at[i])) return 0;
  }
  return size;
}

}  // namespace

bool IsValidUtf8(ByteSpan text) {
  const uint8_t* at = text.data();
  const uint8_t* const end = at + text.size();
  while (end - at >= 8) {
    if ((Load8(at) & kHighBits) == 0) {
      at += 8;
      continue;
    }
    const size_t size = SequenceSize(at, static_cast<size_t>(end - at));
    if (size == 0) return false;
    at += size;
  }
  // The rest is ASCII if the last eight bytes are; those before `at` only make this say no.
  if (text.size() >= 8 && (Load8(end - 8) & kHighBits) == 0) return true;
  while (at != end) {
    const size_t size = SequenceSize(at, static_cast<size_t>(end - at));
    if (size == 0) return false;
    at += size;
  }
  return true;
}

}  // namespace vigil::ledger
