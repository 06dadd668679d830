#include "client/witness/witness_key.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/witness/witness_state.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

std::string KeyPath(absl::string_view directory) { return absl::StrCat(directory, "/key"); }
std::string VkeyPath(absl::string_view directory) { return absl::StrCat(directory, "/vkey"); }

// The key that an earlier attempt left behind, or a fresh one.
absl::StatusOr<ledger::SigningKey> TakeKey(const ledger::FileSystem& files,
                                           const std::string& directory, const std::string& name) {
  if (files.Exists(KeyPath(directory))) return ledger::SigningKey::Load(KeyPath(directory));
  ledger::SigningKey key = ledger::SigningKey::Generate();
  RETURN_IF_ERROR(key.Save(KeyPath(directory), name));
  return key;
}

}  // namespace

absl::StatusOr<ledger::NoteKey> InitWitness(ledger::FileSystem* files, const std::string& directory,
                                            const std::string& name) {
  if (!ledger::IsNoteKeyName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--name '", name,
                     "': not empty, without spaces, control characters and '+'; best like a URL "
                     "without its scheme (witness.example.org)"));
  }
  if (files->Exists(VkeyPath(directory))) {
    return absl::AlreadyExistsError(absl::StrCat(
        directory, " is a witness's folder already; its vkey is in ", VkeyPath(directory)));
  }
  RETURN_IF_ERROR(WitnessFolder::Init(files, directory));
  ASSIGN_OR_RETURN(const ledger::SigningKey key, TakeKey(*files, directory, name));
  const ledger::NoteKey note = {
      .name = name, .type = ledger::NoteKeyType::kCosignatureV1, .key = key.public_key()};
  // Last: a folder without it is one that was not finished, and nothing was signed from it.
  RETURN_IF_ERROR(files->WriteAtomically(VkeyPath(directory),
                                         AsBytes(absl::StrCat(ledger::EncodeNoteKey(note), "\n"))));
  return note;
}

absl::StatusOr<ledger::NoteKey> LoadWitnessVkey(const ledger::FileSystem& files,
                                                const std::string& directory) {
  const absl::StatusOr<std::string> text = files.ReadAll(VkeyPath(directory));
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        absl::StrCat(directory, " holds no vkey; make the witness with: vigil witness init --dir ",
                     directory, " --name NAME"));
  }
  if (!text.ok()) return text.status();
  const absl::StatusOr<ledger::NoteKey> note =
      ledger::DecodeNoteKey(absl::StripSuffix(*text, "\n"));
  if (!note.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(VkeyPath(directory), ": ", note.status().message()));
  }
  if (note->type != ledger::NoteKeyType::kCosignatureV1) {
    return absl::InvalidArgumentError(
        absl::StrCat(VkeyPath(directory), ": the key of a log, not of a witness"));
  }
  return note;
}

absl::StatusOr<WitnessKey> LoadWitnessKey(const ledger::FileSystem& files,
                                          const std::string& directory) {
  ASSIGN_OR_RETURN(ledger::NoteKey note, LoadWitnessVkey(files, directory));
  ASSIGN_OR_RETURN(ledger::SigningKey signing, ledger::SigningKey::Load(KeyPath(directory)));
  if (signing.public_key() != note.key) {
    return absl::InvalidArgumentError(absl::StrCat(KeyPath(directory), " and ", VkeyPath(directory),
                                                   " are of two different keys"));
  }
  return WitnessKey{.signing = std::move(signing), .note = std::move(note)};
}

}  // namespace vigil::client
