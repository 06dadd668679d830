#include "node/driver/block_builder.h"

#include <algorithm>

#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/governance.h"

namespace vigil::node {

using ledger::BlockHeader;

BlockBuilder::BlockBuilder(const ledger::Genesis* genesis, ValidatorIndex self,
                           const ledger::SigningKey* consensus_key, RevealChain* reveals)
    : genesis_(genesis), self_(self), consensus_key_(consensus_key), reveals_(reveals) {}

absl::StatusOr<ledger::BlockPtr> BlockBuilder::Build(
    const ParentBlock& parent, View view, Height executed, const ledger::ChainReader& reader,
    const std::optional<ledger::SnapshotMark>& snapshot, int64_t now_unix_millis,
    const std::vector<std::shared_ptr<const ledger::Record>>& records) const {
  const Height height = parent.id.height.Next();
  VIGIL_CHECK(executed >= parent.executed_in_header && executed < height &&
                  height - executed <= kExecutionLagHeightsMax,
              "E ", executed.value(), " at height ", height.value(), ", parent's E ",
              parent.executed_in_header.value());
  BlockHeader header;
  header.chain_id = genesis_->chain_id;
  header.epoch = genesis_->epoch;
  header.view = view;
  header.height = height;
  header.parent_hash = parent.id.hash;
  header.parent_view = parent.id.view;
  header.executed_height = executed;
  ASSIGN_OR_RETURN(header.state_digest, reader.StateDigest(executed));
  ASSIGN_OR_RETURN(header.results_root, reader.ResultsRoot(parent.executed_in_header, executed));
  header.snapshot_height = genesis_->SnapshotHeightAt(height);
  if (header.snapshot_height != Height(0)) {
    VIGIL_CHECK(snapshot.has_value() && snapshot->height == header.snapshot_height, "block ",
                height.value(), " must carry the snapshot of ", header.snapshot_height.value());
    header.snapshot_digest = snapshot->digest;
  }
  header.validator_set_hash = genesis_->validator_set_hash;
  ASSIGN_OR_RETURN(header.next_validator_set_hash,
                   ledger::NextSetHash(*genesis_, reader.state(), height, executed));
  header.reveal = reveals_->Element(height);
  header.time_unix_millis = std::max({static_cast<uint64_t>(std::max<int64_t>(now_unix_millis, 0)),
                                      parent.time_unix_millis, genesis_->time_unix_millis});
  header.proposer = self_;
  std::vector<const ledger::Record*> views;
  views.reserve(records.size());
  for (const auto& record : records) views.push_back(record.get());
  return ledger::Block::Make(header, views, *consensus_key_);
}

}  // namespace vigil::node
