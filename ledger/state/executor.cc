#include "ledger/state/executor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/state/apply.h"
#include "ledger/state/governance.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/store_state.h"
#include "ledger/state/tables.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

namespace {

template <typename... Parts>
absl::Status Refused(const BlockHeader& header, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("block ", header.height.value(), ": ", parts...));
}

void PutState(const WriteSet& writes, StoreBatch* batch) {
  for (const auto& [key, value] : writes) {
    if (value.has_value()) {
      batch->Put(StoreStateKey(key), *value);
    } else {
      batch->Delete(StoreStateKey(key));
    }
  }
}

// What the admission tables held before `writes`.
absl::StatusOr<WriteSet> UndoOf(const StateBase& state, const WriteSet& writes) {
  WriteSet undo;
  for (const auto& [key, value] : writes) {
    if (!IsAdmissionKey(key)) continue;
    ASSIGN_OR_RETURN(undo[key], state.Get(key));
  }
  return undo;
}

// Leaf hash -> index: of the OK record with these bytes, else of the first.
absl::Status PutLeaves(const StoreReader& store, const Block& block,
                       const std::vector<RecordResult>& results, StoreBatch* batch) {
  std::map<Hash, RecordIndex> written;
  for (size_t i = 0; i < results.size(); ++i) {
    const Hash& leaf_hash = block.records()[i].leaf_hash;
    const std::string key = StoreHashKey(Space::kLeaf, leaf_hash);
    if (results[i].code != ResultCode::kOk) {
      if (written.contains(leaf_hash)) continue;
      ASSIGN_OR_RETURN(const std::optional<std::string> earlier, store.Get(key));
      if (earlier.has_value()) continue;
    }
    written[leaf_hash] = results[i].index;
  }
  for (const auto& [leaf_hash, index] : written) {
    batch->Put(StoreHashKey(Space::kLeaf, leaf_hash), EncodeNumber(index.value()));
  }
  return absl::OkStatus();
}

void CountEffects(const std::vector<RecordResult>& results, Tip* tip) {
  for (const RecordResult& result : results) {
    for (const Effect& effect : result.effects) {
      if (effect.type == EffectType::kAlertProposed) ++tip->alert_count;
      if (effect.type == EffectType::kAlertConfirmed) ++tip->alert_confirmed_count;
    }
  }
}

// The tip after `block` was executed.
Tip NextTip(const Tip& tip, const Block& block, const std::vector<RecordResult>& results,
            const EventTotals& totals, const Hash& state_digest) {
  Tip next = SealedTip(tip, block);
  next.state_digest = state_digest;
  next.event_count += totals.event_count;
  CountEffects(results, &next);
  return next;
}

BlockInfo MakeBlockInfo(const Block& block, JournalPosition position, RecordIndex first,
                        const EventTotals& totals, const Tip& after) {
  BlockInfo info;
  info.height = block.height();
  info.view = block.header().view;
  info.hash = block.hash();
  info.position = position;
  info.first_index = first;
  info.record_count = static_cast<uint32_t>(block.records().size());
  info.event_count = totals.event_count;
  info.frame_bytes = static_cast<uint32_t>(WholeFrameBytes(block));
  info.time_unix_millis = block.header().time_unix_millis;
  info.event_time_min = totals.time_min;
  info.event_time_max = totals.time_max;
  info.state_digest = after.state_digest;
  info.seal_leaf = after.seal_leaf;
  return info;
}

void PutBlock(const BlockInfo& info, const ExecutedBlock& executed, const WriteSet& undo,
              StoreBatch* batch) {
  const uint64_t height = info.height.value();
  batch->Put(StoreNumberKey(Space::kBlock, height), EncodeBlockInfo(info));
  batch->Put(StoreHashKey(Space::kBlockHash, info.hash), EncodeNumber(height));
  batch->Put(StoreNumberKey(Space::kFirstIndex, info.first_index.value()), EncodeNumber(height));
  batch->Put(StoreNumberKey(Space::kResults, height), EncodeResults(executed.results));
  batch->Put(StoreNumberKey(Space::kUndo, height), EncodeWriteSet(undo));
  if (height > kExecutionLagHeightsMax) {
    batch->Delete(StoreNumberKey(Space::kUndo, height - kExecutionLagHeightsMax));
  }
  batch->Put(StoreNumberKey(Space::kMark, height), info.hash.view());
  if (height > kMarksKeptMax) {
    batch->Delete(StoreNumberKey(Space::kMark, height - kMarksKeptMax));
  }
  batch->Put(StoreTipKey(), EncodeTip(executed.tip));
}

}  // namespace

Tip GenesisTip(const Genesis& genesis, const Hash& state_digest) {
  Tip tip;
  tip.block_hash = genesis.genesis_hash;
  tip.time_unix_millis = genesis.time_unix_millis;
  tip.state_digest = state_digest;
  return tip;
}

GenesisOutcome ExecuteGenesis(const Genesis& genesis) {
  class EmptyState final : public StateBase {
    absl::StatusOr<std::optional<std::string>> Get(absl::string_view) const override {
      return std::optional<std::string>();
    }
    absl::Status Scan(absl::string_view, const StateVisitor&) const override {
      return absl::OkStatus();
    }
  };
  const EmptyState empty;
  StateView view(&empty);
  ApplyGenesis(genesis, &view);
  const Hash digest = NextStateDigest(genesis.genesis_hash, view.writes());
  GenesisOutcome outcome{.batch = {}, .tip = GenesisTip(genesis, digest)};
  PutState(view.writes(), &outcome.batch);
  outcome.batch.Put(StoreChainKey(), EncodeChain({.chain_id = genesis.chain_id,
                                                  .genesis_hash = genesis.genesis_hash,
                                                  .state_digest = digest}));
  outcome.batch.Put(StoreTipKey(), EncodeTip(outcome.tip));
  return outcome;
}

absl::Status CheckContinues(const Genesis& genesis, const Tip& tip, const BlockHeader& header) {
  if (header.height != tip.height.Next()) {
    return Refused(header, "the tip is at height ", tip.height.value());
  }
  if (header.chain_id != genesis.chain_id) {
    return Refused(header, "chain id ", header.chain_id.ToHex(), ", must be ",
                   genesis.chain_id.ToHex());
  }
  if (header.parent_hash != tip.block_hash) {
    return Refused(header, "parent ", header.parent_hash.ToHex(), ", the tip is ",
                   tip.block_hash.ToHex());
  }
  if (header.parent_view != tip.view || header.view < tip.view) {
    return Refused(header, "view ", header.view.value(), " on parent view ",
                   header.parent_view.value(), ", the tip has view ", tip.view.value());
  }
  if (header.time_unix_millis < tip.time_unix_millis) {
    return Refused(header, "time ", header.time_unix_millis, " ms, below the tip's ",
                   tip.time_unix_millis);
  }
  const uint64_t executed = header.executed_height.value();
  if (header.executed_height < tip.executed_in_header || executed >= header.height.value() ||
      header.height.value() - executed > kExecutionLagHeightsMax) {
    return Refused(header, "executed height ", executed, ", must be at least ",
                   tip.executed_in_header.value(), " and 1 to ", kExecutionLagHeightsMax,
                   " below the block");
  }
  if (header.epoch != genesis.epoch) {
    return Refused(header, "epoch ", header.epoch.value(), ", must be ", genesis.epoch.value());
  }
  if (header.executed_height < genesis.epoch_base) {
    return Refused(header, "executed height ", executed, ", its epoch begins above ",
                   genesis.epoch_base.value(), ", which must be executed");
  }
  if (header.snapshot_height != genesis.SnapshotHeightAt(header.height)) {
    return Refused(header, "names the snapshot of height ", header.snapshot_height.value(),
                   ", must be ", genesis.SnapshotHeightAt(header.height).value(), " (0: none)");
  }
  if (header.proposer.value() >= genesis.validators.size()) {
    return Refused(header, "proposer ", header.proposer.value(), " of ", genesis.validators.size(),
                   " validators");
  }
  if (header.validator_set_hash != genesis.validator_set_hash) {
    return Refused(header, "validator set hash ", header.validator_set_hash.ToHex(), ", must be ",
                   genesis.validator_set_hash.ToHex());
  }
  return absl::OkStatus();
}

absl::Status CheckAgreement(const Genesis& genesis, const ChainReader& reader, const Tip& tip,
                            const BlockHeader& header) {
  const Height executed = header.executed_height;
  ASSIGN_OR_RETURN(const Hash digest, reader.StateDigest(executed));
  if (digest != header.state_digest) {
    return absl::DataLossError(absl::StrCat(
        "state divergence at height ", executed.value(), ": block ", header.height.value(),
        " says digest ", header.state_digest.ToHex(), ", ours is ", digest.ToHex()));
  }
  ASSIGN_OR_RETURN(const Hash root, reader.ResultsRoot(tip.executed_in_header, executed));
  if (root != header.results_root) {
    return absl::DataLossError(absl::StrCat(
        "state divergence at height ", executed.value(), ": block ", header.height.value(),
        " says results root ", header.results_root.ToHex(), " over heights (",
        tip.executed_in_header.value(), ", ", executed.value(), "], ours is ", root.ToHex()));
  }
  ASSIGN_OR_RETURN(const Hash next, NextSetHash(genesis, reader.state(), header.height, executed));
  if (next != header.next_validator_set_hash) {
    return absl::DataLossError(
        absl::StrCat("state divergence at height ", executed.value(), ": block ",
                     header.height.value(), " says next validator set ",
                     header.next_validator_set_hash.ToHex(), ", ours is ", next.ToHex()));
  }
  return absl::OkStatus();
}

absl::Status CheckSnapshotAgreement(const SnapshotMark& own, const BlockHeader& header) {
  VIGIL_CHECK(own.height == header.snapshot_height, "snapshot of height ", own.height.value(),
              ", the header speaks of ", header.snapshot_height.value());
  if (own.digest == header.snapshot_digest) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "state divergence at height ", own.height.value(), ": block ", header.height.value(),
      " says snapshot digest ", header.snapshot_digest.ToHex(), ", ours is ", own.digest.ToHex()));
}

Tip SealedTip(const Tip& tip, const Block& block) {
  const BlockHeader& header = block.header();
  const RecordIndex first(tip.tree.size());
  Tip next = tip;
  next.height = header.height;
  next.view = header.view;
  next.block_hash = block.hash();
  next.time_unix_millis = header.time_unix_millis;
  next.executed_in_header = header.executed_height;
  for (const Block::Entry& entry : block.records()) next.tree.Append(entry.leaf_hash);
  const std::string seal = EncodeSealLeaf(block.header_bytes(), tip.seal_leaf, first,
                                          static_cast<uint32_t>(block.records().size()));
  next.seal_leaf = LeafHash(AsBytes(seal));
  next.tree.Append(next.seal_leaf);
  return next;
}

absl::StatusOr<BlockOutcome> ExecuteOnTip(const Genesis& genesis, const StoreReader& store,
                                          const Tip& tip, const BlockPtr& block,
                                          JournalPosition position) {
  const StoreState state(&store);
  StateView view(&state);
  const RecordIndex first(tip.tree.size());
  EventTotals totals;
  BlockOutcome outcome;
  ASSIGN_OR_RETURN(
      std::vector<RecordResult> results,
      ApplyBlock({.genesis = &genesis, .height = block->height(), .first_index = first}, *block,
                 &view, &totals));
  const Hash digest = NextStateDigest(tip.state_digest, view.writes());
  ASSIGN_OR_RETURN(const WriteSet undo, UndoOf(state, view.writes()));

  ExecutedBlock& executed = outcome.executed;
  executed.block = block;
  executed.first_index = first;
  executed.results = std::move(results);
  executed.state_digest = digest;
  executed.tip = NextTip(tip, *block, executed.results, totals, digest);
  executed.seal_leaf = executed.tip.seal_leaf;

  PutState(view.writes(), &outcome.batch);
  RETURN_IF_ERROR(PutLeaves(store, *block, executed.results, &outcome.batch));
  PutBlock(MakeBlockInfo(*block, position, first, totals, executed.tip), executed, undo,
           &outcome.batch);
  return outcome;
}

}  // namespace vigil::ledger
