// SHA-256 (FIPS 180-4) with the CPU's instructions, through OpenSSL.
#ifndef VIGIL_LEDGER_CRYPTO_SHA256_H_
#define VIGIL_LEDGER_CRYPTO_SHA256_H_

#include <initializer_list>
#include <memory>

#include "ledger/base/bytes.h"

namespace vigil::ledger {

// SHA-256 of the parts put together. Thread-safe; each thread reuses one context.
Hash Sha256(ByteSpan bytes);
Hash Sha256(std::initializer_list<ByteSpan> parts);

// Hashes a message that comes in pieces. Belongs to one thread.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  Sha256Stream& Update(ByteSpan bytes);
  // The hash of everything so far; the stream starts afresh.
  Hash Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CRYPTO_SHA256_H_
