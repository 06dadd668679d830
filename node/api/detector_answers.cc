// The Query service's answers about models, faults and the detectors.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "detector/features/event_type.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/rules.h"
#include "node/api/convert.h"
#include "node/api/query_service.h"
#include "node/api/rules_answers.h"

namespace vigil::node {
namespace {

v1::Fault ToProto(const ledger::AlertInfo& alert, const ledger::FaultInfo& info) {
  v1::Fault proto;
  proto.set_alert_index(alert.index.value());
  proto.set_proposer(alert.proposer);
  proto.set_claimed_score_q8(alert.score_q8);
  proto.set_claimed_threshold_q8(alert.threshold_q8);
  proto.set_fault(std::string(ledger::AlertFaultName(info.fault.fault)));
  proto.set_validator(info.validator);
  proto.set_score_q8(info.fault.score_q8);
  proto.set_threshold_q8(info.fault.threshold_q8);
  proto.set_component(info.fault.component);
  proto.set_record_index(info.fault.record_index.value());
  proto.set_height(info.fault.height.value());
  return proto;
}

absl::Status FillActive(const ledger::ChainReader& reader, v1::DetectorTypeReport* out) {
  const uint32_t type = out->event_type();
  ASSIGN_OR_RETURN(const std::optional<ledger::ModelInfo> active, reader.ActiveModel(type));
  if (!active.has_value()) return absl::OkStatus();
  out->set_active_period(active->period);
  out->set_active_digest(BytesOf(active->digest));
  out->set_active_from_height(active->active_from.value());
  out->set_row_count(active->row_count);
  out->set_threshold_q8(active->threshold_q8);
  out->set_notice_period(active->drift.period);
  *out->mutable_notice() = node::ToProto(*active).drifted();
  ASSIGN_OR_RETURN(const ledger::ModelAlertsRow alerts, reader.AlertsOfModel(type, active->period));
  out->set_raised(alerts.raised);
  out->set_confirmed(alerts.confirmed);
  out->set_contested(alerts.contested);
  ASSIGN_OR_RETURN(const uint64_t previous, reader.PreviousPeriod(type));
  out->set_previous_period(previous);
  if (previous == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ledger::ModelAlertsRow before, reader.AlertsOfModel(type, previous));
  out->set_previous_raised(before.raised);
  out->set_previous_events(active->event_count);
  return absl::OkStatus();
}

}  // namespace

absl::Status FillFaultsOf(const ledger::ChainReader& reader, const ledger::AlertInfo& alert,
                          google::protobuf::RepeatedPtrField<v1::Fault>* out) {
  ASSIGN_OR_RETURN(const std::vector<ledger::FaultInfo> faults, reader.FaultsOf(alert.index));
  for (const ledger::FaultInfo& fault : faults) *out->Add() = ToProto(alert, fault);
  return absl::OkStatus();
}

absl::Status FillFaults(const NodeServices& services, const v1::ListFaultsRequest& request,
                        v1::ListFaultsResponse* out) {
  ASSIGN_OR_RETURN(const uint32_t limit, PageLimit(request.limit()));
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  const uint64_t from = request.cursor() == 0 ? UINT64_MAX : request.cursor();
  ASSIGN_OR_RETURN(std::vector<RecordIndex> alerts,
                   reader->ListFaultyAlerts(RecordIndex(from), limit + 1));
  if (alerts.size() > limit) {
    out->set_next_cursor(alerts[limit].value());
    alerts.resize(limit);
  }
  for (const RecordIndex index : alerts) {
    ASSIGN_OR_RETURN(const ledger::AlertInfo alert, reader->GetAlert(index));
    RETURN_IF_ERROR(FillFaultsOf(*reader, alert, out->mutable_faults()));
  }
  return absl::OkStatus();
}

absl::Status FillModelFile(const NodeServices& services, const v1::GetModelFileRequest& request,
                           v1::ModelFile* out) {
  const absl::StatusOr<Hash> digest = Hash::From(AsBytes(request.digest()));
  if (!digest.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("digest of ", request.digest().size(), " bytes, 32 belong there"));
  }
  if (digest->IsZero()) return absl::NotFoundError("no model and no rules have the digest zero");
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  const absl::StatusOr<uint64_t> rules =
      ledger::RulesNumberOf(services.genesis(), reader->state(), *digest);
  if (rules.ok()) {
    ASSIGN_OR_RETURN(const ledger::RulesInfo info,
                     ledger::RulesNumbered(services.genesis(), reader->state(), *rules));
    out->set_file(info.file);
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(rules.status())) return rules.status();
  ASSIGN_OR_RETURN(*out->mutable_file(), services.ReadModel(*digest));
  return absl::OkStatus();
}

absl::Status FillDetectorReport(const NodeServices& services, v1::DetectorReport* out) {
  const NodeStatus status = services.Status();
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  ASSIGN_OR_RETURN(const ledger::Tip tip, reader->GetTip());
  ASSIGN_OR_RETURN(const std::vector<ledger::TriageTotals> totals, reader->ListTriageTotals());
  out->set_validator(status.validator);
  out->set_height(status.detector.value());
  out->set_executed_height(tip.height.value());
  out->set_warm(status.warmth.warm);
  out->set_phase(status.warmth.phase);
  out->set_proposed(status.detection.proposed);
  out->set_confirmed(status.detection.confirmed);
  out->set_disputed(status.detection.disputed);
  out->set_duties(status.detection.duties);
  out->set_matched_rules(BytesOf(status.detection.rules));
  RETURN_IF_ERROR(FillRulesStatus(services, *reader, out));
  for (const detector::EventType event_type : detector::kEventTypes) {
    v1::DetectorTypeReport* const type = out->add_types();
    type->set_event_type(static_cast<uint32_t>(event_type));
    for (const NodeStatus::DetectedType& own : status.detection.types) {
      if (own.event_type != type->event_type()) continue;
      type->set_window_rows(own.window_rows);
      type->set_trained_period(own.trained_period);
      type->set_cold(own.cold);
      type->set_drift_q8(own.drift_q8);
      type->set_drift_feature(own.drift_feature);
      type->set_drifts(own.drifts);
    }
    RETURN_IF_ERROR(FillActive(*reader, type));
    for (const ledger::TriageTotals& row : totals) {
      if (row.event_type != type->event_type()) continue;
      type->set_true_positive(type->true_positive() + row.true_positive);
      type->set_false_positive(type->false_positive() + row.false_positive);
      type->set_expected(type->expected() + row.expected);
    }
  }
  return absl::OkStatus();
}

}  // namespace vigil::node
