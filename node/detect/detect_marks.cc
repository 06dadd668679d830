// What blocks tell of events that came before: which of them no model may learn from; and which
// thresholds the models have that become active.
#include <variant>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/record.h"
#include "node/detect/detect_driver.h"

namespace vigil::node {
namespace {

using ledger::AlertInfo;

// Whether the alert was confirmed by then and no analyst called it a false positive since. Only
// what the chain never changes is looked at, so it is the same whenever it is asked.
bool IsLeftOut(const AlertInfo& alert, Height height) {
  if (alert.confirmed_height == Height(0) || alert.confirmed_height > height) return false;
  bool false_positive = false;
  for (const ledger::TriageStep& step : alert.triage.steps) {
    if (step.height > height) break;
    if (step.action == ledger::TriageAction::kClose) {
      false_positive = step.verdict == ledger::TriageVerdict::kFalsePositive;
    }
    if (step.action == ledger::TriageAction::kReopen) false_positive = false;
  }
  return !false_positive;
}

}  // namespace

absl::StatusOr<std::vector<detector::EventMark>> DetectDriver::MarksOf(
    const ledger::ExecutedBlock& executed) const {
  std::vector<detector::EventMark> marks;
  std::shared_ptr<const ledger::ChainReader> reader;
  for (const ledger::RecordResult& result : executed.results) {
    for (const ledger::Effect& effect : result.effects) {
      if (effect.type != ledger::EffectType::kAlertConfirmed &&
          effect.type != ledger::EffectType::kAlertTriaged) {
        continue;
      }
      if (reader == nullptr) reader = port_->Reader();
      ASSIGN_OR_RETURN(const AlertInfo alert, reader->GetAlert(RecordIndex(effect.subject)));
      marks.push_back({.record_index = alert.event.record_index,
                       .item = alert.event.item,
                       .left_out = IsLeftOut(alert, executed.block->height())});
    }
  }
  return marks;
}

absl::StatusOr<DetectDriver::Thresholds> DetectDriver::ThresholdsIn(
    const ledger::ExecutedBlock& executed) {
  Thresholds thresholds;
  for (size_t i = 0; i < executed.results.size(); ++i) {
    for (const ledger::Effect& effect : executed.results[i].effects) {
      if (effect.type != ledger::EffectType::kModelActivated) continue;
      // Whoever completes the quorum says what the quorum says.
      ASSIGN_OR_RETURN(const ledger::RecordView record,
                       ledger::DecodeRecord(executed.block->records()[i].leaf));
      const auto* const body = std::get_if<ledger::ModelCommitmentBody>(&record.body);
      if (body == nullptr) {
        return absl::DataLossError(absl::StrCat("record ", executed.results[i].index.value(),
                                                " activates a model and is no commitment"));
      }
      thresholds[{body->event_type, body->period}] = body->threshold_q8;
    }
  }
  return thresholds;
}

}  // namespace vigil::node
