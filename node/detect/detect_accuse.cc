// What is wrong with an alert that others contest, as this validator recomputed it; and how the
// detector does, for displays.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "detector/model/claim.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "node/detect/detect_convert.h"
#include "node/detect/detect_driver.h"

namespace vigil::node {
namespace {

using ledger::AlertFault;
using ledger::AlertInfo;
using ledger::ChainReader;
using ledger::FaultProofBody;

constexpr int64_t kOwnVerdictWaitMicros = 1'000'000;
constexpr uint32_t kDispute = 2;

AlertFault FaultFor(detector::Difference difference) {
  switch (difference) {
    case detector::Difference::kThreshold:
      return AlertFault::kThreshold;
    case detector::Difference::kExplanation:
      return AlertFault::kExplanation;
    default:
      return AlertFault::kScore;
  }
}

detector::Claim ClaimOf(const AlertInfo& alert) {
  detector::Claim claim{alert.score_q8, alert.threshold_q8, alert.component, {}};
  for (const ledger::AlertReason& reason : alert.reasons) {
    claim.reasons.push_back({static_cast<uint16_t>(reason.feature), reason.bits_q8});
  }
  return claim;
}

}  // namespace

void DetectDriver::TakeContested(const ledger::ExecutedBlock& executed, RecordIndex alert) {
  const Height height = executed.block->height();
  const ledger::EventRef place{.record_index = alert, .item = ItemIndex(0)};
  const uint32_t rank = ProposerRank(executed.block->hash(), place, self_,
                                     static_cast<uint32_t>(genesis_->validators.size()));
  duties_.accusations[alert] = {
      .height = height, .due = height + rank * kProposerPatienceHeights, .attempt = {}};
}

// What was raised wrongly may be strange all the same: it is raised anew, by another.
absl::Status DetectDriver::ProposeAnew(const ChainReader& reader, const AlertInfo& alert,
                                       Height due) {
  if (alert.proposer == identity_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ledger::BlockInfo block, reader.BlockOfRecord(alert.event.record_index));
  const ProposeKey key{.event = alert.event, .model_digest = alert.model_digest};
  duties_.proposals.try_emplace(key, ProposeDuty{.height = block.height,
                                                 .due = due,
                                                 .event_type = alert.event_type,
                                                 .period = alert.period,
                                                 .rule = alert.rule,
                                                 .attempt = {}});
  return absl::OkStatus();
}

absl::StatusOr<bool> DetectDriver::Accuse(const ChainReader& reader) {
  bool worked = false;
  for (auto duty = duties_.accusations.begin(); duty != duties_.accusations.end();) {
    const RecordIndex index = duty->first;
    AccuseDuty& accuse = duty->second;
    if (!MayTry(accuse.attempt) || accuse.due > stream_->height()) {
      ++duty;
      continue;
    }
    worked = true;
    ASSIGN_OR_RETURN(const AlertInfo alert, reader.GetAlert(index));
    RETURN_IF_ERROR(ProposeAnew(reader, alert, accuse.due));
    const auto own = std::find_if(
        alert.verdicts.begin(), alert.verdicts.end(),
        [&](const ledger::AlertVerdict& verdict) { return verdict.validator == identity_; });
    // The own verdict may still be under way.
    if (own == alert.verdicts.end() && port_->tip() - accuse.height <= kJudgePatienceHeights) {
      accuse.attempt.not_before_micros = port_->NowMicros() + kOwnVerdictWaitMicros;
      ++duty;
      continue;
    }
    std::optional<FaultProofBody> fault;
    if (own != alert.verdicts.end() && own->verdict == kDispute) {
      ASSIGN_OR_RETURN(fault, FaultOf(reader, alert));
    }
    if (!fault.has_value()) {
      duty = duties_.accusations.erase(duty);
      continue;
    }
    accuse.attempt.under_way = true;
    ++duty;
    UnderWay sent;
    sent.accusation = index;
    Send(*fault, std::move(sent));
  }
  return worked;
}

std::optional<ledger::FaultRow> DetectDriver::ModelFaultOf(const AlertInfo& alert,
                                                           const EventView& event,
                                                           bool other_event) const {
  const detector::Recomputation own = stream_->Recompute(event, alert.model_digest.bytes);
  if (own.outcome == detector::Recomputed::kUnknownModel) return std::nullopt;
  const detector::Difference difference =
      detector::Compare(ClaimOf(alert), own.score, own.threshold_q8);
  if (difference == detector::Difference::kNone && !other_event) return std::nullopt;
  ledger::FaultRow row;
  row.fault = other_event ? AlertFault::kEvent : FaultFor(difference);
  row.score_q8 = own.score.score_q8;
  row.threshold_q8 = own.threshold_q8;
  row.component = static_cast<uint32_t>(own.score.component);
  return row;
}

// The numbers are those of the verdict: the rule's where it matched as the alert says, else none. A
// wrong anchor alone is no fault: whoever reads both events sees it.
absl::StatusOr<std::optional<ledger::FaultRow>> DetectDriver::RuleFaultOf(const AlertInfo& alert,
                                                                          Height event_height,
                                                                          bool other_event) const {
  ASSIGN_OR_RETURN(const std::optional<bool> agrees, AgreesWithRule(alert, event_height));
  if (!agrees.has_value() || (*agrees && !other_event)) return std::optional<ledger::FaultRow>();
  ledger::FaultRow row;
  row.fault = other_event ? AlertFault::kEvent : AlertFault::kRule;
  if (!*agrees) return std::optional<ledger::FaultRow>(row);
  row.score_q8 = alert.score_q8;
  row.threshold_q8 = alert.threshold_q8;
  row.component = ledger::kRuleComponent;
  return std::optional<ledger::FaultRow>(row);
}

// Nothing when somebody said it, or what it is from is not here any more.
absl::StatusOr<std::optional<FaultProofBody>> DetectDriver::FaultOf(const ChainReader& reader,
                                                                    const AlertInfo& alert) const {
  std::optional<FaultProofBody> none;
  ASSIGN_OR_RETURN(const ledger::BlockInfo block, reader.BlockOfRecord(alert.event.record_index));
  ASSIGN_OR_RETURN(const ExecutedPtr executed, LoadReadable(block.height));
  if (executed == nullptr) return none;
  ASSIGN_OR_RETURN(const BlockEventView event, EventAt(*executed, alert.event));
  const bool other_event = ledger::LeafHash(event.bytes) != alert.event_leaf;
  std::optional<ledger::FaultRow> wrong;
  if (alert.component == ledger::kRuleComponent) {
    ASSIGN_OR_RETURN(wrong, RuleFaultOf(alert, block.height, other_event));
  } else {
    wrong = ModelFaultOf(alert, event.view, other_event);
  }
  if (!wrong.has_value()) return none;
  const ledger::FaultRow& row = *wrong;
  ASSIGN_OR_RETURN(const std::vector<ledger::FaultInfo> known, reader.FaultsOf(alert.index));
  for (const ledger::FaultInfo& fault : known) {
    if (fault.fault.SaysSame(row) || fault.validator == identity_) return none;
  }
  FaultProofBody body;
  body.alert_index = alert.index;
  body.fault = static_cast<uint32_t>(row.fault);
  body.score_q8 = row.score_q8;
  body.threshold_q8 = row.threshold_q8;
  body.component = row.component;
  return std::optional<FaultProofBody>(body);
}

void DetectDriver::Count(const UnderWay& sent) {
  if (sent.proposal.has_value()) ++counted_.proposed;
  counted_.disputed += sent.disputes;
  counted_.confirmed += sent.judgements.size() - sent.disputes;
}

void DetectDriver::PublishReport() {
  Report report = counted_;
  report.types = stream_->Types();
  report.duties = duties_.size();
  report.rules = AsHash(stream_->matcher().held());
  MutexLock lock(&models_mutex_);
  report_ = std::move(report);
}

DetectDriver::Report DetectDriver::report() const {
  MutexLock lock(&models_mutex_);
  return report_;
}

void DetectDriver::NoteDrift(const detector::ModelInfo& trained) const {
  for (const detector::TypeInfo& info : stream_->Types()) {
    if (info.type != trained.type || info.period != trained.period || !info.drift.has_value() ||
        info.drift->psi_q8 < detector::kDriftLimitQ8) {
      continue;
    }
    const std::string& feature =
        detector::EventSchema(info.type).features()[info.drift->feature].name;
    port_->Inform(absl::StrCat("drift: events of type ", static_cast<uint32_t>(info.type),
                               " changed by period ", info.period, ", most in ", feature,
                               ": stability index ", info.drift->psi_q8, "/256, the limit is ",
                               detector::kDriftLimitQ8));
  }
}

}  // namespace vigil::node
