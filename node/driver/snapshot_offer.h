// Snapshot offers: which snapshots a validator has, with the proof that a quorum stands behind
// their digests (docs/formats/peer_frame.md). Pure, but for what readers read.
//
// A quorum of the validators in genesis cosigned a checkpoint; the log under it holds the seal of a
// block; its header carries the snapshot's height and digest. So whoever holds genesis can judge an
// offer alone, whoever made it.
#ifndef VIGIL_NODE_DRIVER_SNAPSHOT_OFFER_H_
#define VIGIL_NODE_DRIVER_SNAPSHOT_OFFER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/tiles.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/log_keys.h"
#include "ledger/state/snapshot.h"

namespace vigil::node {

inline constexpr uint32_t kSnapshotOffersMax = 4;
inline constexpr size_t kSnapshotOfferBytesMax = 64 * 1024;

struct SnapshotOffer {
  ledger::SnapshotMark mark;
  std::string seal_leaf;    // Of the block whose header carries the mark.
  uint64_t seal_index = 0;  // In the log.
  std::vector<Hash> path;   // Of inclusion in the checkpoint's tree.
  std::string checkpoint;   // A signed note.
};

using BlockLoader = std::function<absl::StatusOr<ledger::BlockPtr>(Height)>;

// The offer of the snapshot of `height`, under the final checkpoint `note`, whose tiles `tiles`
// has. Errors: kNotFound while no block that carries its digest is below the checkpoint; those of
// the readers.
absl::StatusOr<SnapshotOffer> MakeOffer(const ledger::Genesis& genesis,
                                        const ledger::ChainReader& reader,
                                        const ledger::TileSource& tiles, absl::string_view note,
                                        const BlockLoader& load_block, Height height);

std::string EncodeOffer(const SnapshotOffer& offer);
// Errors: kInvalidArgument.
absl::StatusOr<SnapshotOffer> DecodeOffer(absl::string_view bytes);
std::string EncodeOffers(const std::vector<SnapshotOffer>& offers);
// Errors: kInvalidArgument.
absl::StatusOr<std::vector<SnapshotOffer>> DecodeOffers(absl::string_view body);

// Whether a quorum stands behind the offer's mark.
// Errors: kInvalidArgument or kPermissionDenied naming what does not hold.
absl::Status CheckOffer(const ledger::Genesis& genesis, const ledger::LogKeys& keys,
                        const SnapshotOffer& offer);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_SNAPSHOT_OFFER_H_
