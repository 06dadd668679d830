#include "node/driver/indexer.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"

namespace vigil::node {

using ledger::Block;
using ledger::RecordKind;

Indexer::Indexer(ChainAccess* chain, ledger::EventIndex* index, const LogFunction* log)
    : chain_(chain), index_(index), log_(log) {}

bool Indexer::Step() {
  const Height next = std::max(index_->next_height(), Height(1));
  if (broken_ || next > chain_->tip()) return false;
  const absl::Status status = AddBlock(next);
  if (!status.ok()) {
    broken_ = true;
    (*log_)(LogLevel::kError, "index",
            absl::StrCat("stopped at height ", next.value(), ": ", status.message(),
                         "; rebuild it with: vigil admin reindex"));
  }
  return true;
}

absl::Status Indexer::AddBlock(Height height) {
  ASSIGN_OR_RETURN(const ExecutedPtr executed, chain_->LoadExecuted(height));
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
