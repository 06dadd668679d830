#include "client/cli/detector_status.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

// "warm", "cold" (few rows: surprisal alone decides), "learning" (no model is active).
std::string StateOf(const v1::DetectorTypeReport& type) {
  if (type.active_period() == 0) return type.window_rows() == 0 ? "-" : "learning";
  return type.cold() ? "cold" : "warm";
}

// "0.46 %" of one hundred thousandths; "-" where nothing is known.
std::string ShareText(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  const uint64_t hundredths = part * 10'000 / whole;
  return absl::StrCat(hundredths / 100, ".", hundredths % 100 < 10 ? "0" : "", hundredths % 100,
                      " %");
}

std::string DriftText(const v1::DetectorTypeReport& type) {
  if (type.drift_feature().empty()) return "-";
  return absl::StrCat(BitsText(type.drift_q8()), " ", type.drift_feature(),
                      type.drifts() ? " DRIFTS" : "");
}

std::string PrecisionText(const v1::DetectorTypeReport& type) {
  return ShareText(type.true_positive(), type.true_positive() + type.false_positive());
}

Json ToJson(const v1::DetectorTypeReport& type) {
  Json json;
  json["event_type"] = EventTypeName(type.event_type());
  json["state"] = StateOf(type);
  json["window_rows"] = type.window_rows();
  json["trained_period"] = Number(type.trained_period());
  json["active_period"] = Number(type.active_period());
  json["active_digest"] = Hex(type.active_digest());
  json["active_from_height"] = Number(type.active_from_height());
  json["row_count"] = type.row_count();
  json["threshold_bits"] = BitsText(type.threshold_q8());
  json["alerts"] = {{"raised", Number(type.raised())},
                    {"confirmed", Number(type.confirmed())},
                    {"contested", Number(type.contested())}};
  json["previous"] = {{"period", Number(type.previous_period())},
                      {"raised", Number(type.previous_raised())},
                      {"events", Number(type.previous_events())},
                      {"rate", ShareText(type.previous_raised(), type.previous_events())}};
  json["drift"] = {{"index", BitsText(type.drift_q8())},
                   {"feature", type.drift_feature()},
                   {"beyond_limit", type.drifts()}};
  json["drift_notice"] = DriftNoticeJson(type.notice_period(), type.notice());
  json["triage"] = {{"true_positive", Number(type.true_positive())},
                    {"false_positive", Number(type.false_positive())},
                    {"expected", Number(type.expected())},
                    {"precision", PrecisionText(type)}};
  return json;
}

// "rules version 3, 12 rules, 5d41..., since height 812".
std::string RulesText(const v1::DetectorReport& report) {
  const v1::RulesBegun& rules = report.rules();
  if (rules.digest().empty()) return "no rules";
  std::string text = absl::StrCat(
      "rules version ", rules.version(), ", ", rules.rule_count(), " rules, ",
      HexEncode(AsBytes(rules.digest())), ", since ",
      rules.has_proposal_index()
          ? absl::StrCat("height ", rules.from_height(), " (proposal ", rules.proposal_index(), ")")
          : std::string("genesis"));
  if (report.warm() && report.matched_rules() != rules.digest()) {
    absl::StrAppend(&text, "; this validator's detector is not there yet");
  }
  return text;
}

void SetRules(const v1::DetectorReport& report, Listing* listing) {
  const v1::RulesBegun& rules = report.rules();
  Json json;
  json["digest"] = Hex(rules.digest());
  json["version"] = rules.version();
  json["rules"] = rules.rule_count();
  json["from_height"] = Number(rules.from_height());
  if (rules.has_proposal_index()) json["proposal"] = Number(rules.proposal_index());
  json["matched_digest"] = Hex(report.matched_rules());
  json["open_proposals"] = Json::array();
  for (const uint64_t proposal : report.rules_proposals()) {
    json["open_proposals"].push_back(Number(proposal));
  }
  listing->Set("rules", std::move(json));
}

}  // namespace

absl::Status RunDetectorStatus(const Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::DetectorReport report, client->GetDetectorReport({}));
  const uint64_t lag =
      report.executed_height() - std::min(report.executed_height(), report.height());
  Listing listing(session, "types",
                  {"TYPE", "STATE", "WINDOW", "MODEL", "ROWS", "THRESHOLD", "ALERTS", "CONFIRMED",
                   "CONTESTED", "RATE BEFORE", "DRIFT", "DRIFT NOTICE", "PRECISION"});
  for (const v1::DetectorTypeReport& type : report.types()) {
    listing.Add(
        {std::string(EventTypeName(type.event_type())), StateOf(type),
         absl::StrCat(type.window_rows()),
         type.active_period() == 0 ? "-" : absl::StrCat(type.active_period()),
         absl::StrCat(type.row_count()), BitsText(type.threshold_q8()), absl::StrCat(type.raised()),
         absl::StrCat(type.confirmed()), absl::StrCat(type.contested()),
         ShareText(type.previous_raised(), type.previous_events()), DriftText(type),
         DriftNoticeText(type.notice_period(), type.notice()), PrecisionText(type)},
        ToJson(type));
  }
  listing.Set("validator", report.validator());
  listing.Set("height", Number(report.height()));
  listing.Set("lag_heights", Number(lag));
  listing.Set("warm", report.warm());
  listing.Set("phase", report.phase());
  listing.Set("proposed", Number(report.proposed()));
  listing.Set("confirmed", Number(report.confirmed()));
  listing.Set("disputed", Number(report.disputed()));
  listing.Set("duties", Number(report.duties()));
  SetRules(report, &listing);
  if (session.format == OutputFormat::kTable) {
    *session.out << ForTerminal(report.validator()) << ": height " << report.height() << ", " << lag
                 << " behind, " << (report.warm() ? "warm" : ForTerminal(report.phase()))
                 << "; since its start " << report.proposed() << " alerts proposed, "
                 << report.confirmed() << " of others confirmed, " << report.disputed()
                 << " disputed, " << report.duties() << " records due\n"
                 << RulesText(report) << '\n';
    for (const uint64_t proposal : report.rules_proposals()) {
      *session.out << "proposed: other rules, see vigil admin rules show " << proposal << '\n';
    }
  }
  listing.Finish("");
  return absl::OkStatus();
}

}  // namespace vigil::client
