#include "ledger/state/alerts.h"

#include <optional>

#include "ledger/state/incidents.h"
#include "ledger/state/quorum.h"
#include "ledger/state/rules.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

namespace {

// Whether the model that `body` cites may carry an alert now.
ResultCode CheckModel(const StateView& view, const AlertBody& body) {
  const std::optional<ActiveModelRow> active =
      ReadRow<ActiveModelRow>(view, ActiveModelKey(body.event_type));
  if (!active.has_value() || body.period > active->period) return ResultCode::kNotFound;
  if (body.period != active->period && body.period != active->previous_period) {
    return ResultCode::kStale;
  }
  const std::optional<ModelRow> model =
      ReadRow<ModelRow>(view, ModelKey(body.event_type, body.period));
  if (!model.has_value()) return ResultCode::kNotFound;
  const ModelStatement& statement = model->statement;
  const bool agrees = body.model_digest == statement.digest &&
                      body.threshold_q8 == statement.threshold_q8 &&
                      body.score_q8 >= body.threshold_q8;
  return agrees ? ResultCode::kOk : ResultCode::kInvalid;
}

// Whether the event was held against the rule's file, and `body` says of the rule what follows from
// it.
ResultCode CheckRule(const Genesis& genesis, const StateView& view, const AlertBody& body) {
  const Hash rules = RulesOfRecord(genesis, view, body.event.record_index);
  if (rules.IsZero() || body.rules_digest != rules) return ResultCode::kNotFound;
  const bool agrees = body.model_digest == RuleDigestOf(body.rules_digest, body.rule) &&
                      body.score_q8 == body.threshold_q8;
  return agrees ? ResultCode::kOk : ResultCode::kInvalid;
}

bool EventExists(const StateView& view, const EventRef& event) {
  const std::optional<StreamRecordRow> batch =
      ReadRow<StreamRecordRow>(view, StreamRecordKey(event.record_index));
  return batch.has_value() && event.item.value() < batch->item_count;
}

// Counts the alert under its model. `settled`: it was counted as raised before.
void CountOfModel(const RecordContext& context, const AlertRow& alert, bool settled) {
  const std::string key = ModelAlertsKey(alert.event_type, alert.period);
  ModelAlertsRow counts = ReadRow<ModelAlertsRow>(*context.view, key).value_or(ModelAlertsRow());
  if (!settled) {
    ++counts.raised;
  } else {
    ++(alert.state == AlertState::kConfirmed ? counts.confirmed : counts.contested);
  }
  WriteRow(context.view, key, counts);
}

// Moves the alert to `state`, which follows from its counts.
void Settle(const RecordContext& context, RecordIndex index, AlertState state, AlertRow* alert) {
  context.view->Delete(AlertInStateKey(alert->state, index));
  context.view->Put(AlertInStateKey(state, index), "");
  alert->state = state;
  CountOfModel(context, *alert, /*settled=*/true);
  if (state == AlertState::kConfirmed) {
    alert->confirmed_height = context.height;
    context.Emit(EffectType::kAlertConfirmed, index.value());
    JoinIncident(context, index, *alert);
  } else {
    // A wrong alert must not keep the event from being raised rightly; its author had their turn.
    context.view->Delete(AlertOfEventKey(alert->event, alert->model_digest));
    context.view->Put(ContestedAlertKey(alert->event, alert->model_digest, alert->proposer), "");
    context.Emit(EffectType::kAlertContested, index.value());
  }
}

// Counts one verdict and writes the alert back.
void CountVerdict(const RecordContext& context, RecordIndex index, const VerdictRow& verdict,
                  AlertRow* alert) {
  WriteRow(context.view, VerdictKey(index, context.signer->identity), verdict);
  ++(verdict.verdict == Verdict::kConfirm ? alert->confirm_count : alert->dispute_count);
  if (alert->state == AlertState::kProposed) {
    if (alert->confirm_count >= ConfirmQuorum(*context.genesis)) {
      Settle(context, index, AlertState::kConfirmed, alert);
    } else if (alert->dispute_count >= DisputeQuorum(*context.genesis)) {
      Settle(context, index, AlertState::kContested, alert);
    }
  }
  WriteRow(context.view, AlertKey(index), *alert);
}

// `again`: the record says what its author may have said in an earlier epoch.
ResultCode ApplyVerdict(const RecordContext& context, const Attestation& attestation, bool again) {
  const RecordIndex index = attestation.alert_index;
  std::optional<AlertRow> alert = ReadRow<AlertRow>(*context.view, AlertKey(index));
  if (!alert.has_value()) return ResultCode::kNotFound;
  const bool is_open = alert->state == AlertState::kProposed;
  const auto verdict = static_cast<Verdict>(attestation.verdict);
  const std::optional<VerdictRow> said =
      ReadRow<VerdictRow>(*context.view, VerdictKey(index, context.signer->identity));
  // What was said under keys that were replaced since gives way, but not what an alert rests on.
  const bool stands =
      said.has_value() && (!is_open || said->record_index >= context.signer->enrolled_at);
  // Of an open alert that an earlier epoch left: what the present validators said of it.
  const bool is_left = is_open && alert->height <= context.genesis->epoch_base;
  if (stands && !(again && is_left && said->verdict == verdict)) return ResultCode::kAlreadyExists;
  if (is_left) {
    Voices voices = VoicesOn(*context.genesis, *context.view, index);
    if (stands) {
      // Each new voice decides what it can, so what stands decides only where the set has changed.
      if (!Decide(*context.genesis, voices)) return ResultCode::kAlreadyExists;
      --(verdict == Verdict::kConfirm ? voices.confirm : voices.dispute);  // Counted again below.
    }
    alert->confirm_count = voices.confirm;
    alert->dispute_count = voices.dispute;
  }
  CountVerdict(
      context, index,
      {.verdict = verdict, .score_q8 = attestation.score_q8, .record_index = context.index},
      &*alert);
  return ResultCode::kOk;
}

}  // namespace

ResultCode ApplyAlert(const RecordContext& context, const AlertBody& body) {
  const bool is_rule = body.component == kRuleComponent;
  const ResultCode basis =
      is_rule ? CheckRule(*context.genesis, *context.view, body) : CheckModel(*context.view, body);
  if (basis != ResultCode::kOk) return basis;
  if (!EventExists(*context.view, body.event)) return ResultCode::kNotFound;
  const ResultCode anchored = CheckAnchor(*context.view, body);
  if (anchored != ResultCode::kOk) return anchored;
  const std::string event_key = AlertOfEventKey(body.event, body.model_digest);
  const std::string contested_key =
      ContestedAlertKey(body.event, body.model_digest, context.signer->identity);
  if (context.view->Get(event_key).has_value() || context.view->Get(contested_key).has_value()) {
    return ResultCode::kAlreadyExists;
  }

  AlertRow alert;
  alert.height = context.height;
  alert.proposer = context.signer->identity;
  alert.event = body.event;
  alert.event_type = body.event_type;
  alert.period = body.period;
  alert.model_digest = body.model_digest;
  alert.score_q8 = body.score_q8;
  alert.threshold_q8 = body.threshold_q8;
  alert.component = body.component;
  alert.reasons = body.reasons;
  alert.event_leaf = body.event_leaf;
  alert.values_commitment = body.values_commitment;
  if (is_rule) {
    WriteRow(context.view, AlertRuleKey(context.index),
             AlertRuleRow{.rule = body.rule,
                          .rules_digest = body.rules_digest,
                          .entity_kind = body.entity_kind,
                          .observed = body.observed});
  }
  NoteAnchor(context, body);
  WriteRow(context.view, event_key, IndexRow{.index = context.index});
  context.view->Put(AlertInStateKey(AlertState::kProposed, context.index), "");
  context.Emit(EffectType::kAlertProposed, context.index.value());
  CountOfModel(context, alert, /*settled=*/false);
  const VerdictRow own{
      .verdict = Verdict::kConfirm, .score_q8 = body.score_q8, .record_index = context.index};
  CountVerdict(context, context.index, own, &alert);
  return ResultCode::kOk;
}

ResultCode ApplyAttestation(const RecordContext& context, const AttestationBody& body) {
  const bool again = body.epoch != 0;
  if (again && body.epoch != context.genesis->epoch.value()) return ResultCode::kStale;
  bool took_effect = false;
  bool stands = false;
  for (const Attestation& attestation : body.attestations) {
    const ResultCode code = ApplyVerdict(context, attestation, again);
    took_effect |= code == ResultCode::kOk;
    stands |= code == ResultCode::kAlreadyExists;
  }
  if (took_effect) return ResultCode::kOk;
  return stands ? ResultCode::kAlreadyExists : ResultCode::kNotFound;
}

}  // namespace vigil::ledger
