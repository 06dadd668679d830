// What validators say to each other about the log: a checkpoint with the sender's two signatures,
// and the note that a quorum of them makes. Pure.
#ifndef VIGIL_NODE_LOG_COSIGN_NOTE_H_
#define VIGIL_NODE_LOG_COSIGN_NOTE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/strong_id.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "ledger/state/log_keys.h"

namespace vigil::node {

inline constexpr size_t kCosignNoteBytesMax = 16 * 1024;

// A checkpoint as one validator signed it. Both lines are over EncodeCheckpoint(checkpoint).
struct SignedCheckpoint {
  ValidatorIndex validator;
  ledger::Checkpoint checkpoint;
  ledger::NoteSignature log_line;
  ledger::NoteSignature cosignature;

  bool operator==(const SignedCheckpoint&) const = default;
};

// Signs as validator `self`, whose keys these are.
SignedCheckpoint SignCheckpoint(const ledger::LogKeys& keys, ValidatorIndex self,
                                const ledger::SigningKey& log_key,
                                const ledger::SigningKey& cosigner_key,
                                const ledger::Checkpoint& checkpoint, uint64_t unix_seconds);

// A note with exactly those two lines, the log's first.
std::string EncodeSignedCheckpoint(const SignedCheckpoint& signed_checkpoint);
// Reads a note that validator `from` is said to have signed. Checks both signatures (about 100 us).
// Errors: kInvalidArgument when it is not such a note of this log; kPermissionDenied when a line is
// not by the keys that genesis gives `from`.
absl::StatusOr<SignedCheckpoint> CheckSignedCheckpoint(const ledger::LogKeys& keys,
                                                       ValidatorIndex from, absl::string_view note);

// One checkpoint as several validators signed it. Not empty; all of the same checkpoint.
using Cosigned = std::map<ValidatorIndex, SignedCheckpoint>;

// The checkpoint with every log line, then every cosignature, in the order of the validators.
std::string EncodeCosigned(const Cosigned& cosigned);
// Reads what EncodeCosigned() wrote and checks every signature.
// Errors: kInvalidArgument on anything else; kPermissionDenied without a quorum.
absl::StatusOr<Cosigned> CheckCosigned(const ledger::LogKeys& keys, absl::string_view note);

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_COSIGN_NOTE_H_
