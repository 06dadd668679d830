// Bytes of epoch anchors, and the policy that the set of an epoch gives.
//
// An anchor is the seal of an epoch's sealing block, its place as the last leaf of the log in a
// checkpoint that a quorum of that epoch's validators cosigned, and the next set, whose hash the
// seal names (docs/formats/epoch_chain.md). Pure layout: nothing here is checked against anything;
// ledger/state/epoch_anchor.h walks from genesis, ledger/proof/policy_chain.h from a policy.
#ifndef VIGIL_LEDGER_CHAIN_EPOCH_CHAIN_H_
#define VIGIL_LEDGER_CHAIN_EPOCH_CHAIN_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/policy.h"

namespace vigil::ledger {

// Anchors that one file may hold, and bytes of one.
inline constexpr uint32_t kEpochAnchorsMax = 4096;
inline constexpr size_t kEpochAnchorBytesMax = 32 * 1024;
// Bytes of a file that any program reads; thousands of anchors with seven validators each.
inline constexpr size_t kEpochChainBytesMax = 32 << 20;

struct EpochAnchor {
  std::string seal_leaf;
  std::vector<Hash> path;  // From the seal to the checkpoint's root.
  std::string checkpoint;  // Signed note.
  std::string next_set;    // EncodeValidatorSet()
  std::string addresses;   // Of the next set; a hint that nobody vouches for.
  bool operator==(const EpochAnchor&) const = default;
};

// The epoch chain, a file: "vigil/epoch-chain/v1" 00 | u32 count | per anchor: prefixed seal leaf,
// u32 path length, hashes, prefixed checkpoint, prefixed next set, prefixed addresses.
std::string EncodeEpochChain(std::span<const EpochAnchor> anchors);
// Errors: kInvalidArgument on malformed bytes.
absl::StatusOr<std::vector<EpochAnchor>> DecodeEpochChain(ByteSpan bytes);

// The policy of an epoch: any validator's log key under `origin`, and `quorum` of the witnesses
// "org/name", whose cosigner names are "<origin>/v/<org>/<name>/<epoch>".
Policy EpochPolicy(absl::string_view origin, Epoch epoch,
                   std::span<const GenesisValidator> validators, uint32_t quorum);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_EPOCH_CHAIN_H_
