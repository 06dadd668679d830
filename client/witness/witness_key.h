// The key of a witness: a key file, and beside it the vkey that says under which name it signs.
#ifndef VIGIL_CLIENT_WITNESS_WITNESS_KEY_H_
#define VIGIL_CLIENT_WITNESS_WITNESS_KEY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/note.h"
#include "ledger/storage/file.h"

namespace vigil::client {

struct WitnessKey {
  ledger::SigningKey signing;
  ledger::NoteKey note;  // kCosignatureV1, of `signing`.
};

// Makes the folder of a new witness: <directory>/key (mode 0600), <directory>/vkey, and the empty
// list of origins. A half-made folder is completed. Returns what others enrol.
// Errors: kAlreadyExists when the folder is a witness's; kInvalidArgument when `name` cannot stand
// on a signature line or in a key file; those of the disk.
absl::StatusOr<ledger::NoteKey> InitWitness(ledger::FileSystem* files, const std::string& directory,
                                            const std::string& name);

// Errors: kNotFound when the folder is no witness's; kInvalidArgument when key and vkey do not
// belong together; those of SigningKey::Load().
absl::StatusOr<WitnessKey> LoadWitnessKey(const ledger::FileSystem& files,
                                          const std::string& directory);

// The public half alone. Errors: as LoadWitnessKey().
absl::StatusOr<ledger::NoteKey> LoadWitnessVkey(const ledger::FileSystem& files,
                                                const std::string& directory);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_WITNESS_WITNESS_KEY_H_
