#include "client/cli/event_commands.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/listing.h"
#include "client/cli/render.h"
#include "client/ingest/value_parsers.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

v1::Event Parsed(const v1::StoredEvent& stored) {
  v1::Event event;
  event.ParseFromString(stored.event());
  return event;
}

std::vector<std::string> EventRow(const v1::StoredEvent& stored) {
  const v1::Event event = Parsed(stored);
  return {EventRefText(stored), TimeText(static_cast<int64_t>(event.time_unix_nano() / 1'000'000)),
          ForTerminal(event.source()), absl::StrCat(event.severity_id()), StoredEventLine(stored)};
}

// "closed, false-positive"; "acknowledged, acme/ann".
std::string TriageText(const v1::Triage& triage) {
  if (!triage.verdict().empty()) return absl::StrCat(triage.state(), ", ", triage.verdict());
  if (!triage.assignee().empty()) return absl::StrCat(triage.state(), ", ", triage.assignee());
  return triage.state();
}

std::string StepText(const v1::TriageStep& step) {
  return absl::StrCat(step.action(), step.assignee().empty() ? "" : " to ", step.assignee(),
                      step.verdict().empty() ? "" : " as ", step.verdict(), ", ", step.by(),
                      ", block ", step.height());
}

std::vector<std::string> AlertRow(const v1::Alert& alert) {
  const auto confirms =
      std::count_if(alert.verdicts().begin(), alert.verdicts().end(),
                    [](const v1::AlertVerdict& verdict) { return verdict.confirms(); });
  return {absl::StrCat(alert.record_index()),
          alert.state(),
          TriageText(alert.triage()),
          BitsText(alert.score_q8()),
          std::string(EventTypeName(alert.event_type())),
          alert.proposer(),
          absl::StrCat(confirms, "/", alert.verdicts_size()),
          EventRefText(alert.event()),
          StoredEventLine(alert.event()),
          ForTerminal(ReasonsLine(alert))};
}
std::vector<std::string> AlertHeadings() {
  return {"ALERT",    "STATE",   "TRIAGE", "BITS", "TYPE",
          "PROPOSER", "CONFIRM", "EVENT",  "WHAT", "WHY"};
}

void PrintAlertFacts(const Session& session, const v1::Alert& alert) {
  Facts facts;
  facts.Add("alert", absl::StrCat("record ", alert.record_index(), " in block ", alert.height()));
  facts.Add("state", alert.confirmed_height() == 0
                         ? alert.state()
                         : absl::StrCat(alert.state(), " at block ", alert.confirmed_height()));
  facts.Add("score", absl::StrCat(BitsText(alert.score_q8()), " bits, threshold ",
                                  BitsText(alert.threshold_q8())));
  if (alert.has_rule()) {
    const v1::AlertRule& rule = alert.rule();
    facts.Add("rule", absl::StrCat(rule.number(), " ", rule.name(), ", of rules ",
                                   HexEncode(AsBytes(rule.rules_digest()))));
    facts.Add("technique", rule.technique());
    facts.Add("entity", absl::StrCat(rule.entity_kind(), " ", rule.entity()));
    facts.Add("because of", absl::StrCat(rule.title(), "; at least ", rule.condition(),
                                         ", observed ", rule.observed()));
  } else {
    facts.Add("model", absl::StrCat(EventTypeName(alert.event_type()), ", period ", alert.period(),
                                    ", ", HexEncode(AsBytes(alert.model_digest()))));
  }
  facts.Add("proposer", alert.proposer());
  for (const v1::AlertVerdict& verdict : alert.verdicts()) {
    facts.Add(verdict.confirms() ? "confirmed by" : "disputed by",
              absl::StrCat(verdict.validator(), " (", BitsText(verdict.score_q8()), " bits)"));
  }
  for (const v1::AlertFeature& reason : alert.reasons())
    facts.Add("because of",
              absl::StrCat(ForTerminal(reason.name()), ", ", BitsText(reason.bits_q8()), " bits"));
  facts.Add("triage", TriageText(alert.triage()));
  for (const v1::TriageStep& step : alert.triage().steps()) facts.Add("", StepText(step));
  if (alert.incident() != 0) {
    facts.Add("incident", absl::StrCat(alert.incident(), ", by the ", alert.anchor().kind()));
  }
  facts.Add("event", EventRefText(alert.event()));
  facts.Print(*session.out);
  if (alert.event().pruned()) {
    *session.out << StoredEventLine(alert.event()) << '\n';
  } else {
    *session.out << JsonText(EventJson(Parsed(alert.event())), 2) << '\n';
  }
}

// What an empty answer means: nothing there, or not looked.
std::string SearchedHeights(uint64_t first, uint64_t complete) {
  if (complete < first || complete == 0) return "searched: nothing is indexed yet";
  return absl::StrCat("searched: heights ", first, " to ", complete);
}

}  // namespace

absl::StatusOr<int64_t> ParseTime(const std::string& text) {
  if (text.empty()) return 0;
  constexpr uint64_t kNanosPerSecond = 1'000'000'000;
  if (const std::optional<uint64_t> seconds = ParseUnsigned(text);
      seconds && *seconds < static_cast<uint64_t>(INT64_MAX) / kNanosPerSecond)
    return static_cast<int64_t>(*seconds * kNanosPerSecond);
  const std::optional<uint64_t> nanos = ParseRfc3339(text);
  if (!nanos || *nanos > static_cast<uint64_t>(INT64_MAX)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' where a time from 1970 to 2261 belongs, such as ",
                     "2026-11-20T14:00:00Z or seconds since 1970"));
  }
  return static_cast<int64_t>(*nanos);
}

absl::StatusOr<v1::SearchEventsRequest> SearchRequestOf(const EventFilter& filter) {
  v1::SearchEventsRequest request;
  for (uint32_t class_uid : filter.classes) request.add_class_uids(class_uid);
  request.set_severity_min(filter.severity_min);
  for (const std::string& source : filter.sources) request.add_sources(source);
  for (const std::string& actor : filter.actors) request.add_actors(actor);
  for (const std::string& address : filter.addresses) request.add_addresses(address);
  for (const std::string& term : filter.terms) request.add_terms(term);
  ASSIGN_OR_RETURN(const int64_t from, ParseTime(filter.from));
  ASSIGN_OR_RETURN(const int64_t to, ParseTime(filter.to));
  // In a request 0 means no bound, and no event lies before 1970.
  if (to == 0 && !filter.to.empty())
    return absl::InvalidArgumentError("--until: no event lies before 1970");
  request.set_from_unix_nano(from);
  request.set_to_unix_nano(to);
  return request;
}

absl::Status RunEventSearch(const Session& session, const EventSearchOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(v1::SearchEventsRequest request, SearchRequestOf(options.filter));
  request.set_limit(options.limit);
  request.set_cursor(options.cursor);
  request.set_newest_first(options.newest_first);
  Listing listing(session, "events", {"EVENT", "TIME", "SOURCE", "SEV", "WHAT"});
  v1::SearchEventsResponse page;
  do {
    ASSIGN_OR_RETURN(page, client->SearchEvents(request));
    for (const v1::StoredEvent& stored : page.events()) {
      listing.Add(EventRow(stored), ToJson(stored));
    }
    request.set_cursor(page.next_cursor());
  } while (options.all && !page.next_cursor().empty());
  listing.Set("next_cursor", page.next_cursor());
  listing.Set("complete_height", Number(page.complete_height()));
  listing.Set("first_height", Number(page.first_height()));
  listing.Finish(page.next_cursor().empty() ? "" : absl::StrCat("--cursor ", page.next_cursor()));
  if (session.format == OutputFormat::kTable)
    *session.err << SearchedHeights(page.first_height(), page.complete_height()) << '\n';
  return absl::OkStatus();
}

absl::Status RunEventGet(const Session& session, const std::string& ref) {
  const std::vector<std::string> parts = absl::StrSplit(ref, '.');
  v1::GetEventRequest request;
  uint64_t record_index = 0;
  uint32_t item = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &record_index) ||
      !absl::SimpleAtoi(parts[1], &item)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", ref, "' where record.item belongs, as searches print it"));
  }
  request.set_record_index(record_index);
  request.set_item(item);
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::StoredEvent stored, client->GetEvent(request));
  session.PrintJson(ToJson(stored));
  return absl::OkStatus();
}

absl::Status RunEventWatch(const Session& session, const EventFilter& filter, uint64_t from_height,
                           uint64_t count) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::SubscribeRequest request;
  request.set_kind(v1::FEED_EVENTS);
  request.set_from_height(from_height);
  ASSIGN_OR_RETURN(*request.mutable_filter(), SearchRequestOf(filter));
  uint64_t seen = 0;
  return client->Subscribe(request, [&](const v1::FeedItem& item) {
    if (session.format == OutputFormat::kTable) {
      *session.out << ForTerminal(absl::StrJoin(EventRow(item.event()), "  ")) << std::endl;
    } else {
      *session.out << JsonText(ToJson(item.event()), -1) << std::endl;
    }
    return session.out->good() && (count == 0 || ++seen < count);
  });
}

absl::Status RunAlertList(const Session& session, const AlertListOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::ListAlertsRequest request;
  request.set_state(options.state);
  request.set_limit(options.limit);
  request.set_cursor(options.cursor);
  request.set_ascending(options.ascending);
  request.set_triage(options.triage);
  request.set_assignee(options.assignee);
  request.set_rule(options.rule);
  request.set_component(options.component);
  request.set_entity(options.entity);
  Listing listing(session, "alerts", AlertHeadings());
  v1::ListAlertsResponse page;
  do {
    ASSIGN_OR_RETURN(page, client->ListAlerts(request));
    for (const v1::Alert& alert : page.alerts()) listing.Add(AlertRow(alert), ToJson(alert));
    request.set_cursor(page.next_cursor());
  } while (options.all && page.next_cursor() != 0);
  listing.Set("next_cursor", Number(page.next_cursor()));
  listing.Finish(page.next_cursor() == 0 ? "" : absl::StrCat("--cursor ", page.next_cursor()));
  return absl::OkStatus();
}

absl::Status RunAlertGet(const Session& session, uint64_t record_index) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetAlertRequest request;
  request.set_record_index(record_index);
  ASSIGN_OR_RETURN(const v1::Alert alert, client->GetAlert(request));
  if (session.format == OutputFormat::kTable) {
    PrintAlertFacts(session, alert);
  } else {
    session.PrintJson(ToJson(alert));
  }
  return absl::OkStatus();
}

absl::Status RunAlertWatch(const Session& session, uint64_t from_height, uint64_t count) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::SubscribeRequest request;
  request.set_kind(v1::FEED_ALERTS);
  request.set_from_height(from_height);
  uint64_t seen = 0;
  return client->Subscribe(request, [&](const v1::FeedItem& item) {
    if (session.format == OutputFormat::kTable) {
      *session.out << ForTerminal(absl::StrJoin(AlertRow(item.alert()), "  ")) << std::endl;
    } else {
      *session.out << JsonText(ToJson(item.alert()), -1) << std::endl;
    }
    return session.out->good() && (count == 0 || ++seen < count);
  });
}

}  // namespace vigil::client
