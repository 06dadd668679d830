// Module streams: event batches, heartbeats and gaps, in sequence; stream resets.
//
// A stream belongs to an identity, whichever of its keys signs. A record is OK iff its sequence is
// the head's plus one and its previous hash is the head's; only OK records are remembered:
//
//   sequence <= head, bytes of the record that took it   DUPLICATE
//   sequence <= head, other bytes                        CONFLICT: evidence against the key
//   sequence = head + 1, another previous hash           GAPPED
//   sequence > head + 1                                  GAPPED
//
// A reset is signed by an admin of the stream's organisation and names the present head sequence n.
// After it the next record has sequence n + 1 and, as its previous hash, the leaf hash of the
// reset.
//
//   organisation of the stream is not the admin's        PERMISSION_DENIED
//   the same reset again                                 DUPLICATE
//   no such stream                                       NOT_FOUND
//   head sequence is not n                               STALE
#ifndef VIGIL_LEDGER_STATE_STREAMS_H_
#define VIGIL_LEDGER_STATE_STREAMS_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

// The part of a stream record that the rule looks at.
struct StreamStep {
  absl::string_view stream;
  uint64_t sequence = 0;
  Hash previous;
  uint32_t item_count = 0;
  Hash items_root;
};
StreamStep StepOf(const EventBatchBody& body);
StreamStep StepOf(const HeartbeatBody& body);
StreamStep StepOf(const GapBody& body);

ResultCode ApplyStreamStep(const RecordContext& context, const StreamStep& step);
ResultCode ApplyStreamReset(const RecordContext& context, const StreamResetBody& body);

// Sequence 0 when the stream has no record.
StreamHeadRow FindStreamHead(const StateView& view, absl::string_view identity,
                             absl::string_view stream);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_STREAMS_H_
