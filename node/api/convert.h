// From the ledger's types to the messages of vigil.v1. Pure but for reading from the snapshot
// given.
#ifndef VIGIL_NODE_API_CONVERT_H_
#define VIGIL_NODE_API_CONVERT_H_

#include <string>

#include "absl/status/statusor.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

template <typename Fixed>
std::string BytesOf(const Fixed& value) {
  return std::string(value.view());
}

v1::Receipt ToProto(const SubmitReceipt& receipt, v1::AckLevel reached);

// Header fields and counts; `with_records` adds a summary of each record.
absl::StatusOr<v1::Block> ToProto(const ledger::Genesis& genesis, const ledger::ChainReader& reader,
                                  const ledger::BlockInfo& info, const ledger::Block& block,
                                  bool with_records);

// The newest final checkpoint. Errors: kNotFound while there is none; kUnavailable.
absl::StatusOr<v1::Checkpoint> CheckpointOf(const NodeServices& services);
// Marks blocks that `checkpoint` covers; one without height covers none.
void MarkFinal(const v1::Checkpoint& checkpoint, v1::Block* block);

v1::RecordSummary Summarise(const ledger::Block::Entry& entry, const ledger::RecordResult& result);

// The event at `ref` in `block`, which starts at record index `first`.
// Errors: kNotFound; kDataLoss when the stored payload does not split.
absl::StatusOr<v1::StoredEvent> EventAt(const ledger::ChainReader& reader,
                                        const ledger::BlockInfo& info, const ledger::Block& block,
                                        const ledger::EventRef& ref);

v1::Triage ToProto(const ledger::TriageInfo& triage);
v1::AlertAnchor AnchorOf(uint32_t kind, const ledger::EventRef& event);
v1::Alert ToProto(const ledger::AlertInfo& alert);
v1::Model ToProto(const ledger::ModelInfo& model);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_CONVERT_H_
