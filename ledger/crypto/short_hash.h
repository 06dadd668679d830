// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed 64-bit hash for tables and checksums.
//
// Who does not know the key cannot make collisions. Never part of anything validators agree on.
#ifndef VIGIL_LEDGER_CRYPTO_SHORT_HASH_H_
#define VIGIL_LEDGER_CRYPTO_SHORT_HASH_H_

#include <cstdint>

#include "ledger/base/bytes.h"

namespace vigil::ledger {

using ShortHashKey = FixedBytes<struct ShortHashKeyTag, 16>;

// Thread-safe.
uint64_t ShortHash(const ShortHashKey& key, ByteSpan bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CRYPTO_SHORT_HASH_H_
