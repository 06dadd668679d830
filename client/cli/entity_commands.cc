#include "client/cli/entity_commands.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

std::string WindowText(const v1::EntityWindow& window) {
  return absl::StrCat(window.event_count(), " events, ", window.failed_count(), " failed (",
                      window.logon_failure_count(), " logons), ", window.bytes_out(), " B out, ",
                      window.peer_count(), " peers, ", window.port_count(), " ports, ",
                      window.name_count(), " long names");
}

std::string MatchText(const v1::EntityMatch& match) {
  const std::string alert =
      match.alert_state().empty()
          ? std::string("no alert stands yet")
          : absl::StrCat("alert ", match.alert_record_index(), " ", match.alert_state());
  return absl::StrCat(match.technique(), " ", match.rule_name(), " at ",
                      TimeText(static_cast<int64_t>(match.time_unix_millis())), ", event ",
                      match.record_index(), ".", match.item(), ", ", alert);
}

void PrintProfile(const Session& session, const v1::EntityProfile& entity) {
  Facts facts;
  facts.Add("entity", absl::StrCat(entity.kind(), " ", entity.name()));
  facts.Add("first seen", TimeText(static_cast<int64_t>(entity.first_seen_unix_millis())));
  facts.Add("last seen", TimeText(static_cast<int64_t>(entity.last_seen_unix_millis())));
  facts.Add("in all",
            absl::StrCat(entity.event_count(), " events, ", entity.failed_count(), " failed, ",
                         entity.bytes_out(), " B out, ", entity.peer_count(), " peers known"));
  for (const v1::EntityWindow& window : entity.windows()) {
    facts.Add(absl::StrCat("last ", window.seconds(), " s"), WindowText(window));
  }
  if (entity.interval_count() > 0) {
    facts.Add("rhythm", absl::StrCat(entity.interval_regular_count(), " of the last ",
                                     entity.interval_count(), " intervals within an eighth of ",
                                     entity.interval_seconds(), " s"));
  }
  for (const v1::EntityMatch& match : entity.matches()) facts.Add("rule", MatchText(match));
  facts.Print(*session.out);
}

}  // namespace

absl::Status RunEntityShow(const Session& session, const std::string& name) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetEntityRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::EntityReport report, client->GetEntity(request));
  if (report.entities().empty()) {
    return absl::NotFoundError(absl::StrCat(
        "'", name, "' is not among the entities that the detector remembers at height ",
        report.height(), "; the longest silent ones are forgotten"));
  }
  if (session.format == OutputFormat::kTable) {
    for (int i = 0; i < report.entities_size(); ++i) {
      if (i > 0) *session.out << '\n';
      PrintProfile(session, report.entities(i));
    }
    return absl::OkStatus();
  }
  if (session.format == OutputFormat::kNdjson) {
    for (const v1::EntityProfile& entity : report.entities()) session.PrintJson(ToJson(entity));
    return absl::OkStatus();
  }
  Json document;
  document["height"] = Number(report.height());
  document["entities"] = Json::array();
  for (const v1::EntityProfile& entity : report.entities()) {
    document["entities"].push_back(ToJson(entity));
  }
  session.PrintJson(document);
  return absl::OkStatus();
}

}  // namespace vigil::client
