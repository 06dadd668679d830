// Final blocks: blocks that prove by themselves that a quorum stands behind them (docs/formats/
// peer_frame.md, fetch; docs/protocol.md, L3). Pure, but for what readers read.
//
// With the blocks come a checkpoint that a quorum of validators cosigned and the proof that the
// log's tree at the end of the last block is a beginning of the checkpoint's. Whoever knows the
// tree before them makes the tree after them from their bytes, and so can judge them alone, whoever
// sent them.
#ifndef VIGIL_NODE_DRIVER_FINAL_BLOCKS_H_
#define VIGIL_NODE_DRIVER_FINAL_BLOCKS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/tiles.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/log_keys.h"

namespace vigil::node {

// How the tree at the end of a block lies in a checkpoint's.
struct FinalProof {
  std::string checkpoint;  // A signed note.
  std::vector<Hash> path;  // RFC 6962 section 2.1.2; empty when the block is the checkpoint's last.
};

// That the block at `last` is below the final checkpoint `note`, whose tiles `tiles` has.
// Errors: kNotFound when it is not; those of the readers.
absl::StatusOr<FinalProof> ProveFinal(const ledger::Genesis& genesis,
                                      const ledger::ChainReader& reader,
                                      const ledger::TileSource& tiles, absl::string_view note,
                                      Height last);

std::string EncodeFinalBlocks(const FinalProof& proof, const std::vector<ledger::BlockPtr>& blocks);

// The blocks in `body`, at least one, that continue `tip` and that a quorum of `genesis`' epoch
// stands behind. `keys` are those of `genesis`.
// Errors: kInvalidArgument or kPermissionDenied naming what does not hold.
absl::StatusOr<std::vector<ledger::BlockPtr>> CheckFinalBlocks(const ledger::Genesis& genesis,
                                                               const ledger::LogKeys& keys,
                                                               const ledger::Tip& tip,
                                                               absl::string_view body);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_FINAL_BLOCKS_H_
