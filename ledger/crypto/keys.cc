#include "ledger/crypto/keys.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "ledger/base/check.h"
#include "ledger/crypto/sha256.h"

namespace vigil::ledger {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == PublicKey::size());
static_assert(crypto_sign_BYTES == Signature::size());
static_assert(crypto_sign_SECRETKEYBYTES == 64 && crypto_sign_SEEDBYTES == 32);

constexpr absl::string_view kKeyIdTag("vigil/key/v1\0", 13);

// Picks libsodium's implementations for this CPU and opens its random source; once.
void InitSodium() {
  static const bool kReady = sodium_init() >= 0;
  VIGIL_CHECK(kReady, "sodium_init");
}

}  // namespace

bool VerifySignature(const PublicKey& key, ByteSpan message, const Signature& signature) {
  InitSodium();
  return crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(),
                                     key.bytes.data()) == 0;
}

bool IsValidPublicKey(const PublicKey& key) {
  InitSodium();
  return crypto_core_ed25519_is_valid_point(key.bytes.data()) == 1;
}

KeyId KeyIdOf(const PublicKey& key) {
  const Hash hash = Sha256({AsBytes(kKeyIdTag), key.span()});
  KeyId id;
  std::copy_n(hash.bytes.begin(), KeyId::size(), id.bytes.begin());
  return id;
}

SigningKey SigningKey::Generate() {
  InitSodium();
  SigningKey key;
  VIGIL_CHECK(crypto_sign_keypair(key.public_key_.bytes.data(), key.secret_.data()) == 0,
              "crypto_sign_keypair");
  return key;
}

SigningKey SigningKey::FromSeed(const std::array<uint8_t, 32>& seed) {
  InitSodium();
  SigningKey key;
  VIGIL_CHECK(
      crypto_sign_seed_keypair(key.public_key_.bytes.data(), key.secret_.data(), seed.data()) == 0,
      "crypto_sign_seed_keypair");
  return key;
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : public_key_(other.public_key_), secret_(other.secret_) {
  sodium_memzero(other.secret_.data(), other.secret_.size());
  other.public_key_ = PublicKey();
}

SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  if (this == &other) return *this;
  public_key_ = other.public_key_;
  secret_ = other.secret_;
  sodium_memzero(other.secret_.data(), other.secret_.size());
  other.public_key_ = PublicKey();
  return *this;
}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

Signature SigningKey::Sign(ByteSpan message) const {
  VIGIL_CHECK(!public_key_.IsZero(), "signing with a key that was moved away");
  Signature signature;
  VIGIL_CHECK(crypto_sign_detached(signature.bytes.data(), nullptr, message.data(), message.size(),
                                   secret_.data()) == 0,
              "crypto_sign_detached");
  return signature;
}

std::string RandomBytes(size_t size) {
  InitSodium();
  std::string bytes(size, '\0');
  randombytes_buf(bytes.data(), size);
  return bytes;
}

SaltSource::SaltSource() {
  InitSodium();
  randombytes_buf(seed_.data(), seed_.size());
}

SaltSource::SaltSource(const std::array<uint8_t, 32>& seed) : seed_(seed) { InitSodium(); }

SaltSource::~SaltSource() {
  sodium_memzero(seed_.data(), seed_.size());
  sodium_memzero(pool_.data(), pool_.size());
}

std::array<uint8_t, 16> SaltSource::Next() {
  std::array<uint8_t, 16> salt;
  if (used_ + salt.size() > pool_.size()) Refill();
  std::copy_n(pool_.begin() + used_, salt.size(), salt.begin());
  sodium_memzero(pool_.data() + used_, salt.size());
  used_ += salt.size();
  return salt;
}

// The first 32 bytes of each pool replace the seed, so that memory read later does not tell the
// salts of events that are still confidential ("fast key erasure").
void SaltSource::Refill() {
  static constexpr std::array<uint8_t, crypto_stream_chacha20_NONCEBYTES> kNonce{};
  VIGIL_CHECK(crypto_stream_chacha20(pool_.data(), pool_.size(), kNonce.data(), seed_.data()) == 0,
              "crypto_stream_chacha20");
  std::copy_n(pool_.begin(), seed_.size(), seed_.begin());
  sodium_memzero(pool_.data(), seed_.size());
  used_ = seed_.size();
}

}  // namespace vigil::ledger
