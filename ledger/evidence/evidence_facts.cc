#include "ledger/evidence/evidence_facts.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace vigil::ledger {
namespace {

class FactList {
 public:
  void Add(absl::string_view name, std::string text) {
    facts_.emplace_back(std::string(name), std::move(text));
  }
  void Add(absl::string_view name, uint64_t number) { Add(name, absl::StrCat(number)); }

  void Add(const EvidenceQuestion& question) {
    switch (question.subject) {
      case EvidenceSubject::kEvent:
        return Add("question", "event " + RefText(question.event));
      case EvidenceSubject::kAlert:
        return Add("question", absl::StrCat("alert ", question.alert.value()));
      case EvidenceSubject::kSpan:
        return Add("question",
                   absl::StrCat("span ", question.from_unix_nano, " ", question.to_unix_nano));
    }
  }
  void Add(const NamedValidator& validator) {
    Add("validator", absl::StrCat(EscapedFact(validator.identity),
                                  validator.cosigned ? " cosigned" : " absent"));
  }
  void Add(const ShownRecord& record) {
    Add("record",
        absl::StrCat(record.index().value(), " ", KindOf(record.report.record->kind).name, " ",
                     EscapedFact(record.signer()), " block ", record.report.block->height.value(),
                     " time_unix_ms ", record.report.block->time_unix_millis, " leaf ",
                     record.report.record->leaf_hash.ToHex(), " events ", record.events.size()));
  }
  void AddRejected(const ShownRecord& record) {
    Add("rejected_record",
        absl::StrCat(record.index().value(), " ", KindOf(record.report.record->kind).name, " ",
                     ResultCodeName(record.report.result->code), " block ",
                     record.report.block->height.value()));
  }
  void Add(const StreamCase& stream) {
    std::string text = absl::StrCat(
        EscapedFact(stream.sensor), " ", EscapedFact(stream.stream), " sequence ",
        stream.first_sequence, " to ", stream.last_sequence, " events ", stream.events_shown,
        " of ", stream.events_held, stream.IsComplete() ? " complete" : " incomplete");
    if (stream.events_lost != 0) absl::StrAppend(&text, " lost ", stream.events_lost);
    for (const auto& [before, after] : stream.breaks)
      absl::StrAppend(&text, " break ", before, " ", after);
    Add("stream", std::move(text));
  }
  void Add(const AlertCase& alert) {
    Add("alert_event", RefText(alert.event));
    Add("alert_proposer", EscapedFact(alert.proposer));
    Add("alert_score_q8", alert.score_q8);
    Add("alert_threshold_q8", alert.threshold_q8);
    if (alert.component == kRuleComponent) {
      Add("rule", alert.rule);
      Add("rules_digest", alert.rules_digest.ToHex());
      Add("rule_observed", alert.observed);
      if (alert.activated_by.has_value()) Add("rules_activated_by", alert.activated_by->value());
    } else {
      Add("model_digest", alert.model_digest.ToHex());
      Add("model_period", alert.period);
      Add("model_activated_by", alert.activated_by->value());
    }
    for (const std::string& name : alert.model_committers)
      Add("model_committer", EscapedFact(name));
    for (const AlertWord& word : alert.words) {
      Add("verdict",
          absl::StrCat(EscapedFact(word.validator), word.confirms ? " confirms" : " disputes",
                       " score_q8 ", word.score_q8, " record ", word.record.value()));
    }
    for (const AlertFaultWord& word : alert.faults) {
      Add("fault_proof",
          absl::StrCat(EscapedFact(word.validator), " ", AlertFaultName(word.fault), " score_q8 ",
                       word.score_q8, " record ", word.record.value()));
    }
    if (alert.confirmed_by.has_value()) Add("confirmed_by", alert.confirmed_by->value());
    if (alert.contested_by.has_value()) Add("contested_by", alert.contested_by->value());
  }
  std::vector<ProofFact> Take() && { return std::move(facts_); }

 private:
  static std::string RefText(const EventRef& ref) {
    return absl::StrCat(ref.record_index.value(), ".", ref.item.value());
  }

  std::vector<ProofFact> facts_;
};

}  // namespace

std::vector<ProofFact> EvidenceFacts(const EvidenceReport& report) {
  FactList facts;
  if (report.question.has_value()) facts.Add(*report.question);
  if (report.head.has_value()) {
    ProofReport head;
    head.head = report.head;
    for (auto& [name, value] : ProofFacts(head)) facts.Add(name, std::move(value));
  }
  for (const NamedValidator& validator : report.validators) facts.Add(validator);
  for (const ShownRecord& record : report.records) facts.Add(record);
  for (const ShownRecord& record : report.rejected) facts.AddRejected(record);
  facts.Add("events_shown", report.events_shown());
  if (report.question.has_value() && report.question->subject == EvidenceSubject::kSpan)
    facts.Add("events_in_span", report.events_in_span());
  for (const StreamCase& stream : report.streams) facts.Add(stream);
  if (report.alert.has_value()) facts.Add(*report.alert);
  if (!report.model.empty() && !report.wrong_model) facts.Add("model_bytes", report.model.size());
  return std::move(facts).Take();
}

}  // namespace vigil::ledger
