// The strict, table-driven scanner: decides whether bytes are one canonical Event or record body.
//
// Canonical: known tags in ascending order (repeated fields in a row), the right wire type, minimal
// varints, no default or empty values, no groups, caps and exact lengths of the field tables, valid
// UTF-8, required fields present (docs/formats.md, Canonical messages). Protobuf never decides: it
// accepts unknown fields, duplicates, wrong types and overlong varints. Pure; linear time.
#ifndef VIGIL_LEDGER_CHAIN_SCANNER_H_
#define VIGIL_LEDGER_CHAIN_SCANNER_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/event_view.h"
#include "ledger/chain/record.h"

namespace vigil::ledger {

// Fills `view` with views into `event`. Elements of its arrays beyond their counts mean nothing.
// Errors: kInvalidArgument "event.src.port: 70000, at most 65535" and the like.
absl::Status ScanEvent(ByteSpan event, EventView* view);

// Scans a body of `kind`; `author` and views point into `body`.
absl::Status ScanBody(RecordKind kind, ByteSpan body, KeyId* author, RecordBody* out);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_SCANNER_H_
