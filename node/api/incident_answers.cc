#include "node/api/incident_answers.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detector/entities/entity_key.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/scanner.h"
#include "node/api/convert.h"
#include "node/api/entity_answers.h"
#include "node/api/query_service.h"

namespace vigil::node {
namespace {

constexpr absl::string_view kOpen = "open";
constexpr absl::string_view kClosed = "closed";

// Empty where the anchor's bytes are not here.
absl::StatusOr<std::string> EntityOf(const NodeServices& services,
                                     const ledger::ChainReader& reader,
                                     const ledger::IncidentRow& row) {
  const std::optional<detector::EntityKind> kind = detector::EntityKindOf(row.kind);
  if (!kind.has_value()) return std::string();
  v1::StoredEvent stored;
  const absl::Status found = FillEvent(services, reader, row.anchor, &stored);
  if (absl::IsNotFound(found)) return std::string();
  RETURN_IF_ERROR(found);
  EventView event;
  if (stored.event().empty() || !ledger::ScanEvent(AsBytes(stored.event()), &event).ok()) {
    return std::string();
  }
  return EntityText(*kind, event);
}

absl::Status AddAlert(const ledger::ChainReader& reader, ledger::RuleBook* book, RecordIndex index,
                      v1::Incident* out) {
  ASSIGN_OR_RETURN(const ledger::AlertInfo alert, reader.GetAlert(index));
  v1::IncidentAlert* const added = out->add_alerts();
  added->set_record_index(alert.index.value());
  added->set_height(alert.height.value());
  added->set_confirmed_height(alert.confirmed_height.value());
  added->set_event_type(alert.event_type);
  added->set_component(alert.component);
  added->set_score_q8(alert.score_q8);
  added->set_event_record(alert.event.record_index.value());
  added->set_event_item(alert.event.item.value());
  *added->mutable_triage() = ToProto(alert.triage);
  added->mutable_triage()->clear_steps();
  if (alert.component != ledger::kRuleComponent) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ledger::RuleSetPtr rules, RulesWith(book, reader, alert.rules_digest));
  const detector::Rule* const rule = rules == nullptr ? nullptr : rules->Find(alert.rule);
  if (rule != nullptr) {
    added->set_rule_name(rule->name);
    added->set_technique(rule->technique);
  }
  return absl::OkStatus();
}

absl::Status Fill(const NodeServices& services, const ledger::ChainReader& reader,
                  const ledger::IncidentInfo& incident, v1::Incident* out) {
  const ledger::IncidentRow& row = incident.row;
  out->set_number(incident.index.value());
  out->set_state(std::string(row.closed() ? kClosed : kOpen));
  out->set_org(row.org);
  *out->mutable_anchor() = AnchorOf(row.kind, row.anchor);
  ASSIGN_OR_RETURN(*out->mutable_entity(), EntityOf(services, reader, row));
  out->set_opened_height(row.opened_height.value());
  out->set_opened_unix_millis(static_cast<int64_t>(row.opened_millis));
  out->set_last_height(row.last_height.value());
  out->set_last_unix_millis(static_cast<int64_t>(row.last_millis));
  out->set_alert_count(row.alert_count);
  out->set_closed_count(row.closed_count);
  out->set_score_q8_max(row.score_q8_max);
  return absl::OkStatus();
}

}  // namespace

absl::Status FillIncidents(const NodeServices& services, const v1::ListIncidentsRequest& request,
                           v1::ListIncidentsResponse* out) {
  ASSIGN_OR_RETURN(const uint32_t limit, PageLimit(request.limit()));
  std::optional<bool> closed;
  if (request.state() == kOpen) closed = false;
  if (request.state() == kClosed) closed = true;
  if (!closed.has_value() && !request.state().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("incident state '", request.state(), "'; known: open, closed"));
  }
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  ledger::RuleBook book(&services.genesis());
  const bool newest = request.cursor() == 0 && !request.ascending();
  const RecordIndex from(newest ? UINT64_MAX : request.cursor());
  ASSIGN_OR_RETURN(std::vector<ledger::IncidentInfo> incidents,
                   reader->ListIncidents(from, request.ascending(), limit + 1, closed));
  if (incidents.size() > limit) {
    out->set_next_cursor(incidents[limit].index.value());
    incidents.resize(limit);
  }
  for (const ledger::IncidentInfo& incident : incidents) {
    v1::Incident* const added = out->add_incidents();
    RETURN_IF_ERROR(Fill(services, *reader, incident, added));
    RETURN_IF_ERROR(AddAlert(*reader, &book, incident.index, added));
  }
  return absl::OkStatus();
}

absl::Status FillIncident(const NodeServices& services, const v1::GetIncidentRequest& request,
                          v1::Incident* out) {
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  ASSIGN_OR_RETURN(const ledger::IncidentInfo incident,
                   reader->GetIncident(RecordIndex(request.number())));
  RETURN_IF_ERROR(Fill(services, *reader, incident, out));
  ledger::RuleBook book(&services.genesis());
  for (const RecordIndex alert : incident.alerts) {
    RETURN_IF_ERROR(AddAlert(*reader, &book, alert, out));
  }
  return absl::OkStatus();
}

}  // namespace vigil::node
