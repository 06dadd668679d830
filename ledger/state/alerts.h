// Module alerts: what a validator's detector found, and what the others say of it.
//
// An alert, by the record key of a validator:
//
//   cites no model that was ever active for its type      NOT_FOUND
//   cites an older one than the last two active ones      STALE
//   cites an active period with another digest, or        INVALID
//     another threshold, or scores below it
//   is of a rule, and its event is held against none, or  NOT_FOUND
//     against other rules (rules.h)
//   is of a rule, and has not its digest, or a score      INVALID
//     that differs from its threshold
//   names no event of an OK batch                         NOT_FOUND
//   has an anchor that is no event of an OK batch         NOT_FOUND
//   has one that another organisation reported            INVALID
//   an alert of this event and model or rule stands, or   ALREADY_EXISTS
//     one by this validator was contested
//
// The model active just before the present one still counts, so that alerts that were under way
// when a model was replaced are not lost. Whether the rule matched is not known here either. The
// event's leaf hash is not compared here, nor what the anchor names: attesters do.
// An alert is its proposer's own confirmation; k confirmations make it CONFIRMED, f + 1 disputes
// CONTESTED (ledger/state/quorum.h). Both are final; later verdicts are kept beside them. After a
// contested alert the event may be raised again, by others: else one liar could keep any event from
// being confirmed by being the first to raise it, wrongly. A confirmed one joins an incident
// (ledger/state/incidents.h).
//
// Each epoch's validators decide alone. An alert that is still open when an epoch begins is counted
// anew with the next verdict: of those who are validators now, what they said under the keys that
// they have now. Who left counts no more, who has new keys may say it again, and confirmed and
// contested alerts stay what they are. An open alert that nobody speaks of stays as it is. Where a
// smaller set has nothing left to say, because what its validators said in an earlier epoch is
// enough by now, one of them says the same again, in a record that names the present epoch
// (AttestationBody.epoch; STALE in any other): that record decides the alert. Said again without
// deciding it, it is as if said twice.
//
// Attestations: one verdict per alert and validator, that is per its keys while the alert is open.
// Entries that cannot count are passed over. The record is OK when an entry took effect, else
// ALREADY_EXISTS when a verdict of this validator stands for one of them, else NOT_FOUND.
#ifndef VIGIL_LEDGER_STATE_ALERTS_H_
#define VIGIL_LEDGER_STATE_ALERTS_H_

#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"

namespace vigil::ledger {

ResultCode ApplyAlert(const RecordContext& context, const AlertBody& body);
ResultCode ApplyAttestation(const RecordContext& context, const AttestationBody& body);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_ALERTS_H_
