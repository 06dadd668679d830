#include "client/cli/alert_commands.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/alert/alert_case_report.h"
#include "client/alert/explanation.h"
#include "client/cli/evidence_collector.h"
#include "client/cli/genesis_file.h"
#include "client/cli/input_file.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/trust.h"
#include "client/lib/terminal_text.h"
#include "detector/features/event_schema.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/sha256_bytes.h"
#include "ledger/evidence/evidence_facts.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

// The alert's record index; nullopt: a file is named.
std::optional<uint64_t> IndexOf(const AlertCheckOptions& options) {
  uint64_t record = 0;
  if (!absl::SimpleAtoi(options.alert, &record)) return std::nullopt;
  return record;
}

absl::StatusOr<ledger::PolicyChain> PolicyFor(const Session& session,
                                              const AlertCheckOptions& options) {
  if (!options.policy.empty()) {
    ASSIGN_OR_RETURN(const InputPolicy policy, ReadPolicy(options.policy));
    return ReadEpochs(policy.policy, options.epochs);
  }
  if (session.genesis.empty()) {
    return absl::InvalidArgumentError(
        "whom to trust? --policy FILE as `vigil log policy` prints it, or --genesis FILE");
  }
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, LoadGenesis(session.genesis));
  return ReadEpochs(ledger::LogPolicyOf(genesis), options.epochs);
}

// The evidence file, from disk or from the validators.
absl::StatusOr<std::string> EvidenceFor(const Session& session, const AlertCheckOptions& options) {
  const std::optional<uint64_t> record = IndexOf(options);
  if (!record.has_value()) {
    ASSIGN_OR_RETURN(std::optional<std::string> bytes,
                     ReadInput(options.alert, ledger::kEvidenceBytesMax));
    if (bytes.has_value()) return *std::move(bytes);
    return absl::InvalidArgumentError(
        absl::StrCat(options.alert, ": more than ", ledger::kEvidenceBytesMax, " bytes"));
  }
  std::string genesis;
  if (!session.genesis.empty()) {
    ASSIGN_OR_RETURN(genesis, ledger::PosixFileSystem()->ReadAll(session.genesis));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  EvidenceCollector collector(client.get(), {}, options.wait_seconds * 1000);
  RETURN_IF_ERROR(collector.WantAlert(*record));
  if (!collector.note().empty()) *session.err << ForTerminal(collector.note()) << '\n';
  ledger::EvidenceQuestion question;
  question.subject = ledger::EvidenceSubject::kAlert;
  question.alert = RecordIndex(*record);
  return collector.Finish(question, std::move(genesis));
}

// What is said of one alert, whoever says it.
struct Told {
  uint64_t record = 0;
  std::string state;  // Empty: not known.
  std::string proposer;
  std::string event;  // "record.item"
  uint32_t event_type = 0;
  uint64_t period = 0;
  uint32_t score_q8 = 0;
  uint32_t threshold_q8 = 0;
  uint32_t component = 0;
  std::string source;  // Who vouches for all this.
  std::vector<ExplainedReason> reasons;
};

void PrintReasons(const Session& session, const std::vector<ExplainedReason>& reasons) {
  for (const ExplainedReason& reason : reasons) {
    *session.out << "  " << BitsText(reason.bits_q8) << " bits  " << ForTerminal(reason.words)
                 << '\n';
  }
}

Json ReasonsJson(const std::vector<ExplainedReason>& reasons) {
  Json all = Json::array();
  for (const ExplainedReason& reason : reasons) {
    Json json;
    json["feature"] = reason.feature;
    json["bits"] = BitsText(reason.bits_q8);
    json["value"] = reason.value;
    json["window_rows"] = Number(reason.window_rows);
    json["window_same"] = Number(reason.window_same);
    if (reason.range.has_value()) {
      json["window"] = {{"least", Number(reason.range->least)},
                        {"quarter", Number(reason.range->quarter)},
                        {"median", Number(reason.range->median)},
                        {"three_quarters", Number(reason.range->three_quarters)},
                        {"most", Number(reason.range->most)}};
    }
    json["words"] = reason.words;
    all.push_back(std::move(json));
  }
  return all;
}

void Print(const Session& session, const Told& told) {
  if (session.format == OutputFormat::kTable) {
    *session.out << "alert " << told.record << " by " << ForTerminal(told.proposer)
                 << (told.state.empty() ? "" : ", " + told.state) << ": event " << told.event
                 << " of type " << EventTypeName(told.event_type) << '\n'
                 << "  one event in about 2^" << BitsText(told.score_q8) << " of period "
                 << told.period << "'s window is as strange; alerts begin at "
                 << BitsText(told.threshold_q8) << " bits\n"
                 << "  decided by " << ComponentWords(told.component) << '\n';
    PrintReasons(session, told.reasons);
    *session.err << ForTerminal(told.source) << '\n';
    return;
  }
  Json json;
  json["alert"] = Number(told.record);
  json["state"] = told.state;
  json["proposer"] = told.proposer;
  json["event"] = told.event;
  json["event_type"] = EventTypeName(told.event_type);
  json["period"] = Number(told.period);
  json["score_bits"] = BitsText(told.score_q8);
  json["threshold_bits"] = BitsText(told.threshold_q8);
  json["decided_by"] = ComponentName(told.component);
  json["reasons"] = ReasonsJson(told.reasons);
  session.PrintJson(json);
}

absl::StatusOr<std::string> EventBytesOf(Client* client, const v1::Alert& alert) {
  v1::GetRecordRequest request;
  request.set_record_index(alert.event().record_index());
  ASSIGN_OR_RETURN(const v1::Record record, client->GetRecord(request));
  if (record.payload().empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "event ", EventRefText(alert.event()),
        ": this validator has pruned its bytes; ask another one, or use evidence kept elsewhere"));
  }
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> events,
                   ledger::SplitPayload(AsBytes(record.payload())));
  if (alert.event().item() >= events.size())
    return absl::DataLossError(absl::StrCat("event ", EventRefText(alert.event()),
                                            " is beyond the batch that the validator gave"));
  return ToString(events[alert.event().item()]);
}

// By a validator's word; the model is held against the alert's digest.
absl::StatusOr<Told> TellOnline(const Session& session, uint64_t record) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetAlertRequest request;
  request.set_record_index(record);
  ASSIGN_OR_RETURN(const v1::Alert alert, client->GetAlert(request));
  if (alert.component() == ledger::kRuleComponent) {
    return absl::FailedPreconditionError(
        absl::StrCat("alert ", record, " is of a rule, not of a model: vigil alert get ", record,
                     " tells which"));
  }
  v1::GetModelFileRequest wanted;
  wanted.set_digest(alert.model_digest());
  ASSIGN_OR_RETURN(const v1::ModelFile file, client->GetModelFile(wanted));
  ASSIGN_OR_RETURN(const std::string bytes, EventBytesOf(client.get(), alert));
  EventView event;
  RETURN_IF_ERROR(ledger::ScanEvent(AsBytes(bytes), &event));
  const detector::Digest digest =
      detector::Model::DigestOf(AsBytes(file.file()), &ledger::Sha256Bytes);
  if (absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()) !=
      alert.model_digest()) {
    return absl::DataLossError("the validator gave another model than the alert's");
  }
  const std::optional<detector::Model> model = detector::Model::Parse(
      AsBytes(file.file()), detector::EventSchema(detector::TypeOf(event)), &ledger::Sha256Bytes);
  if (!model.has_value())
    return absl::DataLossError("the alert's model is not one for this event in this version");
  Told told{
      .record = record,
      .state = alert.state(),
      .proposer = alert.proposer(),
      .event = EventRefText(alert.event()),
      .event_type = alert.event_type(),
      .period = alert.period(),
      .score_q8 = alert.score_q8(),
      .threshold_q8 = alert.threshold_q8(),
      .component = alert.component(),
      .source = absl::StrCat("by a validator's word; to recompute it: vigil alert verify ", record),
      .reasons = {}};
  std::vector<detector::Reason> reasons;
  for (const v1::AlertFeature& reason : alert.reasons()) {
    reasons.push_back({static_cast<uint16_t>(reason.feature()), reason.bits_q8()});
  }
  told.reasons = Explain(*model, event, reasons);
  return told;
}

Told TellOf(const AlertReport& report) {
  const ledger::AlertCase& alert = *report.evidence.alert;
  Told told{.record = alert.record.value(),
            .state = alert.confirmed_by.has_value()   ? "confirmed"
                     : alert.contested_by.has_value() ? "contested"
                                                      : "",
            .proposer = alert.proposer,
            .event = absl::StrCat(alert.event.record_index.value(), ".", alert.event.item.value()),
            .event_type = alert.event_type,
            .period = alert.period,
            .score_q8 = alert.score_q8,
            .threshold_q8 = alert.threshold_q8,
            .component = alert.component,
            .source = absl::StrCat(std::string(AlertVerdictName(report.verdict)),
                                   report.reason.empty() ? "" : ": ", report.reason),
            .reasons = {}};
  std::vector<detector::Reason> reasons;
  for (const ledger::AlertReason& reason : alert.reasons) {
    reasons.push_back({static_cast<uint16_t>(reason.feature), reason.bits_q8});
  }
  if (report.model.has_value()) told.reasons = Explain(*report.model, EventOf(report), reasons);
  return told;
}

// What a verdict other than VERIFIED makes of the command.
absl::Status StatusOf(const AlertCheckOptions& options, const AlertReport& report) {
  const std::string what =
      absl::StrCat("alert ", options.alert, ": ", AlertVerdictName(report.verdict));
  switch (report.verdict) {
    case AlertVerdict::kVerified:
    case AlertVerdict::kSupported:
      return absl::OkStatus();
    case AlertVerdict::kModelUnknown:
      return absl::NotFoundError(what);
    case AlertVerdict::kNotRederivable:
      return absl::AbortedError(what);
    default:
      return absl::DataLossError(what);
  }
}

std::string BitsLine(uint32_t score_q8, uint32_t threshold_q8, uint32_t component) {
  return absl::StrCat(BitsText(score_q8), " bits, threshold ", BitsText(threshold_q8),
                      ", decided by ", ComponentName(component));
}

// "ports in 60s 23 of at least 20"
std::string ObservedLine(const RuleReport& rule, uint64_t observed) {
  const detector::Condition& first = rule.rule.conditions.front();
  return absl::StrCat(std::string(detector::MeasureName(first.measure)),
                      std::string(detector::SpanSuffix(first)), " ", observed, ", at least ",
                      first.at_least, " for a match");
}

void PrintRuleTable(const Session& session, const AlertReport& report) {
  const ledger::AlertCase& alert = *report.evidence.alert;
  const RuleReport& rule = *report.rule;
  if (rule.rule.number == 0) return;
  const ledger::ShownRecord* const batch =
      ledger::FindShown(report.evidence.records, alert.event.record_index);
  *session.out << "  rule " << rule.rule.number << ' ' << ForTerminal(rule.rule.name) << " ("
               << ForTerminal(rule.rule.technique) << "): " << ForTerminal(rule.rule.title) << '\n'
               << "  the alert says   " << ObservedLine(rule, alert.observed) << '\n'
               << "  the events give  " << ObservedLine(rule, rule.judgement.observed) << '\n'
               << "  recomputed from  " << RuleBasis(rule, batch->report.block->height) << '\n';
  if (!alert.activated_by.has_value()) return;
  *session.out << "  rules active     from height " << alert.rules_from.value() << " on, by record "
               << alert.activated_by->value() << '\n';
}

Json RuleJson(const AlertReport& report) {
  const ledger::AlertCase& alert = *report.evidence.alert;
  const RuleReport& rule = *report.rule;
  static constexpr const char* kReaches[] = {"cited", "span", "chain"};
  Json json = {{"number", alert.rule},
               {"name", rule.rule.name},
               {"claimed_observed", Number(alert.observed)},
               {"observed", Number(rule.judgement.observed)},
               {"basis", kReaches[static_cast<size_t>(rule.reach)]},
               {"from_height", Number(rule.from.value())},
               {"events", Number(rule.events)}};
  if (alert.activated_by.has_value()) {
    json["rules_activated_by"] = Number(alert.activated_by->value());
    json["rules_from_height"] = Number(alert.rules_from.value());
  }
  return json;
}

void PrintFindingTable(const Session& session, const AlertReport& report) {
  if (report.evidence.alert.has_value()) {
    const Told told = TellOf(report);
    *session.out << "alert " << told.record << " by " << ForTerminal(told.proposer)
                 << (told.state.empty() ? "" : ", " + told.state) << ": event " << told.event
                 << " of type " << EventTypeName(told.event_type);
    const bool is_rule = told.component == ledger::kRuleComponent;
    if (!is_rule) *session.out << ", model of period " << told.period;
    // What the alert of a rule says is what it observed, below.
    *session.out << (is_rule ? "\n  it counts with   " : "\n  the alert says   ")
                 << BitsLine(told.score_q8, told.threshold_q8, told.component) << '\n';
  }
  if (report.recomputed.has_value()) {
    const detector::Score& own = *report.recomputed;
    *session.out << "  the model gives  "
                 << BitsLine(own.score_q8, report.model->threshold_q8(),
                             static_cast<uint32_t>(own.component))
                 << '\n';
    PrintReasons(session, Explain(*report.model, EventOf(report), own.reasons));
  }
  if (report.rule.has_value()) PrintRuleTable(session, report);
  if (FaultOf(report.verdict).has_value()) {
    *session.out << "  fault of " << ForTerminal(report.evidence.alert->proposer)
                 << ", who signed it: " << ledger::AlertFaultName(*FaultOf(report.verdict)) << '\n';
    for (const ledger::AlertFaultWord& word : report.evidence.alert->faults) {
      *session.out << "  recorded on the chain by " << ForTerminal(word.validator) << ", record "
                   << word.record.value() << '\n';
    }
  }
  *session.out << AlertVerdictName(report.verdict);
  if (!report.reason.empty()) *session.out << ": " << ForTerminal(report.reason);
  *session.out << '\n';
}

Json FindingJson(const AlertReport& report) {
  Json json;
  json["verdict"] = std::string(AlertVerdictName(report.verdict));
  if (!report.reason.empty()) json["reason"] = report.reason;
  if (FaultOf(report.verdict).has_value()) {
    json["fault"] = std::string(ledger::AlertFaultName(*FaultOf(report.verdict)));
    json["fault_of"] = report.evidence.alert->proposer;
  }
  if (report.evidence.alert.has_value()) {
    const Told told = TellOf(report);
    json["alert"] = Number(told.record);
    json["claimed"] = {{"score_bits", BitsText(told.score_q8)},
                       {"threshold_bits", BitsText(told.threshold_q8)},
                       {"decided_by", ComponentName(told.component)}};
  }
  if (report.recomputed.has_value()) {
    const detector::Score& own = *report.recomputed;
    json["recomputed"] = {
        {"score_bits", BitsText(own.score_q8)},
        {"threshold_bits", BitsText(report.model->threshold_q8())},
        {"decided_by", ComponentName(static_cast<uint32_t>(own.component))},
        {"reasons", ReasonsJson(Explain(*report.model, EventOf(report), own.reasons))}};
  }
  if (report.rule.has_value()) json["rule"] = RuleJson(report);
  json["facts"] = Json::array();
  for (const auto& [name, value] : ledger::EvidenceFacts(report.evidence))
    json["facts"].push_back({{"name", name}, {"value", value}});
  return json;
}

}  // namespace

absl::Status RunAlertExplain(const Session& session, const AlertCheckOptions& options) {
  const std::optional<uint64_t> record = IndexOf(options);
  if (record.has_value()) {
    ASSIGN_OR_RETURN(const Told told, TellOnline(session, *record));
    Print(session, told);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const ledger::PolicyChain policies, PolicyFor(session, options));
  ASSIGN_OR_RETURN(const std::string file, EvidenceFor(session, options));
  const AlertReport report = VerifyAlert(policies, file);
  if (!report.model.has_value()) {
    *session.err << ForTerminal(report.reason) << "; there is nothing to explain it with\n";
    return StatusOf(options, report);
  }
  Print(session, TellOf(report));
  return absl::OkStatus();
}

absl::Status RunAlertVerify(const Session& session, const AlertCheckOptions& options) {
  ASSIGN_OR_RETURN(const ledger::PolicyChain policies, PolicyFor(session, options));
  ASSIGN_OR_RETURN(const std::string file, EvidenceFor(session, options));
  const AlertReport report = VerifyAlert(policies, file);
  if (session.format == OutputFormat::kTable) {
    PrintFindingTable(session, report);
  } else {
    session.PrintJson(FindingJson(report));
  }
  if (!options.fault.empty() && FaultOf(report.verdict).has_value()) {
    RETURN_IF_ERROR(ledger::PosixFileSystem()->WriteAtomically(options.fault, AsBytes(file)));
    *session.err << "proof of the fault: " << ForTerminal(options.fault)
                 << "; anybody checks it with: vigil alert verify " << ForTerminal(options.fault)
                 << " --policy POLICY\n";
  } else if (!options.fault.empty()) {
    *session.err << "no fault is proven; " << ForTerminal(options.fault) << " is not written\n";
  }
  return StatusOf(options, report);
}

absl::Status RunAlertFaults(const Session& session, const FaultListOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::ListFaultsRequest request;
  request.set_limit(options.limit);
  request.set_cursor(options.cursor);
  ASSIGN_OR_RETURN(const v1::ListFaultsResponse response, client->ListFaults(request));
  Listing listing(
      session, "faults",
      {"ALERT", "SIGNED BY", "WRONG IN", "CLAIMED", "RECOMPUTED", "RECORDED BY", "RECORD"});
  for (const v1::Fault& fault : response.faults()) {
    Json json;
    json["alert"] = Number(fault.alert_index());
    json["proposer"] = fault.proposer();
    json["fault"] = fault.fault();
    json["claimed_score_bits"] = BitsText(fault.claimed_score_q8());
    json["claimed_threshold_bits"] = BitsText(fault.claimed_threshold_q8());
    json["score_bits"] = BitsText(fault.score_q8());
    json["threshold_bits"] = BitsText(fault.threshold_q8());
    json["decided_by"] = ComponentName(fault.component());
    json["recorded_by"] = fault.validator();
    json["record_index"] = Number(fault.record_index());
    json["height"] = Number(fault.height());
    listing.Add({absl::StrCat(fault.alert_index()), fault.proposer(), fault.fault(),
                 BitsText(fault.claimed_score_q8()), BitsText(fault.score_q8()), fault.validator(),
                 absl::StrCat(fault.record_index())},
                std::move(json));
  }
  if (response.next_cursor() != 0) listing.Set("next_cursor", Number(response.next_cursor()));
  listing.Finish(response.next_cursor() == 0
                     ? ""
                     : absl::StrCat("vigil alert faults --cursor ", response.next_cursor()));
  if (response.faults().empty() && session.format == OutputFormat::kTable)
    *session.err << "no validator has recorded a fault\n";
  return absl::OkStatus();
}

}  // namespace vigil::client
