#include "ledger/crypto/short_hash.h"

#include <sodium.h>

#include <array>

namespace vigil::ledger {

uint64_t ShortHash(const ShortHashKey& key, ByteSpan bytes) {
  static_assert(crypto_shorthash_siphash24_BYTES == 8);
  static_assert(crypto_shorthash_siphash24_KEYBYTES == ShortHashKey::size());
  std::array<uint8_t, crypto_shorthash_siphash24_BYTES> out;
  crypto_shorthash_siphash24(out.data(), bytes.data(), bytes.size(), key.bytes.data());
  uint64_t hash = 0;
  for (size_t i = 0; i < out.size(); ++i) hash |= uint64_t{out[i]} << (8 * i);
  return hash;
}

}  // namespace vigil::ledger
