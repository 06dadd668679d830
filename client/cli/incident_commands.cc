#include "client/cli/incident_commands.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/lib/terminal_text.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

// "source 203.0.113.9"; the anchor's place where the name is gone.
std::string EntityOf(const v1::Incident& incident) {
  const v1::AlertAnchor& anchor = incident.anchor();
  if (!incident.entity().empty()) return absl::StrCat(anchor.kind(), " ", incident.entity());
  return absl::StrCat(anchor.kind(), " of event ", anchor.record_index(), ".", anchor.item());
}

// "T1110 logon-brute-force"; of a model "forest, flow".
std::string WhyOf(const v1::IncidentAlert& alert) {
  if (!alert.rule_name().empty()) return absl::StrCat(alert.technique(), " ", alert.rule_name());
  return absl::StrCat(ComponentName(alert.component()), ", ", EventTypeName(alert.event_type()));
}

std::vector<std::string> RowOf(const v1::Incident& incident) {
  return {absl::StrCat(incident.number()),
          incident.state(),
          incident.org(),
          ForTerminal(EntityOf(incident)),
          absl::StrCat(incident.alert_count()),
          absl::StrCat(incident.alert_count() - incident.closed_count()),
          BitsText(incident.score_q8_max()),
          TimeText(incident.opened_unix_millis()),
          TimeText(incident.last_unix_millis()),
          incident.alerts().empty() ? "" : ForTerminal(WhyOf(incident.alerts(0)))};
}

Json JsonOf(const v1::IncidentAlert& alert) {
  Json json;
  json["record_index"] = Number(alert.record_index());
  json["height"] = Number(alert.height());
  json["confirmed_height"] = Number(alert.confirmed_height());
  json["event"] = absl::StrCat(alert.event_record(), ".", alert.event_item());
  json["event_type"] = EventTypeName(alert.event_type());
  json["component"] = ComponentName(alert.component());
  json["score_bits"] = BitsText(alert.score_q8());
  json["rule_name"] = alert.rule_name();
  json["technique"] = alert.technique();
  json["triage"] = {{"state", alert.triage().state()},
                    {"assignee", alert.triage().assignee()},
                    {"verdict", alert.triage().verdict()}};
  return json;
}

Json JsonOf(const v1::Incident& incident) {
  Json json;
  json["number"] = Number(incident.number());
  json["state"] = incident.state();
  json["org"] = incident.org();
  json["entity_kind"] = incident.anchor().kind();
  json["entity"] = incident.entity();
  json["anchor"] = absl::StrCat(incident.anchor().record_index(), ".", incident.anchor().item());
  json["opened_height"] = Number(incident.opened_height());
  json["opened"] = TimeText(incident.opened_unix_millis());
  json["last_height"] = Number(incident.last_height());
  json["last"] = TimeText(incident.last_unix_millis());
  json["alert_count"] = incident.alert_count();
  json["closed_count"] = incident.closed_count();
  json["score_bits_max"] = BitsText(incident.score_q8_max());
  json["alerts"] = Json::array();
  for (const v1::IncidentAlert& alert : incident.alerts()) json["alerts"].push_back(JsonOf(alert));
  return json;
}

std::string TriageText(const v1::Triage& triage) {
  if (!triage.verdict().empty()) return absl::StrCat(triage.state(), ", ", triage.verdict());
  if (!triage.assignee().empty()) return absl::StrCat(triage.state(), ", ", triage.assignee());
  return triage.state();
}

void PrintIncident(const Session& session, const v1::Incident& incident) {
  Facts facts;
  facts.Add("incident", absl::StrCat(incident.number(), ", ", incident.state()));
  facts.Add("organisation", incident.org());
  facts.Add("entity", ForTerminal(EntityOf(incident)));
  facts.Add("opened", absl::StrCat(TimeText(incident.opened_unix_millis()), ", block ",
                                   incident.opened_height()));
  facts.Add("last alert", absl::StrCat(TimeText(incident.last_unix_millis()), ", block ",
                                       incident.last_height()));
  facts.Add("alerts", absl::StrCat(incident.alert_count(), ", ", incident.closed_count(),
                                   " closed, up to ", BitsText(incident.score_q8_max()), " bits"));
  facts.Print(*session.out);
  Table table({"ALERT", "TRIAGE", "BITS", "TYPE", "EVENT", "WHY"});
  for (const v1::IncidentAlert& alert : incident.alerts()) {
    table.Add({absl::StrCat(alert.record_index()), TriageText(alert.triage()),
               BitsText(alert.score_q8()), std::string(EventTypeName(alert.event_type())),
               absl::StrCat(alert.event_record(), ".", alert.event_item()),
               ForTerminal(WhyOf(alert))});
  }
  table.Print(*session.out);
}

}  // namespace

absl::Status RunIncidentList(const Session& session, const IncidentListOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::ListIncidentsRequest request;
  request.set_state(options.state);
  request.set_limit(options.limit);
  request.set_cursor(options.cursor);
  request.set_ascending(options.ascending);
  Listing listing(session, "incidents",
                  {"INCIDENT", "STATE", "ORG", "ENTITY", "ALERTS", "OPEN", "BITS", "OPENED",
                   "LAST ALERT", "FIRST"});
  v1::ListIncidentsResponse page;
  do {
    ASSIGN_OR_RETURN(page, client->ListIncidents(request));
    for (const v1::Incident& incident : page.incidents()) {
      listing.Add(RowOf(incident), JsonOf(incident));
    }
    request.set_cursor(page.next_cursor());
  } while (options.all && page.next_cursor() != 0);
  listing.Set("next_cursor", Number(page.next_cursor()));
  listing.Finish(page.next_cursor() == 0 ? "" : absl::StrCat("--cursor ", page.next_cursor()));
  return absl::OkStatus();
}

absl::Status RunIncidentGet(const Session& session, uint64_t number) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetIncidentRequest request;
  request.set_number(number);
  ASSIGN_OR_RETURN(const v1::Incident incident, client->GetIncident(request));
  if (session.format == OutputFormat::kTable) {
    PrintIncident(session, incident);
  } else {
    session.PrintJson(JsonOf(incident));
  }
  return absl::OkStatus();
}

}  // namespace vigil::client
