// The events of executed blocks, as the detector reads them. Pure.
#ifndef VIGIL_NODE_DETECT_BLOCK_EVENTS_H_
#define VIGIL_NODE_DETECT_BLOCK_EVENTS_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/event_view.h"
#include "ledger/chain/record.h"
#include "ledger/state/chain_state.h"

namespace vigil::node {

struct BlockEventView {
  ledger::EventRef ref;
  ByteSpan bytes;
  EventView view;
};

// Every event of an OK batch, in (record, item) order. Views point into the block.
// Errors: kDataLoss when a payload is not what CheckBlock lets pass; kFailedPrecondition when the
// payloads were pruned.
absl::StatusOr<std::vector<BlockEventView>> EventsOf(const ledger::ExecutedBlock& executed);

// One event of the block. Errors: kNotFound when the block has no such event; kDataLoss.
absl::StatusOr<BlockEventView> EventAt(const ledger::ExecutedBlock& executed,
                                       const ledger::EventRef& ref);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DETECT_BLOCK_EVENTS_H_
