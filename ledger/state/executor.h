// One block on top of the chain's tip, in three steps that ChainState and VerifyLedger share: does
// it continue the tip, does its header agree with our state, what does it make of the state.
//
// Pure apart from reads of the store behind `reader`; nothing is written.
#ifndef VIGIL_LEDGER_STATE_EXECUTOR_H_
#define VIGIL_LEDGER_STATE_EXECUTOR_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/chain_state.h"
#include "ledger/state/snapshot.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

// The tip of a chain that has only genesis.
Tip GenesisTip(const Genesis& genesis, const Hash& state_digest);

// What an empty store must hold before the first block.
struct GenesisOutcome {
  StoreBatch batch;
  Tip tip;
};
GenesisOutcome ExecuteGenesis(const Genesis& genesis);

// Epoch, height, parent, views, time, E, proposer and validator set against the tip.
// Errors: kInvalidArgument naming the field and both values.
absl::Status CheckContinues(const Genesis& genesis, const Tip& tip, const BlockHeader& header);

// State digest and results root at E, and the next validator set, against what `reader` holds,
// which stands at the tip or above. `genesis` is restated for the block's epoch, here and below.
// Errors: kDataLoss "state divergence ..." naming block, E and both digests; errors of the store.
absl::Status CheckAgreement(const Genesis& genesis, const ChainReader& reader, const Tip& tip,
                            const BlockHeader& header);

// The snapshot digest that `header` carries against ours of that height.
// REQUIRES: own.height == header.snapshot_height.
// Errors: kDataLoss "state divergence ..." naming block, height and both digests.
absl::Status CheckSnapshotAgreement(const SnapshotMark& own, const BlockHeader& header);

// The tip behind the seal of `block`, which continues `tip`: what follows from its bytes alone, so
// state digest and counts are still those of `tip`.
Tip SealedTip(const Tip& tip, const Block& block);

struct BlockOutcome {
  StoreBatch batch;  // Everything that must be written, at once.
  ExecutedBlock executed;
};
// Executes `block`, which continues `tip`, the tip of `store`.
// Errors: those of ApplyBlock and of the store.
absl::StatusOr<BlockOutcome> ExecuteOnTip(const Genesis& genesis, const StoreReader& store,
                                          const Tip& tip, const BlockPtr& block,
                                          JournalPosition position);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_EXECUTOR_H_
