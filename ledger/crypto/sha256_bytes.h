// SHA-256 as a plain function over bytes, for code that is given its hash as a function and knows
// nothing of this folder (detector/features/hash.h).
#ifndef VIGIL_LEDGER_CRYPTO_SHA256_BYTES_H_
#define VIGIL_LEDGER_CRYPTO_SHA256_BYTES_H_

#include <array>
#include <cstdint>
#include <span>

#include "ledger/crypto/sha256.h"

namespace vigil::ledger {

inline std::array<uint8_t, 32> Sha256Bytes(std::span<const uint8_t> bytes) {
  return Sha256(bytes).bytes;
}

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CRYPTO_SHA256_BYTES_H_
