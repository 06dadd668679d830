// Bytes of key files (docs/formats/key_file.md), for who reads and writes them through a FileSystem
// of its own; SigningKey::Load() and Save() are for files of the machine.
#ifndef VIGIL_LEDGER_CRYPTO_KEY_FILE_H_
#define VIGIL_LEDGER_CRYPTO_KEY_FILE_H_

#include <array>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/crypto/keys.h"

namespace vigil::ledger {

using KeySeed = std::array<uint8_t, 32>;

// From the system's random source.
KeySeed RandomKeySeed();

// The file of the key with this seed. REQUIRES: `name` is one that SigningKey::Save() takes.
std::string EncodeKeyFile(absl::string_view name, const KeySeed& seed);
// Errors: kInvalidArgument, naming `path`, when it is not exactly a key file.
absl::StatusOr<SigningKey> DecodeKeyFile(absl::string_view file, absl::string_view path);

// Wipes what held a secret.
void WipeSecret(std::string* text);
void WipeSecret(KeySeed* seed);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CRYPTO_KEY_FILE_H_
