// Ed25519 keys (RFC 8032) through libsodium, which alone decides whether a signature is valid.
#ifndef VIGIL_LEDGER_CRYPTO_KEYS_H_
#define VIGIL_LEDGER_CRYPTO_KEYS_H_

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::ledger {

// True iff `signature` is `key`'s over `message`. Thread-safe.
//
// Accepts exactly what libsodium accepts, which is stricter than RFC 8032: S below the group order,
// R and the key canonical and not of small order, and S*B = R + k*A without the cofactor, compared
// byte by byte (tests/ledger/crypto/accept_profile_test.cc).
bool VerifySignature(const PublicKey& key, ByteSpan message, const Signature& signature);

// Whether `key` may be enrolled: a canonical point of the main subgroup
// (crypto_core_ed25519_is_valid_point). Small-order and malformed keys are refused.
bool IsValidPublicKey(const PublicKey& key);

// First 16 bytes of SHA-256("vigil/key/v1" 00 | key).
KeyId KeyIdOf(const PublicKey& key);

// A private key; wiped from memory when destroyed. Movable, not copyable; Sign() is thread-safe.
class SigningKey {
 public:
  // A fresh key from the system's random source.
  static SigningKey Generate();
  // The key of a 32-byte seed. Only tests and the deterministic local network use fixed seeds.
  static SigningKey FromSeed(const std::array<uint8_t, 32>& seed);
  // Reads a key file (docs/formats/key_file.md).
  // Errors: kNotFound; kPermissionDenied when group or others may do anything with it, or it is not
  // ours to read; kInvalidArgument when it is not exactly a key file, or its public key is not the
  // seed's; kUnavailable with the errno text.
  static absl::StatusOr<SigningKey> Load(const std::string& path);

  SigningKey(SigningKey&& other) noexcept;
  SigningKey& operator=(SigningKey&& other) noexcept;
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey();

  // Writes a new key file, mode 0600, synced with its directory. `name` is for people: 1 to
  // kNameBytesMax printable ASCII characters without a space at either end. The file appears whole
  // or not at all.
  // Errors: kAlreadyExists, never overwrites; kInvalidArgument for the name; kUnavailable with the
  // errno text.
  absl::Status Save(const std::string& path, absl::string_view name) const;

  Signature Sign(ByteSpan message) const;
  const PublicKey& public_key() const { return public_key_; }
  KeyId id() const { return KeyIdOf(public_key_); }

 private:
  SigningKey() = default;
  PublicKey public_key_;
  std::array<uint8_t, 64> secret_{};
};

// Writes another secret than a signing key to a new file, as Save() does.
// Errors: kAlreadyExists; kUnavailable with the errno text.
absl::Status SaveSecret(const std::string& path, absl::string_view text);

// `size` bytes from the system's random source. Thread-safe.
std::string RandomBytes(size_t size);

// Salts for events: expands a 32-byte random seed with ChaCha20 instead of asking the system for
// each (7 ns against 299). Forgets what it gave out. Belongs to one thread.
class SaltSource {
 public:
  SaltSource();
  // Gives the same salts for the same seed: for tests only.
  explicit SaltSource(const std::array<uint8_t, 32>& seed);
  ~SaltSource();
  SaltSource(const SaltSource&) = delete;
  SaltSource& operator=(const SaltSource&) = delete;
  std::array<uint8_t, 16> Next();

 private:
  void Refill();
  std::array<uint8_t, 32> seed_;
  std::array<uint8_t, 4096> pool_;
  size_t used_ = 4096;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CRYPTO_KEYS_H_
