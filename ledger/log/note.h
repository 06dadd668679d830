// Signed notes (C2SP signed-note) and the two Ed25519 signature types that checkpoints carry:
// a log's own signature (type 01) and a cosignature/v1 with its time (type 04, tlog-cosignature).
//
//   <text, ends with a newline>
//   <empty line>
//   — <key name> <base64 of: u32be key hash | signature>      one line per signature
//
// Pure. Nothing here decides whom to trust: callers pick keys by policy, then verify.
#ifndef VIGIL_LEDGER_LOG_NOTE_H_
#define VIGIL_LEDGER_LOG_NOTE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/crypto/keys.h"

namespace vigil::ledger {

inline constexpr size_t kNoteBytesMax = 1 << 20;
inline constexpr size_t kNoteSignaturesMax = 128;
// Others keep times in signed 64-bit numbers (C2SP tlog-cosignature).
inline constexpr uint64_t kCosignatureSecondsMax = (uint64_t{1} << 63) - 1;

// Stored: never renumber (C2SP signed-note, "Signature types").
enum class NoteKeyType : uint8_t { kEd25519 = 1, kCosignatureV1 = 4 };

// A public key with the name that stands on its signature lines.
struct NoteKey {
  std::string name;
  NoteKeyType type = NoteKeyType::kEd25519;
  PublicKey key;

  // First four bytes of SHA-256(name | 0x0A | type | key), big-endian.
  uint32_t KeyHash() const;
  bool operator==(const NoteKey&) const = default;
};

struct NoteSignature {
  std::string name;
  uint32_t key_hash = 0;
  std::string signature;  // Without the key hash. Not empty; of any type, also unknown ones.

  bool operator==(const NoteSignature&) const = default;
};

struct SignedNote {
  std::string text;  // Ends with a newline.
  std::vector<NoteSignature> signatures;

  bool operator==(const SignedNote&) const = default;
};

// Whether `name` may stand on a signature line: not empty, UTF-8 without spaces, control characters
// or '+'.
bool IsNoteKeyName(absl::string_view name);

// "<name>+<8 hex of the key hash>+<base64 of type | key>", the vkey text that tools exchange.
std::string EncodeNoteKey(const NoteKey& key);
// Errors: kInvalidArgument when not exactly that, of another type, or the key hash is not its own.
absl::StatusOr<NoteKey> DecodeNoteKey(absl::string_view text);

// REQUIRES: DecodeNote() would accept it: the text ends with a newline, and names are valid.
std::string EncodeNote(const SignedNote& note);
// Errors: kInvalidArgument on anything but a canonical signed note with 1 to kNoteSignaturesMax
// signatures, or over kNoteBytesMax.
absl::StatusOr<SignedNote> DecodeNote(absl::string_view bytes);

// Signature lines alone, as a witness answers them. REQUIRES: every name may stand there.
std::string EncodeNoteSignatures(std::span<const NoteSignature> signatures);
// Errors: kInvalidArgument on anything but 1 to kNoteSignaturesMax canonical signature lines, or
// over kNoteBytesMax.
absl::StatusOr<std::vector<NoteSignature>> DecodeNoteSignatures(absl::string_view bytes);

// Signs `text` as the log (type 01) under `name`.
NoteSignature SignNote(const SigningKey& key, absl::string_view name, absl::string_view text);
// Cosigns `text` (type 04): "I saw this at `unix_seconds`, and nothing that contradicts it before".
// REQUIRES: unix_seconds <= kCosignatureSecondsMax.
NoteSignature CosignNote(const SigningKey& key, absl::string_view name, absl::string_view text,
                         uint64_t unix_seconds);

// Checks one signature line against one key; returns the time of a cosignature, 0 for type 01.
// Errors: kNotFound when name or key hash are of another key; kDataLoss when they are this key's
// but the signature is not, or its time is above kCosignatureSecondsMax.
absl::StatusOr<uint64_t> VerifyNoteSignature(const NoteKey& key, absl::string_view text,
                                             const NoteSignature& signature);

// Checks every line of `note` that is of one of `keys`; lines of other keys are ignored. Gives for
// each key the latest time that VerifyNoteSignature() returned, or nothing when it has no line.
// Errors: kDataLoss when a line of one of `keys` does not verify: then nothing of it counts.
absl::StatusOr<std::vector<std::optional<uint64_t>>> VerifyNote(const SignedNote& note,
                                                                std::span<const NoteKey> keys);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_NOTE_H_
