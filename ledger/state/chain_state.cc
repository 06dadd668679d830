#include "ledger/state/chain_state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/executor.h"
#include "ledger/state/governance.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

namespace {

// A shared pointer that owns nothing, to read the live store through the readers' interface.
std::shared_ptr<const StoreReader> Borrow(const Store* store) {
  return std::shared_ptr<const StoreReader>(store, [](const StoreReader*) {});
}

absl::Status CheckSameChain(const ChainRow& stored, const Genesis& genesis) {
  if (stored.chain_id == genesis.chain_id && stored.genesis_hash == genesis.genesis_hash) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the store is of chain ", stored.chain_id.ToHex(), ", genesis is of chain ",
                   genesis.chain_id.ToHex()));
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("store: ", what, "; rebuild it from the journal"));
}

// Every block writes a mark with its batch: a height without one is a batch that was lost.
absl::Status CheckMarks(const Store& store, const Tip& tip) {
  const uint64_t height = tip.height.value();
  uint64_t expected = height > kMarksKeptMax ? height - kMarksKeptMax + 1 : 1;
  absl::Status problem;
  std::string last_mark;
  const std::string from = SpacePrefix(Space::kMark);
  RETURN_IF_ERROR(store.Scan(from, PrefixEnd(from), /*reverse=*/false,
                             [&](absl::string_view key, absl::string_view value) {
                               ByteReader reader(key.substr(1));
                               const uint64_t marked = reader.U64();
                               if (marked != expected || !reader.Finish("mark").ok()) {
                                 problem = Damaged(absl::StrCat("mark of height ", expected,
                                                                " is missing below ", marked));
                                 return false;
                               }
                               ++expected;
                               last_mark = std::string(value);
                               return true;
                             }));
  RETURN_IF_ERROR(problem);
  if (expected != height + 1) {
    return Damaged(absl::StrCat("marks end at height ", expected - 1, ", the tip is at ", height));
  }
  if (height > 0 && last_mark != tip.block_hash.view()) {
    return Damaged(absl::StrCat("mark of height ", height, " is not the tip's block hash"));
  }
  return absl::OkStatus();
}

// The tip and the last block's entry were written together.
absl::Status CheckTip(const ChainReader& reader, const Genesis& genesis, const Tip& tip) {
  if (tip.height == Height(0)) {
    const bool pristine = tip.block_hash == genesis.genesis_hash && tip.tree.size() == 0;
    return pristine ? absl::OkStatus() : Damaged("the tip at height 0 is not genesis");
  }
  const absl::StatusOr<BlockInfo> info = reader.GetBlock(tip.height);
  if (!info.ok()) return Damaged(absl::StrCat("tip: ", info.status().message()));
  const uint64_t tree_size = info->first_index.value() + info->record_count + 1;
  if (info->hash != tip.block_hash || info->state_digest != tip.state_digest ||
      tree_size != tip.tree.size()) {
    return Damaged(absl::StrCat("the tip differs from the entry of block ", tip.height.value()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Tip> LoadTip(const Store& store, const Genesis& genesis) {
  const ChainReader reader(Borrow(&store));
  absl::StatusOr<Tip> tip = reader.GetTip();
  if (!tip.ok()) return Damaged(tip.status().message());
  RETURN_IF_ERROR(CheckTip(reader, genesis, *tip));
  RETURN_IF_ERROR(CheckMarks(store, *tip));
  return tip;
}

absl::StatusOr<bool> IsEmpty(const Store& store) {
  bool empty = true;
  RETURN_IF_ERROR(store.Scan("", "", /*reverse=*/false, [&](absl::string_view, absl::string_view) {
    empty = false;
    return false;
  }));
  return empty;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChainState>> ChainState::Open(Store* store, const Genesis* genesis) {
  ASSIGN_OR_RETURN(const std::optional<std::string> chain, store->Get(StoreChainKey()));
  if (!chain.has_value()) {
    ASSIGN_OR_RETURN(const bool empty, IsEmpty(*store));
    if (!empty) return Damaged("it has keys but names no chain");
    GenesisOutcome outcome = ExecuteGenesis(*genesis);
    RETURN_IF_ERROR(store->Write(outcome.batch));
    return std::unique_ptr<ChainState>(
        new ChainState(store, AtHeight(*genesis, Height(1)), std::move(outcome.tip)));
  }
  ASSIGN_OR_RETURN(const ChainRow row, DecodeChain(*chain));
  RETURN_IF_ERROR(CheckSameChain(row, *genesis));
  ASSIGN_OR_RETURN(Tip tip, LoadTip(*store, *genesis));
  ASSIGN_OR_RETURN(Genesis at, AtState(*genesis, ChainReader(Borrow(store)).state()));
  return std::unique_ptr<ChainState>(new ChainState(store, std::move(at), std::move(tip)));
}

absl::StatusOr<ExecutedBlock> ChainState::Execute(const BlockPtr& block, JournalPosition position) {
  RETURN_IF_ERROR(failed_);
  const Height snapshot = block->header().snapshot_height;
  if (snapshot != Height(0) && snapshot != snapshot_.height) {
    return absl::FailedPreconditionError(absl::StrCat("block ", block->height().value(),
                                                      " carries the digest of the snapshot at ",
                                                      snapshot.value(), "; ours is not known yet"));
  }
  absl::StatusOr<ExecutedBlock> executed = ExecuteAndWrite(block, position);
  if (executed.ok()) {
    tip_ = executed->tip;
  } else if (!absl::IsInvalidArgument(executed.status())) {
    failed_ = executed.status();
  }
  return executed;
}

absl::StatusOr<ExecutedBlock> ChainState::ExecuteAndWrite(const BlockPtr& block,
                                                          JournalPosition position) {
  RETURN_IF_ERROR(CheckContinues(genesis_, tip_, block->header()));
  RETURN_IF_ERROR(CheckAgreement(genesis_, ChainReader(Borrow(store_)), tip_, block->header()));
  if (block->header().snapshot_height != Height(0)) {
    RETURN_IF_ERROR(CheckSnapshotAgreement(snapshot_, block->header()));
  }
  ASSIGN_OR_RETURN(BlockOutcome outcome, ExecuteOnTip(genesis_, *store_, tip_, block, position));
  const absl::Status written = store_->Write(outcome.batch);
  if (!written.ok()) {
    return Annotate(written, absl::StrCat("block ", block->height().value(), " not written"));
  }
  if (Seals(block->header())) {
    ASSIGN_OR_RETURN(genesis_, AtState(genesis_, ChainReader(Borrow(store_)).state()));
  }
  return std::move(outcome.executed);
}

std::shared_ptr<const ChainReader> ChainState::Snapshot() const {
  return std::make_shared<ChainReader>(std::shared_ptr<const StoreReader>(store_->Snapshot()));
}

}  // namespace vigil::ledger
