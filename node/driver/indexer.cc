#include "node/driver/indexer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"
#include "ledger/storage/store.h"

namespace vigil::node {

using ledger::Block;
using ledger::RecordKind;

Indexer::Indexer(ChainAccess* chain, ledger::EventIndex* index, const LogFunction* log,
                 uint64_t keep_blocks, std::function<void(const absl::Status&)> on_damage,
                 Height first)
    : chain_(chain),
      index_(index),
      log_(log),
      keep_blocks_(keep_blocks),
      on_damage_(std::move(on_damage)),
      first_(first.value()) {}

void Indexer::Rebuild() {
  rebuild_wanted_ = true;
  signal()->Set();
}

void Indexer::SetFirst(Height first) {
  first_ = first.value();
  signal()->Set();
}

bool Indexer::DropAll() {
  (*log_)(LogLevel::kWarning, "index", "drops the search index and builds it from the journal");
  broken_ = false;
  const absl::Status status = index_->DropAfter(Height(0));
  if (!status.ok()) Stop(status);
  return true;
}

void Indexer::Stop(const absl::Status& why) {
  broken_ = true;
  if (ledger::IsStoreDamage(why)) return on_damage_(why);
  (*log_)(LogLevel::kError, "index",
          absl::StrCat("stopped at height ", index_->next_height().value(), ": ", why.message(),
                       "; searches are complete up to there; it goes on after a restart"));
}

bool Indexer::Step() {
  if (rebuild_wanted_.exchange(false)) return DropAll();
  const Height first(first_.load());
  // What an earlier life of a validator that joined anew had indexed ends below its first block.
  if (index_->next_height() > Height(0) && index_->next_height() < first) return DropAll();
  // An empty index begins where events are to be kept, and where blocks are here.
  const Height next =
      std::max(index_->next_height() == Height(0) ? Oldest() : index_->next_height(), first);
  if (broken_ || next > chain_->tip()) return false;
  absl::Status status = AddBlock(next);
  if (status.ok()) status = Forget();
  if (!status.ok()) Stop(status);
  return true;
}

Height Indexer::Oldest() const {
  const uint64_t tip = chain_->tip().value();
  const Height first(std::max<uint64_t>(first_, 1));
  if (keep_blocks_ == 0 || tip <= keep_blocks_) return first;
  return std::max(Height(tip - keep_blocks_ + 1), first);
}

absl::Status Indexer::Forget() {
  const Height oldest = Oldest();
  if (oldest <= index_->first_height()) return absl::OkStatus();
  return index_->Prune(oldest);
}

absl::Status Indexer::AddBlock(Height height) {
  const absl::StatusOr<ExecutedPtr> loaded = chain_->LoadExecuted(height);
  if (!loaded.ok()) {  // Not the damage of the index's own store that on_damage_ tells of.
    return absl::Status(loaded.status().code(), loaded.status().message());
  }
  return AddToIndex(**loaded, index_);
}

absl::Status AddToIndex(const ledger::ExecutedBlock& executed, ledger::EventIndex* index) {
  const Height height = executed.tip.height;
  const std::vector<Block::Entry>& records = executed.block->records();
  std::vector<EventView> views;
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].payload.empty() || executed.results[i].code != ledger::ResultCode::kOk) {
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, ledger::SplitPayload(records[i].payload));
    views.assign(events.size(), EventView());
    for (size_t item = 0; item < events.size(); ++item) {
      RETURN_IF_ERROR(ledger::ScanEvent(events[item], &views[item]));
    }
    RETURN_IF_ERROR(index->Add(height, executed.results[i].index, views));
  }
  return index->FinishBlock(height);
}

}  // namespace vigil::node
