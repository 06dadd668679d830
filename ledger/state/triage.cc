#include "ledger/state/triage.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "ledger/state/identity.h"
#include "ledger/state/incidents.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {
namespace {

// The organisation whose sensor reported the event of `alert`; empty: not known.
std::string OrgOfEvent(const StateView& view, const AlertRow& alert) {
  const std::optional<StreamRecordRow> batch =
      ReadRow<StreamRecordRow>(view, StreamRecordKey(alert.event.record_index));
  return batch.has_value() ? batch->org : std::string();
}

TriageRow CurrentOf(const StateView& view, RecordIndex alert) {
  return ReadRow<TriageRow>(view, TriageKey(alert)).value_or(TriageRow());
}

bool IsAnalystOf(const Genesis& genesis, const std::string& org, const std::string& identity) {
  return std::any_of(
      genesis.identities.begin(), genesis.identities.end(), [&](const GenesisIdentity& known) {
        if (known.org != org || (known.roles & static_cast<uint32_t>(Role::kAnalyst)) == 0) {
          return false;
        }
        return identity == known.identity();
      });
}

void Count(StateView* view, const AlertRow& alert, TriageVerdict verdict, bool closed) {
  const std::string key = TriageTotalsKey(alert.event_type, alert.component);
  TriageTotalsRow totals = ReadRow<TriageTotalsRow>(*view, key).value_or(TriageTotalsRow());
  uint64_t& count = totals.Of(verdict);
  count = closed ? count + 1 : count - 1;
  WriteRow(view, key, totals);
}

// Moves `row` on. Returns whether the step is one that may follow.
bool Take(const RecordContext& context, const AlertRow& alert, const TriageBody& body,
          TriageRow* row) {
  const bool closed = row->state == TriageState::kClosed;
  switch (static_cast<TriageAction>(body.action)) {
    case TriageAction::kAcknowledge:
      if (row->state != TriageState::kOpen) return false;
      row->state = TriageState::kAcknowledged;
      return true;
    case TriageAction::kAssign:
      if (closed ||
          !IsAnalystOf(*context.genesis, context.signer->org, std::string(body.assignee))) {
        return false;
      }
      row->state = TriageState::kAcknowledged;
      row->assignee = std::string(body.assignee);
      return true;
    case TriageAction::kClose:
      if (closed) return false;
      row->state = TriageState::kClosed;
      row->verdict = static_cast<TriageVerdict>(body.verdict);
      Count(context.view, alert, row->verdict, /*closed=*/true);
      return true;
    case TriageAction::kReopen:
      if (!closed) return false;
      Count(context.view, alert, row->verdict, /*closed=*/false);
      row->state = TriageState::kAcknowledged;
      row->verdict = TriageVerdict::kNone;
      return true;
  }
  return false;
}

}  // namespace

ResultCode ApplyTriage(const RecordContext& context, const TriageBody& body) {
  const std::optional<AlertRow> alert =
      ReadRow<AlertRow>(*context.view, AlertKey(body.alert_index));
  if (!alert.has_value()) return ResultCode::kNotFound;
  if (OrgOfEvent(*context.view, *alert) != context.signer->org) {
    return ResultCode::kPermissionDenied;
  }
  TriageRow row = CurrentOf(*context.view, body.alert_index);
  if (row.revision != body.revision) return ResultCode::kStale;
  if (row.revision >= kTriageStepsMax) return ResultCode::kInvalid;
  const bool was_closed = row.state == TriageState::kClosed;
  if (!Take(context, *alert, body, &row)) return ResultCode::kInvalid;
  const bool is_closed = row.state == TriageState::kClosed;
  if (is_closed != was_closed) CountClosed(context, body.alert_index, is_closed);
  ++row.revision;
  WriteRow(context.view, TriageKey(body.alert_index), row);
  WriteRow(context.view, TriageStepKey(body.alert_index, row.revision),
           TriageStepRow{.action = static_cast<TriageAction>(body.action),
                         .by = context.signer->identity,
                         .assignee = std::string(body.assignee),
                         .verdict = static_cast<TriageVerdict>(body.verdict),
                         .record_index = context.index,
                         .height = context.height});
  context.Emit(EffectType::kAlertTriaged, body.alert_index.value(),
               std::string(1, static_cast<char>(body.action)));
  return ResultCode::kOk;
}

absl::Status CheckTriageAdmissible(const StateView& view, const KeyRow& signer,
                                   const TriageBody& body) {
  const TriageRow row = CurrentOf(view, body.alert_index);
  if (body.revision >= row.revision) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      "alert ", body.alert_index.value(), " has ", row.revision, " triage records, ",
      signer.identity, " knew of ", body.revision, ": look at it again (vigil alert get)"));
}

}  // namespace vigil::ledger
