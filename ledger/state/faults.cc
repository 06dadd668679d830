#include "ledger/state/faults.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {
namespace {

FaultRow RowOf(const FaultProofBody& body) {
  FaultRow row;
  row.fault = static_cast<AlertFault>(body.fault);
  row.score_q8 = body.score_q8;
  row.threshold_q8 = body.threshold_q8;
  row.component = body.component;
  return row;
}

// Whether `identity` said something of the alert already, or anybody exactly this.
bool Stands(const StateView& view, RecordIndex alert, const std::string& identity,
            const FaultRow& fault) {
  if (view.Get(FaultKey(alert, identity)).has_value()) return true;
  bool stands = false;
  view.Scan(FaultPrefix(alert), [&](absl::string_view, absl::string_view value) {
    const absl::StatusOr<FaultRow> row = DecodeRow<FaultRow>(value);
    if (!row.ok()) {
      view.Fail(row.status());
      return false;
    }
    stands = row->SaysSame(fault);
    return !stands;
  });
  return stands;
}

}  // namespace

ResultCode ApplyFaultProof(const RecordContext& context, const FaultProofBody& body) {
  const RecordIndex alert = body.alert_index;
  const std::optional<AlertRow> row = ReadRow<AlertRow>(*context.view, AlertKey(alert));
  if (!row.has_value()) return ResultCode::kNotFound;
  const std::optional<VerdictRow> verdict =
      ReadRow<VerdictRow>(*context.view, VerdictKey(alert, context.signer->identity));
  const bool disputes = verdict.has_value() && verdict->verdict == Verdict::kDispute &&
                        verdict->score_q8 == body.score_q8;
  if (row->state != AlertState::kContested || !disputes) return ResultCode::kInvalid;
  FaultRow fault = RowOf(body);
  if (Stands(*context.view, alert, context.signer->identity, fault)) {
    return ResultCode::kAlreadyExists;
  }
  fault.record_index = context.index;
  fault.height = context.height;
  WriteRow(context.view, FaultKey(alert, context.signer->identity), fault);
  context.Emit(EffectType::kFaultRecorded, alert.value(),
               std::string(1, static_cast<char>(body.fault)));
  return ResultCode::kOk;
}

absl::Status CheckFaultProofAdmissible(const StateView& view, const KeyRow& signer,
                                       const FaultProofBody& body) {
  if (!Stands(view, body.alert_index, signer.identity, RowOf(body))) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("what ", signer.identity, " says of alert ",
                                               body.alert_index.value(),
                                               " is on the chain (vigil alert faults)"));
}

}  // namespace vigil::ledger
