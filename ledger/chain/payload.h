// The payload of an event batch: u32be count | count x u32be size | the events, back to back.
#ifndef VIGIL_LEDGER_CHAIN_PAYLOAD_H_
#define VIGIL_LEDGER_CHAIN_PAYLOAD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/event_view.h"
#include "ledger/chain/record.h"

namespace vigil::ledger {

std::string EncodePayload(const std::vector<std::string>& events);
// The events as views. Errors: kInvalidArgument when counts, sizes or limits are off.
absl::StatusOr<std::vector<ByteSpan>> SplitPayload(ByteSpan payload);
// RFC 6962 root over the event leaves.
Hash ItemsRoot(const std::vector<ByteSpan>& events);

// Whether `event_leaves`, 32 bytes for each event, is what `batch` committed to.
// Errors: kInvalidArgument for another number of them; kDataLoss when the items root differs.
absl::Status CheckEventLeaves(const EventBatchBody& batch, ByteSpan event_leaves);

// Whether `payload` is what `batch` committed to: count, sizes, items root, time span, and every
// event canonical. The stateless half of admission. When `views` is given it receives one EventView
// per event, pointing into `payload`.
// Errors: kInvalidArgument naming the item; kDataLoss when the items root differs.
absl::Status CheckPayload(const EventBatchBody& batch, ByteSpan payload,
                          std::vector<EventView>* views);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_PAYLOAD_H_
