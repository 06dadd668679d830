// A validator's key folder: consensus.key, log.key, cosigner.key, record.key
// (docs/formats/key_file.md) and reveal.seed ("vigil-reveal/v1 <64 hex>\n", mode 0600).
#ifndef VIGIL_NODE_APP_KEYS_DIR_H_
#define VIGIL_NODE_APP_KEYS_DIR_H_

#include <string>

#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/storage/file.h"

namespace vigil::node {

struct ValidatorKeys {
  ledger::SigningKey consensus;
  ledger::SigningKey log;
  ledger::SigningKey cosigner;
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

// Errors: kNotFound naming the file; kInvalidArgument when a key is not the one in genesis.
absl::StatusOr<ValidatorKeys> LoadValidatorKeys(ledger::FileSystem* files,
                                                const std::string& directory,
                                                const ledger::GenesisValidator& expected);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_KEYS_DIR_H_
