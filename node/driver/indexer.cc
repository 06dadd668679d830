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
                 std::function<void(const absl::Status&)> on_damage)
    : chain_(chain), index_(index), log_(log), on_damage_(std::move(on_damage)) {}

void Indexer::Rebuild() {
  rebuild_wanted_ = true;
  signal()->Set();
}

bool Indexer::DropAll() {
  (*log_)(LogLevel::kWarning, "index", "drops the search index and builds it from the first block");
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
  const Height next = std::max(index_->next_height(), Height(1));
  if (broken_ || next > chain_->tip()) return false;
  const absl::Status status = AddBlock(next);
  if (!status.ok()) Stop(status);
  return true;
}

absl::Status Indexer::AddBlock(Height height) {
  const absl::StatusOr<ExecutedPtr> loaded = chain_->LoadExecuted(height);
  if (!loaded.ok()) {  // Not the damage of the index's own store that on_damage_ tells of.
    return absl::Status(loaded.status().code(), loaded.status().message());
  }
  const ExecutedPtr& executed = *loaded;
  const std::vector<Block::Entry>& records = executed->block->records();
  std::vector<EventView> views;
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].payload.empty() || executed->results[i].code != ledger::ResultCode::kOk) {
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, ledger::SplitPayload(records[i].payload));
    views.assign(events.size(), EventView());
    for (size_t item = 0; item < events.size(); ++item) {
      RETURN_IF_ERROR(ledger::ScanEvent(events[item], &views[item]));
    }
    RETURN_IF_ERROR(index_->Add(height, executed->results[i].index, views));
  }
  return index_->FinishBlock(height);
}

}  // namespace vigil::node
