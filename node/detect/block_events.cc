#include "node/detect/block_events.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"

namespace vigil::node {
namespace {

absl::Status AsDataLoss(const absl::Status& status, RecordIndex record) {
  if (status.ok()) return status;
  return absl::DataLossError(absl::StrCat("record ", record.value(), ": ", status.message()));
}

absl::Status AppendEvents(ByteSpan payload, RecordIndex record,
                          std::vector<BlockEventView>* events) {
  const absl::StatusOr<std::vector<ByteSpan>> items = ledger::SplitPayload(payload);
  if (!items.ok()) return AsDataLoss(items.status(), record);
  for (size_t item = 0; item < items->size(); ++item) {
    BlockEventView event;
    event.ref = {.record_index = record, .item = ItemIndex(static_cast<uint32_t>(item))};
    event.bytes = (*items)[item];
    RETURN_IF_ERROR(AsDataLoss(ledger::ScanEvent(event.bytes, &event.view), record));
    events->push_back(event);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<BlockEventView>> EventsOf(const ledger::ExecutedBlock& executed) {
  if (executed.block->pruned()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the payloads of block ", executed.block->height().value(),
        " were pruned, so that the detector cannot read its events again: models of that time are "
        "not derived here any more"));
  }
  std::vector<BlockEventView> events;
  for (size_t i = 0; i < executed.results.size(); ++i) {
    const ledger::Block::Entry& entry = executed.block->records()[i];
    if (entry.payload.empty() || executed.results[i].code != ledger::ResultCode::kOk) continue;
    RETURN_IF_ERROR(AppendEvents(entry.payload, executed.results[i].index, &events));
  }
  return events;
}

absl::StatusOr<BlockEventView> EventAt(const ledger::ExecutedBlock& executed,
                                       const ledger::EventRef& ref) {
  if (executed.block->pruned()) {
    return absl::NotFoundError(absl::StrCat("event ", ref.record_index.value(), "/",
                                            ref.item.value(), ": its payload was pruned"));
  }
  for (size_t i = 0; i < executed.results.size(); ++i) {
    if (executed.results[i].index != ref.record_index) continue;
    const ledger::Block::Entry& entry = executed.block->records()[i];
    if (entry.payload.empty() || executed.results[i].code != ledger::ResultCode::kOk) break;
    std::vector<BlockEventView> events;
    RETURN_IF_ERROR(AppendEvents(entry.payload, ref.record_index, &events));
    if (ref.item.value() < events.size()) return events[ref.item.value()];
  }
  return absl::NotFoundError(
      absl::StrCat("event ", ref.record_index.value(), "/", ref.item.value()));
}

}  // namespace vigil::node
