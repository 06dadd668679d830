// Module models: which detector model a quorum of validators trained.
//
// A commitment, by the record key of a validator, one per type, period and validator:
//
//   this validator committed for the type and period       ALREADY_EXISTS
//   the period is below the active one of the type         STALE
//   the window ends at or above this block's height        INVALID
//
// Each epoch's validators decide alone: a commitment counts while its author is one of them and has
// the keys that signed it. Who has new keys may commit again to a period above the active one.
//
// Once a quorum said exactly the same of a type and period (digest, window end, rows, threshold,
// window digest, events counted), that model is active. A commitment to the period that is active
// already is kept and changes nothing but this: once a quorum also said the same of its drift
// (against the window of which period, and which features are beyond the limit), that stands with
// the model, and where features are it is a drift notice. So whoever lacks the earlier model keeps
// no model from becoming active, and liars below a quorum make no notice.
#ifndef VIGIL_LEDGER_STATE_MODELS_H_
#define VIGIL_LEDGER_STATE_MODELS_H_

#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"

namespace vigil::ledger {

ResultCode ApplyModelCommitment(const RecordContext& context, const ModelCommitmentBody& body);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_MODELS_H_
