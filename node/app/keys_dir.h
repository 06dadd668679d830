// A validator's key folder: consensus.key, log.key, cosigner.key, record.key
// (docs/formats/key_file.md) and reveal.seed ("vigil-reveal/v1 <64 hex>\n", mode 0600). Cosigner
// keys are replaced with the epochs, through cosigner.next.key (node/driver/cosigner_keyring.h).
#ifndef VIGIL_NODE_APP_KEYS_DIR_H_
#define VIGIL_NODE_APP_KEYS_DIR_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/storage/file.h"
#include "node/driver/cosigner_keyring.h"

namespace vigil::node {

struct ValidatorKeys {
  ledger::SigningKey consensus;
  ledger::SigningKey log;
  ledger::SigningKey record;
  Hash reveal_seed;
};

// kInvalidArgument unless it is from 1 to what genesis takes.
absl::Status CheckRevealLength(uint64_t reveal_length);

// Makes all five and a fresh journal id, and returns the validator's entry for genesis, without
// name and organisation. Errors: kAlreadyExists when one of the five is there: never overwrites a
// key; kInvalidArgument for the length. After either nothing was made.
absl::StatusOr<ledger::GenesisValidator> MakeValidatorKeys(ledger::FileSystem* files,
                                                           const std::string& directory,
                                                           uint64_t reveal_length);

// All but the cosigner key. Errors: kNotFound naming the file; kInvalidArgument when a key is not
// the one that the set names.
absl::StatusOr<ValidatorKeys> LoadValidatorKeys(ledger::FileSystem* files,
                                                const std::string& directory,
                                                const ledger::GenesisValidator& expected);

// The cosigner key that the set of `genesis` names for its validator `self`.
// Errors: kFailedPrecondition when the folder does not hold it, telling how that came to be and the
// command that helps; kPermissionDenied and others of the files.
absl::StatusOr<std::unique_ptr<CosignerKeyring>> LoadCosignerKey(ledger::FileSystem* files,
                                                                 const std::string& directory,
                                                                 const ledger::Genesis& genesis,
                                                                 ValidatorIndex self,
                                                                 const std::string& data_dir);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_KEYS_DIR_H_
