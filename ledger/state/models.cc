#include "ledger/state/models.h"

#include <optional>
#include <string>

#include "ledger/state/quorum.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

namespace {

ModelStatement StatementOf(const ModelCommitmentBody& body) {
  return {.window_end = body.window_end,
          .digest = body.model_digest,
          .row_count = body.row_count,
          .window_digest = body.window_digest,
          .threshold_q8 = body.threshold_q8,
          .event_count = body.event_count};
}

DriftStatement DriftOf(const ModelCommitmentBody& body) {
  return {.period = body.drift_period, .drifted = body.drifted};
}

// How many present validators say exactly `statement` of the type and period; with `drift`: that
// too.
uint32_t CountSame(const RecordContext& context, const ModelCommitmentBody& body,
                   const ModelStatement& statement, const DriftStatement* drift = nullptr) {
  const StateView& view = *context.view;
  uint32_t count = 0;
  for (const GenesisValidator& validator : context.genesis->validators) {
    const std::string identity = validator.identity();
    const std::optional<CommitmentRow> row =
        ReadRow<CommitmentRow>(view, ModelCommitmentKey(body.period, body.event_type, identity));
    const bool same = row.has_value() && row->statement == statement &&
                      (drift == nullptr || row->drift == *drift) &&
                      Counts(*context.genesis, view, identity, row->record_index);
    count += same ? 1 : 0;
  }
  return count;
}

// The drift of the model that is active for the period, once a quorum says the same of it.
void NoteDrift(const RecordContext& context, const ModelCommitmentBody& body,
               const ModelStatement& statement) {
  const DriftStatement drift = DriftOf(body);
  const std::string key = ModelKey(body.event_type, body.period);
  std::optional<ModelRow> model = ReadRow<ModelRow>(*context.view, key);
  if (drift.period == 0 || !model.has_value() || model->statement != statement) return;
  if (model->drift_height.value() != 0) return;
  if (CountSame(context, body, statement, &drift) < ModelQuorum(*context.genesis)) return;
  model->drift = drift;
  model->drift_height = context.height;
  WriteRow(context.view, key, *model);
  if (drift.drifted.empty()) return;
  std::string detail;
  ByteWriter(&detail)
      .U32(body.event_type)
      .U32(drift.drifted.front().feature)
      .U32(drift.drifted.front().psi_q8);
  context.Emit(EffectType::kDriftNoticed, body.period, std::move(detail));
}

void Activate(const RecordContext& context, const ModelCommitmentBody& body,
              const ModelStatement& statement, uint64_t replaced_period) {
  WriteRow(
      context.view, ModelKey(body.event_type, body.period),
      ModelRow{
          .statement = statement, .active_from = context.height, .drift = {}, .drift_height = {}});
  WriteRow(context.view, ActiveModelKey(body.event_type),
           ActiveModelRow{.period = body.period, .previous_period = replaced_period});
  std::string detail;
  ByteWriter(&detail).U32(body.event_type).Fixed(statement.digest);
  context.Emit(EffectType::kModelActivated, body.period, std::move(detail));
}

}  // namespace

ResultCode ApplyModelCommitment(const RecordContext& context, const ModelCommitmentBody& body) {
  const std::string key =
      ModelCommitmentKey(body.period, body.event_type, context.signer->identity);
  const std::optional<CommitmentRow> said = ReadRow<CommitmentRow>(*context.view, key);
  const ActiveModelRow active =
      ReadRow<ActiveModelRow>(*context.view, ActiveModelKey(body.event_type))
          .value_or(ActiveModelRow{});
  // What was said under keys that were replaced since gives way while the period is open.
  const bool is_open = body.period > active.period;
  if (said.has_value() && (!is_open || said->record_index >= context.signer->enrolled_at)) {
    return ResultCode::kAlreadyExists;
  }
  if (body.period < active.period) return ResultCode::kStale;
  if (body.window_end >= context.height) return ResultCode::kInvalid;

  const ModelStatement statement = StatementOf(body);
  WriteRow(
      context.view, key,
      CommitmentRow{.statement = statement, .drift = DriftOf(body), .record_index = context.index});
  if (is_open && CountSame(context, body, statement) >= ModelQuorum(*context.genesis)) {
    Activate(context, body, statement, active.period);
  }
  NoteDrift(context, body, statement);
  return ResultCode::kOk;
}

}  // namespace vigil::ledger
