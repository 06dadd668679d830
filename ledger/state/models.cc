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

// How many present validators say exactly `statement` of the type and period.
uint32_t CountSame(const RecordContext& context, const ModelCommitmentBody& body,
                   const ModelStatement& statement) {
  const StateView& view = *context.view;
  uint32_t count = 0;
  for (const GenesisValidator& validator : context.genesis->validators) {
    const std::string identity = validator.identity();
    const std::optional<CommitmentRow> row =
        ReadRow<CommitmentRow>(view, ModelCommitmentKey(body.period, body.event_type, identity));
    const bool same = row.has_value() && row->statement == statement &&
                      Counts(*context.genesis, view, identity, row->record_index);
    count += same ? 1 : 0;
  }
  return count;
}

void Activate(const RecordContext& context, const ModelCommitmentBody& body,
              const ModelStatement& statement, uint64_t replaced_period) {
  WriteRow(context.view, ModelKey(body.event_type, body.period),
           ModelRow{.statement = statement, .active_from = context.height});
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
  WriteRow(context.view, key, CommitmentRow{.statement = statement, .record_index = context.index});
  if (is_open && CountSame(context, body, statement) >= ModelQuorum(*context.genesis)) {
    Activate(context, body, statement, active.period);
  }
  return ResultCode::kOk;
}

}  // namespace vigil::ledger
