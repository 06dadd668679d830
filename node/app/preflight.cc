#include "node/app/preflight.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/epoch_anchor.h"
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

// Where this validator stands: the newest epoch whose set names it with the keys that it has.
struct Standing {
  ledger::Genesis genesis;  // Restated for that epoch.
  std::optional<ledger::GenesisValidator> newcomer;
  ValidatorIndex self;
  ValidatorKeys keys;
  std::unique_ptr<CosignerKeyring> cosigner_keys;  // Only in the last epoch.
};

std::string NamesOf(const ledger::Genesis& genesis) {
  return absl::StrJoin(genesis.validators, ", ",
                       [](std::string* out, const ledger::GenesisValidator& one) {
                         absl::StrAppend(out, one.identity());
                       });
}

// The other keys are those of the set: no other epoch's set is a way out if this one is missing.
absl::StatusOr<std::unique_ptr<CosignerKeyring>> CosignerKeysOf(const LoadedConfig& loaded,
                                                                const ledger::Genesis& genesis,
                                                                ValidatorIndex self) {
  auto ring = LoadCosignerKey(ledger::PosixFileSystem(), loaded.config.keys_dir, genesis, self,
                              loaded.config.data_dir);
  if (!ring.ok()) return AtOrigin(loaded, "keys_dir", ring.status());
  return ring;
}

// One that no set names, but the entry in its data folder.
absl::StatusOr<Standing> NewcomersStanding(const LoadedConfig& loaded,
                                           const ledger::Genesis& newest, const std::string& json) {
  const std::string path = NewcomerPath(loaded.config.data_dir);
  absl::StatusOr<ledger::GenesisValidator> entry = ledger::ParseValidatorEntry(json);
  if (!entry.ok()) return AtOrigin(loaded, "data_dir", Annotate(entry.status(), path));
  if (entry->identity() != loaded.config.identity) {
    return AtOrigin(
        loaded, "identity",
        absl::InvalidArgumentError(absl::StrCat("'", loaded.config.identity, "', but ", path,
                                                " is the entry of ", entry->identity())));
  }
  absl::StatusOr<ValidatorKeys> keys =
      LoadValidatorKeys(ledger::PosixFileSystem(), loaded.config.keys_dir, *entry);
  if (!keys.ok()) return AtOrigin(loaded, "keys_dir", keys.status());
  const absl::Status cosigner =
      CosignerKeyring::Open(ledger::PosixFileSystem(), loaded.config.keys_dir, entry->cosigner_key)
          .status();
  if (!cosigner.ok()) return AtOrigin(loaded, "keys_dir", cosigner);
  return Standing{.genesis = newest,
                  .newcomer = *std::move(entry),
                  .self = ValidatorIndex(),
                  .keys = *std::move(keys),
                  .cosigner_keys = nullptr};
}

// `newest`: restated for the last epoch that is known.
absl::StatusOr<Standing> FindStanding(const LoadedConfig& loaded, const ledger::Genesis& newest) {
  const std::string& identity = loaded.config.identity;
  absl::Status problem;
  for (ledger::Genesis at = newest;; at = ledger::AtHeight(at, at.epoch_base)) {
    const std::optional<ValidatorIndex> self = at.FindValidator(identity);
    if (self.has_value()) {
      absl::StatusOr<ValidatorKeys> keys = LoadValidatorKeys(
          ledger::PosixFileSystem(), loaded.config.keys_dir, at.validators[self->value()]);
      if (keys.ok()) {
        std::unique_ptr<CosignerKeyring> ring;
        if (at.epoch == newest.epoch) {
          ASSIGN_OR_RETURN(ring, CosignerKeysOf(loaded, at, *self));
        }
        return Standing{.genesis = std::move(at),
                        .newcomer = std::nullopt,
                        .self = *self,
                        .keys = *std::move(keys),
                        .cosigner_keys = std::move(ring)};
      }
      if (problem.ok()) problem = AtOrigin(loaded, "keys_dir", keys.status());
    }
    if (at.epoch == Epoch(1)) break;
  }
  const absl::StatusOr<std::string> entry =
      ledger::PosixFileSystem()->ReadAll(NewcomerPath(loaded.config.data_dir));
  if (entry.ok()) return NewcomersStanding(loaded, newest, *entry);
  if (!problem.ok()) return problem;
  return AtOrigin(
      loaded, "identity",
      absl::InvalidArgumentError(absl::StrCat(
          "'", identity, "' is no validator of network ", newest.network, ", whose validators are ",
          NamesOf(newest), "; if it became one later, fetch the epoch chain: vigil log ",
          "epochs -o ", loaded.config.data_dir, "/epochs.chain; if it is proposed, ",
          "make its folder with: vigild init --entry")));
}

// Of the first block of the epoch after `epoch`.
Height HeightAfter(const ledger::Genesis& newest, Epoch epoch) {
  const uint64_t next = epoch.value();  // Its place in `past`.
  return (next < newest.past.size() ? newest.past[next].base : newest.epoch_base).Next();
}

// Why it takes no part; empty: it does.
std::string RemovedBy(const ledger::Genesis& newest, const ledger::Genesis& own,
                      const std::string& identity) {
  if (own.epoch == newest.epoch) return "";
  const ledger::Genesis after = ledger::AtHeight(newest, HeightAfter(newest, own.epoch));
  return absl::StrCat(
      identity,
      after.FindValidator(identity).has_value() ? " has other keys since epoch "
                                                : " is no validator any more since epoch ",
      after.epoch.value(), ", which began above height ", after.epoch_base.value(),
      "; it serves what it holds, and takes part again only under new keys that the other ",
      "organisations approve (docs/operating.md, Changing validators)");
}

bool WasValidator(const ledger::Genesis& genesis, const std::string& identity) {
  return std::any_of(genesis.past.begin(), genesis.past.end(), [&](const ledger::EpochSet& past) {
    return std::any_of(past.validators.begin(), past.validators.end(),
                       [&](const ledger::GenesisValidator& validator) {
                         return validator.identity() == identity;
                       });
  });
}

// In the order of the set; behind them those who were validators and are still configured: they are
// told that they are none any more.
absl::StatusOr<std::vector<PeerAddress>> OrderPeers(const LoadedConfig& loaded,
                                                    const ledger::Genesis& genesis,
                                                    std::vector<std::string>* warnings) {
  std::vector<PeerAddress> ordered;
  std::vector<PeerAddress> former;
  std::vector<std::string> strangers;
  for (const ledger::GenesisValidator& validator : genesis.validators) {
    ordered.push_back({.identity = validator.identity(), .address = ""});
  }
  const auto refuse = [&](const auto&... what) {
    return AtOrigin(loaded, "peers", absl::InvalidArgumentError(absl::StrCat(what...)));
  };
  for (const PeerAddress& peer : loaded.config.peers) {
    const std::optional<ValidatorIndex> index = genesis.FindValidator(peer.identity);
    if (!index.has_value()) {
      if (WasValidator(genesis, peer.identity)) {
        former.push_back(peer);
        continue;
      }
      strangers.push_back(peer.identity);
      warnings->push_back(absl::StrCat("peers: '", peer.identity, "' is no validator of network ",
                                       genesis.network, "; if it is not about to become one, ",
                                       "remove it, or correct its name"));
      continue;
    }
    if (peer.identity == loaded.config.identity) {
      return refuse("'", peer.identity, "' is this validator itself; remove it");
    }
    if (!ordered[index->value()].address.empty()) {
      return refuse("'", peer.identity, "' is there twice; remove one");
    }
    ordered[index->value()].address = peer.address;
  }
  for (size_t i = 0; i < ordered.size(); ++i) {
    PeerAddress& peer = ordered[i];
    if (peer.identity == loaded.config.identity) continue;
    if (peer.address.empty() && i < genesis.validator_addresses.size()) {
      peer.address = genesis.validator_addresses[i];
    }
    if (peer.address.empty()) {
      const std::string unknown =
          strangers.empty() ? ""
                            : absl::StrCat(", and '", strangers.front(), "' is no validator of ",
                                           "network ", genesis.network, ": correct that name, or");
      return refuse("no address for ", peer.identity, unknown.empty() ? ";" : unknown,
                    " add a [[peers]] table for it");
    }
  }
  ordered.insert(ordered.end(), former.begin(), former.end());
  return ordered;
}

}  // namespace

std::string NewcomerPath(const std::string& data_dir) { return data_dir + "/newcomer.json"; }

absl::StatusOr<Preflight> CheckEverything(const LoadedConfig& loaded, int64_t now_unix_seconds) {
  const Config& config = loaded.config;
  RETURN_IF_ERROR(CheckConfig(config));
  CertificateVerdict certificates =
      CheckCertificates(config.tls, config.identity, now_unix_seconds);
  if (!certificates.status.ok()) {
    return AtOrigin(loaded, certificates.key, certificates.status);
  }
  std::string genesis_file;
  ASSIGN_OR_RETURN(const ledger::Genesis first, ReadGenesis(loaded, &genesis_file));
  absl::StatusOr<ledger::EpochWalk> epochs =
      ledger::LoadEpochChain(*ledger::PosixFileSystem(), config.data_dir, first);
  if (!epochs.ok()) return AtOrigin(loaded, "data_dir", epochs.status());
  ASSIGN_OR_RETURN(Standing standing, FindStanding(loaded, epochs->genesis));
  std::string removed = RemovedBy(epochs->genesis, standing.genesis, config.identity);
  std::vector<std::string> warnings = std::move(certificates.warnings);
  ASSIGN_OR_RETURN(std::vector<PeerAddress> validators,
                   OrderPeers(loaded, standing.genesis, &warnings));
  return Preflight{.genesis = std::move(standing.genesis),
                   .genesis_file = std::move(genesis_file),
                   .epoch_anchors = std::move(epochs->anchors),
                   .removed = std::move(removed),
                   .newcomer = std::move(standing.newcomer),
                   .self = standing.self,
                   .keys = std::move(standing.keys),
                   .cosigner_keys = std::move(standing.cosigner_keys),
                   .validators = std::move(validators),
                   .warnings = std::move(warnings)};
}

}  // namespace vigil::node
