#include "node/log/cosign_note.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

using ledger::Checkpoint;
using ledger::LogKeys;
using ledger::NoteSignature;
using ledger::SignedNote;

// A note of this log and its checkpoint.
absl::StatusOr<Checkpoint> CheckpointOf(const LogKeys& keys, const SignedNote& note) {
  ASSIGN_OR_RETURN(Checkpoint checkpoint, ledger::DecodeCheckpoint(note.text));
  if (checkpoint.origin == keys.origin) return checkpoint;
  return absl::InvalidArgumentError(
      absl::StrCat("checkpoint of log ", checkpoint.origin, ", this is ", keys.origin));
}

absl::Status CheckLine(const ledger::NoteKey& key, absl::string_view text,
                       const NoteSignature& line) {
  const absl::Status status = ledger::VerifyNoteSignature(key, text, line).status();
  if (status.ok()) return status;
  return absl::PermissionDeniedError(
      absl::StrCat("signature line '", line.name, "': ", status.message()));
}

absl::StatusOr<SignedCheckpoint> CheckLines(const LogKeys& keys, ValidatorIndex from,
                                            const Checkpoint& checkpoint, absl::string_view text,
                                            NoteSignature log_line, NoteSignature cosignature) {
  RETURN_IF_ERROR(CheckLine(keys.logs[from.value()], text, log_line));
  RETURN_IF_ERROR(CheckLine(keys.cosigners[from.value()], text, cosignature));
  return SignedCheckpoint{.validator = from,
                          .checkpoint = checkpoint,
                          .log_line = std::move(log_line),
                          .cosignature = std::move(cosignature)};
}

}  // namespace

SignedCheckpoint SignCheckpoint(const LogKeys& keys, ValidatorIndex self,
                                const ledger::SigningKey& log_key,
                                const ledger::SigningKey& cosigner_key,
                                const Checkpoint& checkpoint, uint64_t unix_seconds) {
  const std::string text = ledger::EncodeCheckpoint(checkpoint);
  return {.validator = self,
          .checkpoint = checkpoint,
          .log_line = ledger::SignNote(log_key, keys.logs[self.value()].name, text),
          .cosignature = ledger::CosignNote(cosigner_key, keys.cosigners[self.value()].name, text,
                                            unix_seconds)};
}

std::string EncodeSignedCheckpoint(const SignedCheckpoint& signed_checkpoint) {
  return ledger::EncodeNote(
      {.text = ledger::EncodeCheckpoint(signed_checkpoint.checkpoint),
       .signatures = {signed_checkpoint.log_line, signed_checkpoint.cosignature}});
}

absl::StatusOr<SignedCheckpoint> CheckSignedCheckpoint(const LogKeys& keys, ValidatorIndex from,
                                                       absl::string_view note) {
  if (note.size() > kCosignNoteBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("cosigned note of ", note.size(), " bytes, at most ", kCosignNoteBytesMax));
  }
  if (from.value() >= keys.logs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cosigned note of validator ", from.value(), " of ", keys.logs.size()));
  }
  ASSIGN_OR_RETURN(SignedNote signed_note, ledger::DecodeNote(note));
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, CheckpointOf(keys, signed_note));
  if (signed_note.signatures.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cosigned note with ", signed_note.signatures.size(), " signature lines, must be 2"));
  }
  return CheckLines(keys, from, checkpoint, signed_note.text, std::move(signed_note.signatures[0]),
                    std::move(signed_note.signatures[1]));
}

std::string EncodeCosigned(const Cosigned& cosigned) {
  VIGIL_CHECK(!cosigned.empty(), "a checkpoint that nobody signed");
  SignedNote note;
  note.text = ledger::EncodeCheckpoint(cosigned.begin()->second.checkpoint);
  for (const auto& [validator, one] : cosigned) note.signatures.push_back(one.log_line);
  for (const auto& [validator, one] : cosigned) note.signatures.push_back(one.cosignature);
  return ledger::EncodeNote(note);
}

absl::StatusOr<Cosigned> CheckCosigned(const LogKeys& keys, absl::string_view note) {
  ASSIGN_OR_RETURN(SignedNote signed_note, ledger::DecodeNote(note));
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, CheckpointOf(keys, signed_note));
  Cosigned cosigned;
  const size_t count = signed_note.signatures.size() / 2;
  for (uint32_t i = 0; i < keys.logs.size() && cosigned.size() < count; ++i) {
    NoteSignature& log_line = signed_note.signatures[cosigned.size()];
    if (log_line.key_hash != keys.logs[i].KeyHash()) continue;
    NoteSignature& cosignature = signed_note.signatures[count + cosigned.size()];
    ASSIGN_OR_RETURN(cosigned[ValidatorIndex(i)],
                     CheckLines(keys, ValidatorIndex(i), checkpoint, signed_note.text,
                                std::move(log_line), std::move(cosignature)));
  }
  if (2 * cosigned.size() != signed_note.signatures.size()) {
    return absl::InvalidArgumentError("checkpoint note: lines of keys that genesis does not name");
  }
  if (cosigned.size() < keys.quorum) {
    return absl::PermissionDeniedError(absl::StrCat("checkpoint note: ", cosigned.size(),
                                                    " cosignatures, a quorum is ", keys.quorum));
  }
  return cosigned;
}

}  // namespace vigil::node
