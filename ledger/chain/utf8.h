// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef VIGIL_LEDGER_CHAIN_UTF8_H_
#define VIGIL_LEDGER_CHAIN_UTF8_H_

#include "ledger/base/bytes.h"

namespace vigil::ledger {

// Whether `text` is well-formed UTF-8 from its first byte to its last. Pure; linear time, eight
// bytes at a time while they are ASCII.
bool IsValidUtf8(ByteSpan text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_UTF8_H_
