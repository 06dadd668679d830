#include "ledger/state/epoch_anchor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/header.h"
#include "ledger/log/merkle.h"
#include "ledger/log/policy.h"
#include "ledger/state/log_keys.h"

namespace vigil::ledger {
namespace {

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// What the seal says by itself: it ends the epoch of `genesis`, and which set comes next.
absl::Status CheckSeal(const Genesis& genesis, const Seal& seal, const Hash& next) {
  const BlockHeader& header = seal.header;
  if (header.chain_id != genesis.chain_id) {
    return Invalid("the seal is of chain ", header.chain_id.ToHex(), ", not ",
                   genesis.chain_id.ToHex());
  }
  if (header.epoch != genesis.epoch || header.height <= genesis.epoch_base) {
    return Invalid("the seal is of height ", header.height.value(), " in epoch ",
                   header.epoch.value(), ", must be above ", genesis.epoch_base.value(), " in ",
                   genesis.epoch.value());
  }
  if (header.validator_set_hash != genesis.validator_set_hash) {
    return Invalid("the seal names validator set ", header.validator_set_hash.ToHex(), ", not ",
                   genesis.validator_set_hash.ToHex());
  }
  if (!Seals(header)) {
    return Invalid("block ", header.height.value(), " ends no epoch: the same set goes on");
  }
  if (header.next_validator_set_hash == next) return absl::OkStatus();
  return Invalid("the seal names next validator set ", header.next_validator_set_hash.ToHex(),
                 ", the set given has ", next.ToHex());
}

absl::StatusOr<EpochWalk> Walk(const Genesis& genesis, ByteSpan file) {
  EpochWalk walk{.genesis = genesis, .anchors = {}};
  ASSIGN_OR_RETURN(walk.anchors, DecodeEpochChain(file));
  for (const EpochAnchor& anchor : walk.anchors) {
    absl::StatusOr<Genesis> next = VerifyEpochAnchor(walk.genesis, anchor);
    if (!next.ok()) {
      return Annotate(next.status(),
                      absl::StrCat("epoch chain: the end of epoch ", walk.genesis.epoch.value()));
    }
    walk.genesis = *std::move(next);
  }
  return walk;
}

}  // namespace

absl::StatusOr<Genesis> VerifyEpochAnchor(const Genesis& genesis, const EpochAnchor& anchor) {
  ASSIGN_OR_RETURN(const Seal seal, DecodeSealLeaf(AsBytes(anchor.seal_leaf)));
  ASSIGN_OR_RETURN(std::vector<GenesisValidator> next,
                   DecodeValidatorSet(AsBytes(anchor.next_set)));
  RETURN_IF_ERROR(CheckSeal(genesis, seal, HashValidatorSet(next)));
  RETURN_IF_ERROR(CheckSucceedingSet(genesis, next));
  ASSIGN_OR_RETURN(std::vector<std::string> addresses,
                   SplitAddresses(anchor.addresses, next.size()));
  ASSIGN_OR_RETURN(const CheckpointVerdict verdict,
                   CheckCheckpoint(LogPolicyOf(genesis), anchor.checkpoint));
  if (!verdict.quorum) return absl::PermissionDeniedError(verdict.missing);
  const uint64_t index = seal.first.value() + seal.record_count;
  if (index < genesis.epoch_base_size) {
    return Invalid("the epoch ends at ", index + 1, " leaves, the one before at ",
                   genesis.epoch_base_size);
  }
  if (verdict.checkpoint.size != index + 1) {
    return Invalid("the checkpoint has size ", verdict.checkpoint.size, ", the epoch ends at ",
                   index + 1);
  }
  RETURN_IF_ERROR(VerifyInclusion(index, index + 1, LeafHash(AsBytes(anchor.seal_leaf)),
                                  anchor.path, verdict.checkpoint.root));
  Genesis restated =
      WithNextEpoch(genesis, seal.header.height, std::move(next), std::move(addresses));
  restated.epoch_base_view = seal.header.view;
  restated.epoch_base_hash = HeaderHash(seal.header_bytes);
  restated.epoch_base_size = index + 1;
  return restated;
}

absl::StatusOr<Genesis> WalkEpochChain(const Genesis& genesis, ByteSpan file) {
  ASSIGN_OR_RETURN(EpochWalk walk, Walk(genesis, file));
  return std::move(walk.genesis);
}

std::string EpochChainPath(const std::string& data_dir) { return data_dir + "/epochs.chain"; }

absl::StatusOr<EpochWalk> LoadEpochChain(const FileSystem& files, const std::string& data_dir,
                                         const Genesis& genesis) {
  const std::string path = EpochChainPath(data_dir);
  const absl::StatusOr<std::string> file = files.ReadAll(path);
  if (absl::IsNotFound(file.status())) return EpochWalk{.genesis = genesis, .anchors = {}};
  RETURN_IF_ERROR(file.status());
  absl::StatusOr<EpochWalk> walk = Walk(genesis, AsBytes(*file));
  if (walk.ok()) return walk;
  return Annotate(walk.status(),
                  absl::StrCat(path, ": not the epoch chain of this genesis; fetch it anew with: ",
                               "vigil log epochs -o ", path));
}

absl::StatusOr<Genesis> LoadEpochs(const FileSystem& files, const std::string& data_dir,
                                   const Genesis& genesis) {
  ASSIGN_OR_RETURN(EpochWalk walk, LoadEpochChain(files, data_dir, genesis));
  return std::move(walk.genesis);
}

}  // namespace vigil::ledger
