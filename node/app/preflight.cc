#include "node/app/preflight.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"
#include "node/app/certificates.h"

namespace vigil::node {
namespace {

absl::StatusOr<ledger::Genesis> ReadGenesis(const LoadedConfig& loaded, std::string* file) {
  const std::string& path = loaded.config.genesis;
  absl::StatusOr<std::string> bytes = ledger::PosixFileSystem()->ReadAll(path);
  if (!bytes.ok()) return AtOrigin(loaded, "genesis", bytes.status());
  absl::StatusOr<ledger::Genesis> genesis = ledger::ParseGenesis(*bytes);
  if (!genesis.ok()) return AtOrigin(loaded, "genesis", Annotate(genesis.status(), path));
  *file = *std::move(bytes);
  return genesis;
}

absl::StatusOr<ValidatorIndex> FindSelf(const LoadedConfig& loaded,
                                        const ledger::Genesis& genesis) {
  const std::optional<ValidatorIndex> self = genesis.FindValidator(loaded.config.identity);
  if (self.has_value()) return *self;
  const std::string names = absl::StrJoin(
      genesis.validators, ", ", [](std::string* out, const ledger::GenesisValidator& one) {
        absl::StrAppend(out, one.identity());
      });
  return AtOrigin(loaded, "identity",
                  absl::InvalidArgumentError(
                      absl::StrCat("'", loaded.config.identity, "' is no validator of network ",
                                   genesis.network, ", whose validators are ", names)));
}

absl::StatusOr<std::vector<PeerAddress>> OrderPeers(const LoadedConfig& loaded,
                                                    const ledger::Genesis& genesis) {
  std::vector<PeerAddress> ordered;
  for (const ledger::GenesisValidator& validator : genesis.validators) {
    ordered.push_back({.identity = validator.identity(), .address = ""});
  }
  const auto refuse = [&](const auto&... what) {
    return AtOrigin(loaded, "peers", absl::InvalidArgumentError(absl::StrCat(what...)));
  };
  for (const PeerAddress& peer : loaded.config.peers) {
    const std::optional<ValidatorIndex> index = genesis.FindValidator(peer.identity);
    if (!index.has_value()) {
      return refuse("'", peer.identity, "' is no validator of network ", genesis.network,
                    "; remove it, or correct its name");
    }
    if (peer.identity == loaded.config.identity) {
      return refuse("'", peer.identity, "' is this validator itself; remove it");
    }
    if (!ordered[index->value()].address.empty()) {
      return refuse("'", peer.identity, "' is there twice; remove one");
    }
    ordered[index->value()].address = peer.address;
  }
  for (const PeerAddress& peer : ordered) {
    if (peer.address.empty() && peer.identity != loaded.config.identity) {
      return refuse("no address for ", peer.identity, "; add a [[peers]] table for it");
    }
  }
  return ordered;
}

}  // namespace

absl::StatusOr<Preflight> CheckEverything(const LoadedConfig& loaded, int64_t now_unix_seconds) {
  const Config& config = loaded.config;
  RETURN_IF_ERROR(CheckConfig(config));
  CertificateVerdict certificates =
      CheckCertificates(config.tls, config.identity, now_unix_seconds);
  if (!certificates.status.ok()) {
    return AtOrigin(loaded, certificates.key, certificates.status);
  }
  std::string genesis_file;
  ASSIGN_OR_RETURN(ledger::Genesis genesis, ReadGenesis(loaded, &genesis_file));
  ASSIGN_OR_RETURN(const ValidatorIndex self, FindSelf(loaded, genesis));
  ASSIGN_OR_RETURN(std::vector<PeerAddress> validators, OrderPeers(loaded, genesis));
  absl::StatusOr<ValidatorKeys> keys = LoadValidatorKeys(ledger::PosixFileSystem(), config.keys_dir,
                                                         genesis.validators[self.value()]);
  if (!keys.ok()) return AtOrigin(loaded, "keys_dir", keys.status());
  return Preflight{.genesis = std::move(genesis),
                   .genesis_file = std::move(genesis_file),
                   .self = self,
                   .keys = *std::move(keys),
                   .validators = std::move(validators),
                   .warnings = std::move(certificates.warnings)};
}

}  // namespace vigil::node
