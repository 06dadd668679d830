#include "client/cli/evidence_page.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/html.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "detector/features/event_schema.h"
#include "ledger/crypto/sha256.h"

namespace vigil::client {
namespace {

using ledger::AlertCase;
using ledger::EvidenceReport;
using ledger::EvidenceSubject;
using ledger::ShownRecord;

constexpr absl::string_view kStyle =
    "body{font:15px/1.5 Georgia,'DejaVu Serif',serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "color:#111}h1{font-size:1.7em;margin-bottom:.1em}h2{font-size:1.15em;border-bottom:1px solid "
    "#888;margin-top:2em}table{border-collapse:collapse;width:100%;font-size:.86em}th,td{text-"
    "align:"
    "left;vertical-align:top;padding:.25em .6em .25em 0;border-bottom:1px solid #ccc;overflow-wrap:"
    "anywhere}th{white-space:nowrap}code,pre{font:.86em 'DejaVu Sans "
    "Mono',monospace;overflow-wrap:"
    "anywhere}pre{white-space:pre-wrap;border-left:3px solid "
    "#ccc;padding-left:1em}.verdict{border:"
    "2px solid #111;padding:.6em 1em;margin:1em 0}.note{color:#444;font-size:.9em}@page{size:A4;"
    "margin:18mm}@media print{body{margin:0;max-width:none}h2{break-after:avoid}tr{break-inside:"
    "avoid}thead{display:table-header-group}}.x{border:1px solid #a00;color:#a00;font:.8em "
    "monospace}";

// Should an escape ever be forgotten: no scripts, and nothing from elsewhere.
constexpr absl::string_view kNothingLoaded =
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src "
    "'unsafe-inline'; base-uri 'none'; form-action 'none'\">";

// Text without control characters as HTML text.
std::string SafeHtml(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}
std::string Html(absl::string_view text) { return HtmlText(text); }
std::string Code(absl::string_view text) { return absl::StrCat("<code>", Html(text), "</code>"); }

// Of a time that somebody claims: beyond the year 9999 the number with its unit.
std::string MillisText(uint64_t unix_millis) {
  constexpr uint64_t kYear10000UnixMillis = 253'402'300'800'000;
  if (unix_millis >= kYear10000UnixMillis) return absl::StrCat(unix_millis, " ms after 1970");
  return TimeText(static_cast<int64_t>(unix_millis));
}
std::string SecondsText(uint64_t unix_seconds) {
  constexpr uint64_t kYear10000UnixSeconds = 253'402'300'800;
  if (unix_seconds >= kYear10000UnixSeconds) return absl::StrCat(unix_seconds, " s after 1970");
  return TimeText(static_cast<int64_t>(unix_seconds * 1'000));
}
// "2026-11-20 14:03:59.123456789Z".
std::string NanosText(uint64_t unix_nanos) {
  std::string text = TimeText(static_cast<int64_t>(unix_nanos / 1'000'000));
  text.pop_back();
  return absl::StrFormat("%s%06dZ", text, unix_nanos % 1'000'000);
}
std::string RefText(const ledger::EventRef& ref) {
  return absl::StrCat(ref.record_index.value(), ".", ref.item.value());
}

// Cells are HTML already.
class HtmlTable {
 public:
  explicit HtmlTable(const std::vector<std::string>& headings) {
    text_ = "<table>";
    if (headings.empty()) return;
    text_ += "<thead><tr>";
    for (const std::string& heading : headings) absl::StrAppend(&text_, "<th>", heading, "</th>");
    text_ += "</tr></thead>";
  }
  void Add(const std::vector<std::string>& cells) {
    text_ += "<tr>";
    for (const std::string& cell : cells) absl::StrAppend(&text_, "<td>", cell, "</td>");
    text_ += "</tr>\n";
  }
  void Fact(absl::string_view name, const std::string& html) {
    absl::StrAppend(&text_, "<tr><th>", name, "</th><td>", html, "</td></tr>\n");
  }
  std::string Done() const { return text_ + "</table>\n"; }

 private:
  std::string text_;
};

std::string Question(const EvidenceReport& report) {
  switch (report.question->subject) {
    case EvidenceSubject::kEvent:
      return absl::StrCat("Event ", RefText(report.question->event));
    case EvidenceSubject::kAlert:
      return absl::StrCat("Alert ", report.question->alert.value());
    case EvidenceSubject::kSpan:
      return absl::StrCat("Events from ", NanosText(report.question->from_unix_nano), " to before ",
                          NanosText(report.question->to_unix_nano));
  }
  return "";
}

std::string Verdict(const EvidenceReport& report) {
  return absl::StrCat(
      "<div class=verdict><b>VERIFIED</b> under the policy named below: ", report.records.size(),
      report.records.size() == 1 ? " record" : " records", " with ", report.events_shown(),
      report.events_shown() == 1 ? " event" : " events", " of the log <code>",
      Html(report.head->checkpoint.origin), "</code>, which ", report.head->witnesses.size(),
      " of those whom the policy trusts cosigned at ", report.head->checkpoint.size,
      " entries.</div>\n");
}

// Names of the schema of this version; a type or feature that it does not know goes by number.
std::string Reasons(const AlertCase& alert) {
  std::string text;
  for (const ledger::AlertReason& reason : alert.reasons) {
    std::string name = absl::StrCat("feature ", reason.feature);
    for (const detector::EventType type : detector::kEventTypes) {
      if (static_cast<uint32_t>(type) != alert.event_type) continue;
      const auto& features = detector::EventSchema(type).features();
      if (reason.feature < features.size()) name = features[reason.feature].name;
    }
    absl::StrAppend(&text, text.empty() ? "" : ", ", name, " +", BitsText(reason.bits_q8));
  }
  return text;
}

std::string State(const AlertCase& alert) {
  std::string state;
  if (alert.confirmed_by.has_value())
    state = absl::StrCat("confirmed by the chain, record ", alert.confirmed_by->value());
  if (alert.contested_by.has_value()) {
    absl::StrAppend(&state, state.empty() ? "" : "; ", "contested, record ",
                    alert.contested_by->value());
  }
  return state.empty() ? "proposed; nothing in this file shows that it was confirmed" : state;
}

// What the alert rests on.
std::string Basis(const AlertCase& alert) {
  if (alert.component == ledger::kRuleComponent) {
    return absl::StrCat("number ", alert.rule, " of the rules ", Code(alert.rules_digest.ToHex()),
                        " in the genesis file");
  }
  std::string committers;
  for (const std::string& name : alert.model_committers)
    absl::StrAppend(&committers, committers.empty() ? "" : ", ", Html(name));
  return absl::StrCat(EventTypeName(alert.event_type), ", period ", alert.period, ", digest ",
                      Code(alert.model_digest.ToHex()), "; active since record ",
                      alert.activated_by->value(), "; committed to by ", committers);
}

std::string Alert(const AlertCase& alert) {
  static constexpr absl::string_view kComponents[] = {"", "isolation forest", "LODA", "surprisal",
                                                      "rule"};
  HtmlTable facts({});
  facts.Fact("State", Html(State(alert)));
  facts.Fact("Raised by", absl::StrCat(Html(alert.proposer), ", block ", alert.height.value()));
  facts.Fact("Event", RefText(alert.event));
  facts.Fact("Score",
             alert.component == ledger::kRuleComponent
                 ? absl::StrCat(BitsText(alert.score_q8), " bits, as the rule says")
                 : absl::StrCat(BitsText(alert.score_q8), " bits; the model's threshold is ",
                                BitsText(alert.threshold_q8)));
  if (alert.component < std::size(kComponents))
    facts.Fact("Decided by", Html(kComponents[alert.component]));
  if (!alert.reasons.empty()) facts.Fact("Because of", absl::StrCat(Html(Reasons(alert)), " bits"));
  facts.Fact(alert.component == ledger::kRuleComponent ? "Rule" : "Model", Basis(alert));
  std::string text = "<h2>The alert</h2>\n" + facts.Done();
  if (alert.words.empty()) return text;
  HtmlTable words({"Validator that recomputed it", "Verdict", "Its score", "Record"});
  for (const ledger::AlertWord& word : alert.words) {
    words.Add({Html(word.validator), word.confirms ? "confirms" : "disputes",
               absl::StrCat(BitsText(word.score_q8), " bits"), absl::StrCat(word.record.value())});
  }
  return text + "<p></p>" + words.Done();
}

std::string Events(const EvidenceReport& report) {
  constexpr size_t kInFullMax = 10;
  const uint64_t shown = report.events_shown();
  if (shown == 0) return "";
  HtmlTable table({"Event", "Time (UTC), as its sensor says", "Sensor", "Source", "What"});
  std::string in_full;
  size_t listed = 0;
  for (const ShownRecord& record : report.records) {
    for (const ledger::ShownEvent& shown_event : record.events) {
      if (listed++ >= kPageEventsMax) continue;
      v1::Event event;
      event.ParseFromArray(shown_event.bytes.data(), static_cast<int>(shown_event.bytes.size()));
      table.Add({RefText(shown_event.ref), NanosText(event.time_unix_nano()), Html(record.signer()),
                 Html(event.source()), Html(EventLine(event))});
      if (shown > kInFullMax) continue;
      absl::StrAppend(&in_full, "<p>Event ", RefText(shown_event.ref), ", leaf hash ",
                      Code(shown_event.leaf_hash.ToHex()), "</p><pre>",
                      SafeHtml(JsonText(EventJson(event), 2)), "</pre>\n");
    }
  }
  std::string text = "<h2>Events</h2>\n" + table.Done();
  if (shown > kPageEventsMax)
    absl::StrAppend(&text, "<p class=note>", shown - kPageEventsMax,
                    " more events are in the file.</p>\n");
  return text + in_full;
}

std::string Vouchers(const EvidenceReport& report) {
  HtmlTable facts({});
  facts.Fact("Log", Code(report.head->checkpoint.origin));
  facts.Fact("Entries", absl::StrCat(report.head->checkpoint.size));
  facts.Fact("Root", Code(report.head->checkpoint.root.ToHex()));
  std::string text = "<h2>Who vouches for it</h2>\n" + facts.Done();
  HtmlTable witnesses({"Cosigned", "At (UTC), as it says"});
  for (const ledger::ProvenWitness& witness : report.head->witnesses) {
    witnesses.Add({Html(witness.name), SecondsText(witness.unix_seconds)});
  }
  absl::StrAppend(&text, "<p></p>", witnesses.Done());
  if (report.validators.empty()) return text;
  HtmlTable validators({"Validator of the network", "Organisation", "On this checkpoint"});
  for (const ledger::NamedValidator& validator : report.validators) {
    validators.Add({Html(validator.identity), Html(validator.organisation),
                    validator.cosigned ? "cosigned" : "absent"});
  }
  return text + "<p></p>" + validators.Done();
}

std::string Records(const EvidenceReport& report) {
  constexpr size_t kListedMax = 200;
  HtmlTable table({"Record", "Kind", "Signed by", "Block", "Block time (UTC)", "Leaf hash"});
  for (size_t i = 0; i < report.records.size() && i < kListedMax; ++i) {
    const ShownRecord& record = report.records[i];
    table.Add({absl::StrCat(record.index().value()), Html(KindOf(record.report.record->kind).name),
               Html(record.signer()), absl::StrCat(record.report.block->height.value()),
               MillisText(record.report.block->time_unix_millis),
               Code(record.report.record->leaf_hash.ToHex())});
  }
  std::string text = "<h2>Records of the log</h2>\n" + table.Done();
  if (report.records.size() > kListedMax)
    absl::StrAppend(&text, "<p class=note>", report.records.size() - kListedMax,
                    " more records are in the file.</p>\n");
  return text;
}

std::string Streams(const EvidenceReport& report) {
  if (report.question->subject != EvidenceSubject::kSpan || report.streams.empty()) return "";
  HtmlTable table({"Sensor", "Stream", "Sequence", "Events shown", "Lost, as the sensor says",
                   "Between first and last"});
  for (const ledger::StreamCase& stream : report.streams) {
    std::string between = stream.breaks.empty() ? "no record is missing" : "records are missing:";
    for (const auto& [before, after] : stream.breaks)
      absl::StrAppend(&between, " after ", before, " comes ", after, ";");
    table.Add({Html(stream.sensor), Html(stream.stream),
               absl::StrCat(stream.first_sequence, " to ", stream.last_sequence),
               absl::StrCat(stream.events_shown, " of ", stream.events_held),
               absl::StrCat(stream.events_lost), between});
  }
  return "<h2>Completeness</h2>\n<p>Each record of a stream is numbered and names the one before "
         "it by hash, under the sensor's signature.</p>\n" +
         table.Done();
}

std::string Limits(const EvidenceReport& report) {
  std::string text =
      "<h2>What this shows, and what it does not</h2>\n<ul>"
      "<li>Each record above was signed with the key of the identity named, is in the log that "
      "the cosigners vouch for, and was accepted by the chain's rules.</li>"
      "<li>Each event above is, byte for byte, one that its sensor's batch commits to.</li>";
  if (report.question->subject == EvidenceSubject::kSpan) {
    absl::StrAppend(&text, "<li>Of the events, ", report.events_in_span(),
                    " bear a time in the span; the others are in the same batches, or in records "
                    "between them.</li>");
  }
  text +=
      "<li>Times of events are their sensors' word; times of blocks and cosignatures their "
      "authors'.</li>"
      "<li>Not shown: that a sensor saw everything or reported it truly; who holds a key; that "
      "nothing else is in the log; that later records did not change how an alert stands.</li>";
  if (report.alert.has_value()) {
    text +=
        "<li>Not shown of the alert: that no validator disputed it, since such a record could have "
        "been left out of the file; that its score is right, which is what the validators that "
        "confirm it say; that anybody did wrong: an alert says that an event is unusual.</li>";
  }
  return text + "<li>This page is not signed: the file is what counts.</li></ul>\n";
}

std::string HowToCheck(absl::string_view file, absl::string_view policy) {
  HtmlTable facts({});
  facts.Fact("Evidence file", absl::StrCat(file.size(), " bytes, SHA-256 ",
                                           Code(ledger::Sha256({AsBytes(file)}).ToHex())));
  facts.Fact("Policy", absl::StrCat("SHA-256 ", Code(ledger::Sha256({AsBytes(policy)}).ToHex())));
  return "<h2>How to check</h2>\n<p>Get the policy from somebody whom you trust, not with this "
         "page, and compare its hash. Then, on a machine without network:</p>"
         "<pre>vigil evidence verify FILE --policy POLICY --extract proofs</pre>"
         "<p>The folder <code>proofs</code> then holds the proof of each record in the format C2SP "
         "tlog-proof, which tools of others read.</p>\n" +
         facts.Done();
}

}  // namespace

std::string EvidencePage(const EvidenceReport& report, absl::string_view file,
                         absl::string_view policy) {
  const std::string title = Question(report);
  std::string page =
      absl::StrCat("<!doctype html>\n<html lang=en><head><meta charset=utf-8>", kNothingLoaded,
                   "<meta name=viewport "
                   "content=\"width=device-width\"><title>Evidence: ",
                   title, "</title><style>", kStyle,
                   "</style></head><body>\n<p class=note>Vigil evidence</p><h1>", title, "</h1>\n",
                   Verdict(report));
  if (report.alert.has_value()) page += Alert(*report.alert);
  absl::StrAppend(&page, Events(report), Streams(report), Vouchers(report), Records(report),
                  Limits(report));
  absl::StrAppend(&page, HowToCheck(file, policy), "</body></html>\n");
  return page;
}

}  // namespace vigil::client
