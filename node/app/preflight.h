// What is checked before a validator starts: everything that its configuration names.
#ifndef VIGIL_NODE_APP_PREFLIGHT_H_
#define VIGIL_NODE_APP_PREFLIGHT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/chain/genesis.h"
#include "node/app/config.h"
#include "node/app/keys_dir.h"
#include "node/peer/grpc_transport.h"

namespace vigil::node {

struct Preflight {
  ledger::Genesis genesis;   // Restated for the newest epoch whose set names this validator.
  std::string genesis_file;  // Bytes of the file.
  std::vector<ledger::EpochAnchor> epoch_anchors;  // Of the epoch chain in the data folder.
  std::string removed;                             // Why it takes no part any more; empty: it does.
  // Of a machine that no set names yet, whose data folder holds this entry; `self` means nothing.
  std::optional<ledger::GenesisValidator> newcomer;
  ValidatorIndex self;
  ValidatorKeys keys;
  std::unique_ptr<CosignerKeyring> cosigner_keys;  // Null if it takes no part.
  // In the order of the set, no address for this one; behind them former validators.
  std::vector<PeerAddress> validators;
  std::vector<std::string> warnings;
};

// Where a newcomer's data folder keeps its entry, as `vigild keys --entry` wrote it.
std::string NewcomerPath(const std::string& data_dir);

// Reads genesis, epoch chain, keys and certificates, and checks that they and the configuration fit
// together. Errors: kInvalidArgument, kNotFound and others, each naming the file, line and column
// of the value at fault, or else the environment or flag, and the remedy.
absl::StatusOr<Preflight> CheckEverything(const LoadedConfig& loaded, int64_t now_unix_seconds);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_PREFLIGHT_H_
