// ChainState: executes committed blocks one after the other and keeps the outcome.
//
// For each block one atomic StoreBatch holds the state's writes, results, undo images of the
// admission tables, block and record positions, the tree's right edge, counters, the applied height
// and the key mark/<height>. The journal is the truth; the store can be rebuilt from it.
// Belongs to one thread; readers on other threads use Snapshot().
#ifndef VIGIL_LEDGER_STATE_CHAIN_STATE_H_
#define VIGIL_LEDGER_STATE_CHAIN_STATE_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/apply.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/snapshot.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

// What execution made of one block; shared by the feed's consumers.
struct ExecutedBlock {
  BlockPtr block;
  RecordIndex first_index;
  std::vector<RecordResult> results;  // One per record, in order.
  Hash state_digest;
  Hash seal_leaf;
  Tip tip;  // After this block.
};

class ChainState {
 public:
  // `store` must outlive the object; `genesis` may be restated for any epoch. An empty store is
  // initialised from `genesis`. Errors: kFailedPrecondition when the store is of another chain
  // (names both chain ids); kDataLoss when the marks have a gap or a value is malformed: rebuild
  // from the journal. Everything above a gap is of no use, so a rebuild starts from an empty store.
  static absl::StatusOr<std::unique_ptr<ChainState>> Open(Store* store, const Genesis* genesis);

  // Executes `block`, which lies at `position` in the journal, and writes the outcome.
  // Errors: kInvalidArgument when it does not continue the tip (height, parent hash, view, time,
  // E, snapshot height), also when a record's key is not enrolled; kFailedPrecondition when the
  // digest of the snapshot that its header carries is not known here yet: both leave everything as
  // it was. kDataLoss "state divergence ..." when the header's state digest or results root at E,
  // or its snapshot digest, is not ours: the node must stop; kDataLoss and disk errors of the
  // store. After any other error than the first two what is on disk is unknown: every later call
  // fails with the first error.
  absl::StatusOr<ExecutedBlock> Execute(const BlockPtr& block, JournalPosition position);

  // What this validator found to be the digest of a snapshot (ledger/state/snapshot_builder.h).
  // A block whose header carries that height is executed only once this was told, and only if it
  // says the same; the last one told counts.
  void KnowSnapshot(const SnapshotMark& mark) { snapshot_ = mark; }

  // Restated for the epoch of the block that comes next.
  const Genesis& genesis() const { return genesis_; }
  // After the last block that was executed and written.
  const Tip& tip() const { return tip_; }
  // Readers of this moment, for other threads.
  std::shared_ptr<const ChainReader> Snapshot() const;
  // The whole store of this moment, for SnapshotBuilder.
  std::shared_ptr<const StoreReader> StoreSnapshot() const { return store_->Snapshot(); }

 private:
  ChainState(Store* store, Genesis genesis, Tip tip)
      : store_(store), genesis_(std::move(genesis)), tip_(std::move(tip)) {}

  absl::StatusOr<ExecutedBlock> ExecuteAndWrite(const BlockPtr& block, JournalPosition position);

  Store* const store_;
  Genesis genesis_;  // Restated for the epoch of the block that comes next.
  Tip tip_;
  SnapshotMark snapshot_;  // The last one that is known.
  absl::Status failed_;    // The first error that is not the block's fault.
};

// The admission tables (ledger/state/tables.h: keys, stream heads, what makes a replay known) as
// they were at `height`, read through the undo images of the blocks above; at most
// kExecutionLagHeightsMax back. Get() and Scan() of other tables fail with kFailedPrecondition.
// `reader` must outlive the result.
// Errors: kOutOfRange when `height` is above the tip or too far below it.
absl::StatusOr<std::unique_ptr<StateBase>> StateAt(const ChainReader& reader, Height height);

// Whether a record may enter a block that is judged by `state` (state(E) of the design): key known
// there, role allowed, signature valid, sequence above the stream's head, no known replay. Spam
// never gets a leaf.
//
// Errors:
//   kUnauthenticated:  the key is not enrolled, or the signature is not the key's.
//   kPermissionDenied: the role does not allow the kind; a stream reset for another organisation.
//   kAlreadyExists:    sequence at or below the head (says what would be accepted); the reset,
//   alert
//                      or model commitment stands already, or every verdict of the attestation.
//   others:            of the state.
absl::Status CheckAdmissible(const Genesis& genesis, const StateBase& state,
                             const RecordView& record, const Hash& leaf_hash);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_CHAIN_STATE_H_
