#include "ledger/evidence/alert_case.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kConfirms = 1;

template <typename... Parts>
Refusal Missing(const Parts&... parts) {
  return {ProofVerdict::kNotIncluded, absl::StrCat(parts..., ". Export the evidence anew")};
}

void TakeAlert(const ShownRecord& record, const AlertBody& body, AlertCase* out) {
  out->record = record.index();
  out->proposer = record.signer();
  out->height = record.report.block->height;
  out->event = body.event;
  out->event_leaf = body.event_leaf;
  out->event_type = body.event_type;
  out->period = body.period;
  out->model_digest = body.model_digest;
  out->score_q8 = body.score_q8;
  out->threshold_q8 = body.threshold_q8;
  out->component = body.component;
  out->reasons = body.reasons;
  out->rule = body.rule;
  out->rules_digest = body.rules_digest;
  out->entity_kind = body.entity_kind;
  out->observed = body.observed;
}

// u32 event type | digest, as module models emits it.
bool NamesModel(const Effect& effect, const AlertCase& alert) {
  ByteReader reader(effect.detail);
  const uint32_t event_type = reader.U32();
  const Hash digest = reader.ReadHash();
  return reader.Finish("effect").ok() && effect.subject == alert.period &&
         event_type == alert.event_type && digest == alert.model_digest;
}

void TakeEffects(const ShownRecord& record, AlertCase* out) {
  for (const Effect& effect : record.report.result->effects) {
    const bool of_alert = effect.subject == out->record.value();
    if (effect.type == EffectType::kAlertConfirmed && of_alert) out->confirmed_by = record.index();
    if (effect.type == EffectType::kAlertContested && of_alert) out->contested_by = record.index();
    if (effect.type == EffectType::kModelActivated && NamesModel(effect, *out))
      out->activated_by = record.index();
  }
}

// Which rules count for an event is what the last change before its block says.
void TakeRules(const std::vector<ShownRecord>& records, Height event_height, AlertCase* out) {
  for (const ShownRecord& record : records) {
    const Height height = record.report.block->height;
    if (height >= event_height) break;
    for (const Effect& effect : record.report.result->effects) {
      if (effect.type != EffectType::kRulesActivated) continue;
      out->activated_by.reset();
      out->rules_from = Height(0);
      if (effect.detail != out->rules_digest.view()) continue;
      out->activated_by = record.index();
      out->rules_from = height.Next();
    }
  }
}

void TakeWords(const ShownRecord& record, const RecordView& view, AlertCase* out) {
  if (const auto* attested = std::get_if<AttestationBody>(&view.body)) {
    for (const Attestation& word : attested->attestations) {
      if (word.alert_index != out->record) continue;
      out->words.push_back({.record = record.index(),
                            .validator = record.signer(),
                            .confirms = word.verdict == kConfirms,
                            .score_q8 = word.score_q8});
    }
  }
  const auto* fault = std::get_if<FaultProofBody>(&view.body);
  if (fault != nullptr && fault->alert_index == out->record) {
    out->faults.push_back({.record = record.index(),
                           .validator = record.signer(),
                           .fault = static_cast<AlertFault>(fault->fault),
                           .score_q8 = fault->score_q8});
  }
  const auto* commitment = std::get_if<ModelCommitmentBody>(&view.body);
  if (commitment != nullptr && commitment->event_type == out->event_type &&
      commitment->period == out->period && commitment->model_digest == out->model_digest) {
    out->model_committers.push_back(record.signer());
  }
}

}  // namespace

std::optional<Refusal> ReadAlertCase(const std::vector<ShownRecord>& records, RecordIndex alert,
                                     AlertCase* out) {
  const ShownRecord* const raised = FindShown(records, alert);
  if (raised == nullptr) return Missing("alert ", alert.value(), " is not in the file");
  const RecordView view = raised->Body();
  const auto* body = std::get_if<AlertBody>(&view.body);
  if (body == nullptr) {
    return Missing("record ", alert.value(), " is of kind ", KindOf(view.kind).name,
                   ", not an alert");
  }
  TakeAlert(*raised, *body, out);
  for (const ShownRecord& record : records) {
    TakeEffects(record, out);
    TakeWords(record, record.Body(), out);
  }
  if (!out->activated_by.has_value() && out->component != kRuleComponent)
    return Missing("nothing in the file shows that the alert's model was active");
  const ShownRecord* const batch = FindShown(records, out->event.record_index);
  const std::string name =
      absl::StrCat("event ", out->event.record_index.value(), ".", out->event.item.value());
  if (batch == nullptr) return Missing("the batch of the alert's ", name, " is not in the file");
  if (out->component == kRuleComponent) TakeRules(records, batch->report.block->height, out);
  const auto event = std::ranges::find(batch->events, out->event, &ShownEvent::ref);
  if (event == batch->events.end()) {
    return Refusal{ProofVerdict::kPayloadMissing,
                   absl::StrCat("the alert's ", name, " is not shown, its batch is")};
  }
  if (event->leaf_hash != out->event_leaf) {
    return Refusal{
        ProofVerdict::kPayloadMismatch,
        absl::StrCat("the alert was raised over another event than ", name, ": leaf ",
                     out->event_leaf.ToHex(), ", the chain has ", event->leaf_hash.ToHex())};
  }
  return std::nullopt;
}

}  // namespace vigil::ledger
