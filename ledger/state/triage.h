// Module triage: what analysts do about alerts, as signed records.
//
// A triage record, by an analyst of the organisation whose sensor reported the alert's event:
//
//   names no alert                                                  NOT_FOUND
//   the alert's event is of another organisation                    PERMISSION_DENIED
//   knows of another number of triage records of the alert          STALE
//   acknowledges what is acknowledged or closed already,            INVALID
//     assigns or closes what is closed, reopens what is not,
//     assigns to nobody of the organisation who is an analyst,
//     or is one too many (kTriageStepsMax)
//
// An alert is open, then acknowledged (assigning it does that, too), then closed with a verdict; a
// closed one that is reopened is acknowledged and keeps its assignee. Two analysts who act at the
// same time do not overwrite each other unseen: the second's revision is stale.
#ifndef VIGIL_LEDGER_STATE_TRIAGE_H_
#define VIGIL_LEDGER_STATE_TRIAGE_H_

#include "absl/status/status.h"
#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

ResultCode ApplyTriage(const RecordContext& context, const TriageBody& body);

// Why `body` cannot take effect in the state of `view`, nor in any later one.
// Errors: kAlreadyExists: the revision is behind.
absl::Status CheckTriageAdmissible(const StateView& view, const KeyRow& signer,
                                   const TriageBody& body);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_TRIAGE_H_
