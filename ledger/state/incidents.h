// Module incidents: confirmed alerts of one entity that are close to each other in time.
//
// An alert names its entity by an anchor: an event of the same organisation that names the same
// source, user or host. So the chain says that two events have one source, and never which. Who
// reads the events can tell whether that is so: attesters do, and dispute an alert whose anchor
// names another entity. Here nothing is known of the events' bytes, which may have been erased.
//
// When an alert is confirmed it joins the incident that its anchor led to last, or else the one
// that alerts about its own event or anchored in it are in, provided that incident has
//
//   fewer than kIncidentAlertsMax alerts,
//   an alert confirmed at most kIncidentGapMillis ago, and
//   been opened at most kIncidentSpanMillis ago, all by the blocks' times;
//
// else it opens one, under its own record index. An alert is in at most one incident and stays
// there. An alert without an anchor, one that is only proposed, and a contested one are in none.
// An incident is closed while analysts have closed all its alerts; a further alert opens it again.
#ifndef VIGIL_LEDGER_STATE_INCIDENTS_H_
#define VIGIL_LEDGER_STATE_INCIDENTS_H_

#include <cstdint>

#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/state/record_context.h"
#include "ledger/state/tables.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

// Part of the protocol.
inline constexpr uint32_t kIncidentAlertsMax = 256;
inline constexpr uint64_t kIncidentGapMillis = 4ULL * 60 * 60 * 1000;
inline constexpr uint64_t kIncidentSpanMillis = 24ULL * 60 * 60 * 1000;

// Whether the anchor of `body`, if it has one, is an event of the organisation that reported the
// alert's. REQUIRES: the alert's event exists.
ResultCode CheckAnchor(const StateView& view, const AlertBody& body);
// Keeps the anchor of the alert that the context's record raises.
void NoteAnchor(const RecordContext& context, const AlertBody& body);
// REQUIRES: `alert` was confirmed just now.
void JoinIncident(const RecordContext& context, RecordIndex index, const AlertRow& alert);
// The alert was closed by an analyst, or reopened.
void CountClosed(const RecordContext& context, RecordIndex alert, bool closed);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_INCIDENTS_H_
