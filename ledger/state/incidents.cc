#include "ledger/state/incidents.h"

#include <algorithm>
#include <optional>

namespace vigil::ledger {
namespace {

bool HasAnchor(const AlertBody& body) { return body.anchor_kind != 0; }

uint64_t Since(uint64_t earlier, uint64_t now) { return now > earlier ? now - earlier : 0; }

bool TakesMore(const IncidentRow& incident, uint64_t now) {
  return incident.alert_count < kIncidentAlertsMax &&
         Since(incident.last_millis, now) <= kIncidentGapMillis &&
         Since(incident.opened_millis, now) <= kIncidentSpanMillis;
}

// Where alerts with this anchor went last; nullopt: nowhere, or to one that takes no more.
std::optional<RecordIndex> FindOpen(const RecordContext& context, uint32_t kind,
                                    const EventRef& event) {
  const std::optional<IndexRow> found =
      ReadRow<IndexRow>(*context.view, IncidentOfEventKey(kind, event));
  if (!found.has_value()) return std::nullopt;
  const std::optional<IncidentRow> incident =
      ReadRow<IncidentRow>(*context.view, IncidentKey(found->index));
  if (!incident.has_value() || !TakesMore(*incident, context.time_unix_millis)) return std::nullopt;
  return found->index;
}

IncidentRow NewIncident(const RecordContext& context, const AlertAnchorRow& anchor) {
  IncidentRow row;
  row.kind = anchor.kind;
  row.anchor = anchor.anchor;
  const std::optional<StreamRecordRow> batch =
      ReadRow<StreamRecordRow>(*context.view, StreamRecordKey(anchor.anchor.record_index));
  if (batch.has_value()) row.org = batch->org;
  row.opened_height = context.height;
  row.opened_millis = context.time_unix_millis;
  return row;
}

bool IsClosed(const StateView& view, RecordIndex alert) {
  const std::optional<TriageRow> triage = ReadRow<TriageRow>(view, TriageKey(alert));
  return triage.has_value() && triage->state == TriageState::kClosed;
}

// Writes the incident and the one row that says whether it is closed. `was_closed`: what that row
// says now; nullopt: there is none.
void Write(const RecordContext& context, RecordIndex index, const IncidentRow& incident,
           std::optional<bool> was_closed) {
  WriteRow(context.view, IncidentKey(index), incident);
  if (was_closed == incident.closed()) return;
  if (was_closed.has_value()) context.view->Delete(IncidentInStateKey(*was_closed, index));
  context.view->Put(IncidentInStateKey(incident.closed(), index), "");
}

}  // namespace

ResultCode CheckAnchor(const StateView& view, const AlertBody& body) {
  if (!HasAnchor(body)) return ResultCode::kOk;
  const std::optional<StreamRecordRow> batch =
      ReadRow<StreamRecordRow>(view, StreamRecordKey(body.anchor.record_index));
  if (!batch.has_value() || body.anchor.item.value() >= batch->item_count) {
    return ResultCode::kNotFound;
  }
  const std::optional<StreamRecordRow> own =
      ReadRow<StreamRecordRow>(view, StreamRecordKey(body.event.record_index));
  const bool same = own.has_value() && own->org == batch->org;
  return same ? ResultCode::kOk : ResultCode::kInvalid;
}

void NoteAnchor(const RecordContext& context, const AlertBody& body) {
  if (!HasAnchor(body)) return;
  AlertAnchorRow row;
  row.kind = body.anchor_kind;
  row.anchor = body.anchor;
  WriteRow(context.view, AlertAnchorKey(context.index), row);
}

void JoinIncident(const RecordContext& context, RecordIndex index, const AlertRow& alert) {
  std::optional<AlertAnchorRow> anchor =
      ReadRow<AlertAnchorRow>(*context.view, AlertAnchorKey(index));
  if (!anchor.has_value()) return;
  std::optional<RecordIndex> found = FindOpen(context, anchor->kind, anchor->anchor);
  if (!found.has_value()) found = FindOpen(context, anchor->kind, alert.event);
  IncidentRow incident;
  std::optional<bool> was_closed;
  if (found.has_value()) {
    incident = ReadRow<IncidentRow>(*context.view, IncidentKey(*found)).value_or(IncidentRow());
    was_closed = incident.closed();
  } else {
    found = index;
    incident = NewIncident(context, *anchor);
    context.Emit(EffectType::kIncidentOpened, index.value());
  }
  ++incident.alert_count;
  if (IsClosed(*context.view, index)) ++incident.closed_count;
  incident.score_q8_max = std::max(incident.score_q8_max, alert.score_q8);
  incident.last_height = context.height;
  incident.last_millis = context.time_unix_millis;
  Write(context, *found, incident, was_closed);
  context.view->Put(IncidentAlertKey(*found, index), "");
  WriteRow(context.view, IncidentOfEventKey(anchor->kind, anchor->anchor),
           IndexRow{.index = *found});
  WriteRow(context.view, IncidentOfEventKey(anchor->kind, alert.event), IndexRow{.index = *found});
  anchor->incident = *found;
  WriteRow(context.view, AlertAnchorKey(index), *anchor);
}

void CountClosed(const RecordContext& context, RecordIndex alert, bool closed) {
  const std::optional<AlertAnchorRow> anchor =
      ReadRow<AlertAnchorRow>(*context.view, AlertAnchorKey(alert));
  if (!anchor.has_value() || anchor->incident == RecordIndex(0)) return;
  std::optional<IncidentRow> incident =
      ReadRow<IncidentRow>(*context.view, IncidentKey(anchor->incident));
  if (!incident.has_value()) return;
  const bool was_closed = incident->closed();
  incident->closed_count += closed ? 1 : -1;
  Write(context, anchor->incident, *incident, was_closed);
}

}  // namespace vigil::ledger
