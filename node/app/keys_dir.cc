#include "node/app/keys_dir.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/storage/journal.h"
#include "node/driver/reveal_chain.h"

namespace vigil::node {
namespace {

constexpr absl::string_view kRevealHeader = "vigil-reveal/v1 ";

std::string KeyPath(const std::string& directory, absl::string_view name) {
  return absl::StrCat(directory, "/", name, ".key");
}

absl::Status MakeKey(const std::string& directory, absl::string_view name, PublicKey* public_key) {
  const ledger::SigningKey key = ledger::SigningKey::Generate();
  *public_key = key.public_key();
  return key.Save(KeyPath(directory, name), name);
}

absl::StatusOr<ledger::SigningKey> LoadKey(const std::string& directory, absl::string_view name,
                                           const PublicKey& expected) {
  const std::string path = KeyPath(directory, name);
  ASSIGN_OR_RETURN(ledger::SigningKey key, ledger::SigningKey::Load(path));
  if (key.public_key() != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " holds ", key.public_key().ToHex(), ", but genesis names ", expected.ToHex(),
        " as this validator's ", name, " key; check identity, keys_dir and genesis"));
  }
  return key;
}

absl::StatusOr<Hash> LoadRevealSeed(ledger::FileSystem* files, const std::string& directory) {
  const std::string path = directory + "/reveal.seed";
  ASSIGN_OR_RETURN(const std::string text, files->ReadAll(path));
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, kRevealHeader) || !absl::ConsumeSuffix(&rest, "\n")) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a reveal seed file"));
  }
  const absl::StatusOr<Hash> seed = Hash::FromHex(rest);
  return seed.ok() ? seed : absl::StatusOr<Hash>(Annotate(seed.status(), path));
}

// The epoch before that of `genesis` in which `self` cosigned with one of the keys in the folder.
std::optional<Epoch> EpochOfOldKey(ledger::FileSystem* files, const std::string& directory,
                                   const ledger::Genesis& genesis, ValidatorIndex self) {
  const std::string identity = genesis.validators[self.value()].identity();
  for (uint64_t number = genesis.epoch.value(); number-- > 1;) {
    const auto* const set = ledger::ValidatorsOf(genesis, Epoch(number));
    for (const ledger::GenesisValidator& validator : *set) {
      if (validator.identity() != identity) continue;
      if (CosignerKeyring::Open(files, directory, validator.cosigner_key).ok()) {
        return Epoch(number);
      }
    }
  }
  return std::nullopt;
}

}  // namespace

absl::Status CheckRevealLength(uint64_t reveal_length) {
  if (reveal_length >= 1 && reveal_length <= ledger::kRevealLengthMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--reveal-length ", reveal_length, ": from 1 to ", ledger::kRevealLengthMax));
}

absl::StatusOr<ledger::GenesisValidator> MakeValidatorKeys(ledger::FileSystem* files,
                                                           const std::string& directory,
                                                           uint64_t reveal_length) {
  RETURN_IF_ERROR(CheckRevealLength(reveal_length));
  for (const char* name :
       {"consensus.key", "log.key", "cosigner.key", "record.key", "reveal.seed"}) {
    const std::string path = absl::StrCat(directory, "/", name);
    if (!files->Exists(path)) continue;
    return absl::AlreadyExistsError(absl::StrCat(path, " is there already; name another folder"));
  }
  ledger::GenesisValidator entry;
  RETURN_IF_ERROR(files->MakeDirs(directory));
  RETURN_IF_ERROR(MakeKey(directory, "consensus", &entry.consensus_key));
  RETURN_IF_ERROR(MakeKey(directory, "log", &entry.log_key));
  RETURN_IF_ERROR(MakeKey(directory, "cosigner", &entry.cosigner_key));
  RETURN_IF_ERROR(MakeKey(directory, "record", &entry.record_key));
  ASSIGN_OR_RETURN(const Hash seed, Hash::From(AsBytes(ledger::RandomBytes(Hash::size()))));
  const std::string path = directory + "/reveal.seed";
  RETURN_IF_ERROR(ledger::SaveSecret(path, absl::StrCat(kRevealHeader, seed.ToHex(), "\n")));
  entry.reveal_anchor = RevealChain(seed, reveal_length).anchor();
  entry.reveal_length = reveal_length;
  ASSIGN_OR_RETURN(entry.journal_id, ledger::JournalId::From(
                                         AsBytes(ledger::RandomBytes(ledger::JournalId::size()))));
  return entry;
}

absl::StatusOr<std::unique_ptr<CosignerKeyring>> LoadCosignerKey(ledger::FileSystem* files,
                                                                 const std::string& directory,
                                                                 const ledger::Genesis& genesis,
                                                                 ValidatorIndex self,
                                                                 const std::string& data_dir) {
  const ledger::GenesisValidator& validator = genesis.validators[self.value()];
  absl::StatusOr<std::unique_ptr<CosignerKeyring>> ring =
      CosignerKeyring::Open(files, directory, validator.cosigner_key);
  if (ring.ok() || !absl::IsNotFound(ring.status())) return ring;
  const std::string missing =
      absl::StrCat(ring.status().message(), ", but epoch ", genesis.epoch.value(),
                   " names that one for ", validator.identity(), ": ");
  const std::optional<Epoch> old = EpochOfOldKey(files, directory, genesis, self);
  if (!old.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(
        missing, "either the epoch chain in the data folder is older than the keys, as after a ",
        "restore; then fetch it from another validator with: vigil log epochs -o ",
        ledger::EpochChainPath(data_dir), "; or the key is lost: make new keys with vigild keys, ",
        "and propose them with: vigil admin validator replace"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      missing, "the folder holds its key of epoch ", old->value(),
      ", which is over. Its next key, ", directory,
      "/cosigner.next.key, is lost, or the folder was restored from an older copy. ",
      "Nothing is signed with another key: make new keys with vigild keys, and propose them with: ",
      "vigil admin validator replace ENTRY ", validator.identity()));
}

absl::StatusOr<ValidatorKeys> LoadValidatorKeys(ledger::FileSystem* files,
                                                const std::string& directory,
                                                const ledger::GenesisValidator& expected) {
  ASSIGN_OR_RETURN(ledger::SigningKey consensus,
                   LoadKey(directory, "consensus", expected.consensus_key));
  ASSIGN_OR_RETURN(ledger::SigningKey log, LoadKey(directory, "log", expected.log_key));
  ASSIGN_OR_RETURN(ledger::SigningKey record, LoadKey(directory, "record", expected.record_key));
  ASSIGN_OR_RETURN(const Hash seed, LoadRevealSeed(files, directory));
  return ValidatorKeys{.consensus = std::move(consensus),
                       .log = std::move(log),
                       .record = std::move(record),
                       .reveal_seed = seed};
}

}  // namespace vigil::node
