// The detector's voice: alerts, judgements and model commitments.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/state/quorum.h"
#include "node/detect/detect_convert.h"
#include "node/detect/detect_driver.h"

namespace vigil::node {
namespace {

using ledger::AlertBody;
using ledger::AlertInfo;
using ledger::Attestation;
using ledger::AttestationBody;
using ledger::ChainReader;
using ledger::ModelInfo;

constexpr size_t kUnderWayMax = 32;
constexpr size_t kJudgementsPerRecordMax = 256;
constexpr uint32_t kModelsListedMax = 64;
constexpr int64_t kModelWaitMicros = 1'000'000;
constexpr uint32_t kConfirm = 1;
constexpr uint32_t kDispute = 2;

bool SameReasons(const std::vector<ledger::AlertReason>& claimed,
                 const std::vector<detector::Reason>& own) {
  return std::equal(claimed.begin(), claimed.end(), own.begin(), own.end(),
                    [](const ledger::AlertReason& a, const detector::Reason& b) {
                      return a.feature == b.feature && a.bits_q8 == b.bits_q8;
                    });
}

}  // namespace

bool DetectDriver::MayTry(const Attempt& attempt) const {
  return !attempt.under_way && attempt.not_before_micros <= port_->NowMicros();
}

void DetectDriver::Send(const ledger::RecordBody& body, UnderWay under_way) {
  const uint64_t ticket = next_ticket_++;
  under_way_[ticket] = std::move(under_way);
  ledger::Record record;
  record.leaf = ledger::SignRecord(body, genesis_->chain_id, *record_key_);
  port_->Submit(std::move(record),
                [mailbox = mailbox_, wake = on_delivery_, ticket](const Delivery& delivery) {
                  {
                    MutexLock lock(&mailbox->mutex);
                    mailbox->deliveries.emplace_back(ticket, delivery);
                  }
                  wake();
                });
}

bool DetectDriver::TakeDeliveries() {
  std::vector<std::pair<uint64_t, Delivery>> deliveries;
  {
    MutexLock lock(&mailbox_->mutex);
    deliveries.swap(mailbox_->deliveries);
  }
  for (const auto& [ticket, delivery] : deliveries) {
    const auto sent = under_way_.find(ticket);
    if (sent == under_way_.end()) continue;
    Settle(sent->second, delivery);
    under_way_.erase(sent);
  }
  return !deliveries.empty();
}

void DetectDriver::Settle(const UnderWay& sent, const Delivery& delivery) {
  const bool give_up = !delivery.taken && delivery.retry_after_millis == 0;
  if (give_up) port_->Warn(absl::StrCat("a record was refused for good: ", delivery.what));
  const int64_t again = port_->NowMicros() + int64_t{delivery.retry_after_millis} * 1000;
  // Whether the duty is over.
  const auto settle = [&](Attempt* attempt) {
    attempt->under_way = false;
    attempt->not_before_micros = again;
    return delivery.taken || give_up;
  };
  if (sent.proposal.has_value()) {
    const auto duty = duties_.proposals.find(*sent.proposal);
    if (duty != duties_.proposals.end() && settle(&duty->second.attempt)) {
      duties_.proposals.erase(duty);
    }
  }
  for (const RecordIndex alert : sent.judgements) {
    const auto duty = duties_.judgements.find(alert);
    if (duty != duties_.judgements.end() && settle(&duty->second.attempt)) {
      duties_.judgements.erase(duty);
    }
  }
  if (sent.accusation.has_value()) {
    const auto duty = duties_.accusations.find(*sent.accusation);
    if (duty != duties_.accusations.end() && settle(&duty->second.attempt)) {
      duties_.accusations.erase(duty);
    }
  }
  if (delivery.taken) Count(sent);
  if (sent.commitment.has_value()) {
    const auto duty = duties_.commitments.find(*sent.commitment);
    if (duty != duties_.commitments.end() && settle(&duty->second.attempt)) {
      duties_.commitments.erase(duty);
    }
  }
}

absl::StatusOr<bool> DetectDriver::SubmitDue() {
  if (duties_.size() == 0) return false;
  const std::shared_ptr<const ChainReader> reader = port_->Reader();
  ASSIGN_OR_RETURN(const bool committed, Commit(*reader));
  ASSIGN_OR_RETURN(const bool proposed, Propose(*reader));
  ASSIGN_OR_RETURN(const bool judged, Judge(*reader));
  ASSIGN_OR_RETURN(const bool accused, Accuse(*reader));
  return committed || proposed || judged || accused;
}

absl::StatusOr<bool> DetectDriver::Commit(const ChainReader& reader) {
  bool worked = false;
  std::optional<std::vector<ModelInfo>> known;  // Read only when something is due.
  for (auto duty = duties_.commitments.begin(); duty != duties_.commitments.end();) {
    const CommitKey key = duty->first;
    CommitDuty& commit = duty->second;
    if (!MayTry(commit.attempt) || under_way_.size() >= kUnderWayMax) {
      ++duty;
      continue;
    }
    if (!known.has_value()) {
      ASSIGN_OR_RETURN(known, reader.ListModels(kModelsListedMax));
    }
    const bool stands = std::any_of(known->begin(), known->end(), [&](const ModelInfo& model) {
      return model.period == key.period && model.event_type == key.event_type &&
             std::count(model.committed_by.begin(), model.committed_by.end(), identity_) > 0;
    });
    worked = true;
    if (stands) {
      duty = duties_.commitments.erase(duty);
      continue;
    }
    ledger::ModelCommitmentBody body;
    body.event_type = key.event_type;
    body.period = key.period;
    body.window_end = commit.window_end;
    body.model_digest = commit.model_digest;
    body.window_digest = commit.window_digest;
    body.row_count = commit.row_count;
    body.threshold_q8 = commit.threshold_q8;
    body.event_count = commit.event_count;
    body.drift_period = commit.drift_period;
    body.drifted = commit.drifted;
    commit.attempt.under_way = true;
    ++duty;
    UnderWay sent;
    sent.commitment = key;
    Send(body, std::move(sent));
  }
  return worked;
}

absl::StatusOr<bool> DetectDriver::Propose(const ChainReader& reader) {
  bool worked = false;
  for (auto duty = duties_.proposals.begin(); duty != duties_.proposals.end();) {
    const ProposeKey key = duty->first;
    ProposeDuty& propose = duty->second;
    if (!MayTry(propose.attempt) || propose.due > stream_->height() ||
        under_way_.size() >= kUnderWayMax) {
      ++duty;
      continue;
    }
    worked = true;
    ASSIGN_OR_RETURN(const std::optional<RecordIndex> stands,
                     reader.FindAlert(key.event, key.model_digest));
    std::optional<AlertBody> alert;
    if (!stands.has_value()) {
      ASSIGN_OR_RETURN(alert, MakeAlert(key, propose));
    }
    if (!alert.has_value()) {
      duty = duties_.proposals.erase(duty);
      continue;
    }
    propose.attempt.under_way = true;
    ++duty;
    UnderWay sent;
    sent.proposal = key;
    Send(*alert, std::move(sent));
  }
  return worked;
}

// Null when the block's bytes or payloads are not here.
absl::StatusOr<ExecutedPtr> DetectDriver::LoadReadable(Height height) const {
  absl::StatusOr<ExecutedPtr> executed = port_->LoadExecuted(height);
  if (absl::IsNotFound(executed.status())) return ExecutedPtr();
  if (executed.ok() && (*executed)->block->pruned()) return ExecutedPtr();
  return executed;
}

absl::StatusOr<std::optional<AlertBody>> DetectDriver::MakeAlert(const ProposeKey& key,
                                                                 const ProposeDuty& duty) const {
  ASSIGN_OR_RETURN(const ExecutedPtr executed, LoadReadable(duty.height));
  if (executed == nullptr) return std::optional<AlertBody>();
  ASSIGN_OR_RETURN(const BlockEventView event, EventAt(*executed, key.event));
  if (duty.rule != 0) {
    ASSIGN_OR_RETURN(std::optional<AlertBody> of_rule, MakeRuleAlert(key, duty, event));
    if (of_rule.has_value()) SetAnchor(*executed, event, &*of_rule);
    return of_rule;
  }
  const detector::Recomputation own = stream_->Recompute(event.view, key.model_digest.bytes);
  // A model that was forgotten meanwhile is too old for alerts.
  if (own.outcome != detector::Recomputed::kOk || own.score.score_q8 < own.threshold_q8) {
    return std::optional<AlertBody>();
  }
  AlertBody alert;
  alert.event = key.event;
  alert.event_type = duty.event_type;
  alert.period = duty.period;
  alert.model_digest = key.model_digest;
  alert.score_q8 = own.score.score_q8;
  alert.threshold_q8 = own.threshold_q8;
  alert.component = static_cast<uint32_t>(own.score.component);
  for (const detector::Reason& reason : own.score.reasons) {
    alert.reasons.push_back({.feature = reason.feature, .bits_q8 = reason.bits_q8});
  }
  alert.event_leaf = ledger::LeafHash(event.bytes);
  SetAnchor(*executed, event, &alert);
  return std::optional<AlertBody>(alert);
}

// Nothing when the match is no longer remembered: then others do not know it either.
absl::StatusOr<std::optional<AlertBody>> DetectDriver::MakeRuleAlert(
    const ProposeKey& key, const ProposeDuty& duty, const BlockEventView& event) const {
  const detector::RuleMatch* const match =
      stream_->matcher().Find(key.event.record_index.value(), key.event.item.value(), duty.rule);
  ASSIGN_OR_RETURN(const ledger::RuleSetPtr rules,
                   rules_.At(port_->Reader()->state(), duty.height));
  const detector::Rule* const rule = rules->Find(duty.rule);
  if (match == nullptr || rule == nullptr) return std::optional<AlertBody>();
  AlertBody alert;
  alert.event = key.event;
  alert.event_type = static_cast<uint32_t>(match->type);  // Not what a liar may have said.
  alert.model_digest = key.model_digest;
  alert.score_q8 = rule->score_q8;
  alert.threshold_q8 = rule->score_q8;
  alert.component = ledger::kRuleComponent;
  alert.event_leaf = ledger::LeafHash(event.bytes);
  alert.rule = match->rule;
  alert.rules_digest = AsHash(rules->digest);
  alert.entity_kind = static_cast<uint32_t>(match->entity);
  alert.observed = match->observed;
  return std::optional<AlertBody>(alert);
}

absl::StatusOr<std::optional<bool>> DetectDriver::AgreesWithRule(const AlertInfo& alert,
                                                                 Height event_height) const {
  const detector::RuleMatcher& matcher = stream_->matcher();
  if (event_height.value() < matcher.complete_from() || event_height > stream_->height()) {
    return std::optional<bool>();
  }
  ASSIGN_OR_RETURN(const ledger::RuleSetPtr rules,
                   rules_.At(port_->Reader()->state(), event_height));
  const detector::RuleMatch* const match =
      matcher.Find(alert.event.record_index.value(), alert.event.item.value(), alert.rule);
  const detector::Rule* const rule = rules->Find(alert.rule);
  if (match == nullptr || rule == nullptr) return std::optional<bool>(false);
  return std::optional<bool>(
      alert.rules_digest == AsHash(rules->digest) &&
      alert.model_digest == ledger::RuleDigestOf(alert.rules_digest, alert.rule) &&
      alert.score_q8 == rule->score_q8 && alert.threshold_q8 == rule->score_q8 &&
      alert.event_type == static_cast<uint32_t>(match->type) &&
      alert.entity_kind == static_cast<uint32_t>(match->entity) &&
      alert.observed == match->observed && alert.reasons.empty());
}

// This validator's own verdict, if not of keys that it had in an earlier epoch.
std::optional<ledger::AlertVerdict> DetectDriver::OwnVerdict(const ChainReader& reader,
                                                             const AlertInfo& alert) const {
  const ledger::StateView view(&reader.state());
  for (const ledger::AlertVerdict& verdict : alert.verdicts) {
    if (verdict.validator != identity_) continue;
    const bool stands = alert.state != ledger::AlertState::kProposed ||
                        ledger::Counts(*genesis_, view, identity_, verdict.record_index);
    if (stands) return verdict;
  }
  return std::nullopt;
}

// Whether an earlier epoch left the alert open, and what was said of it is enough for this one:
// then somebody has to say it again (ledger/state/alerts.h).
bool DetectDriver::IsToBeSaidAgain(const ChainReader& reader, const AlertInfo& alert) const {
  const ledger::StateView view(&reader.state());
  return alert.state == ledger::AlertState::kProposed && alert.height <= genesis_->epoch_base &&
         ledger::Decide(*genesis_, ledger::VoicesOn(*genesis_, view, alert.index));
}

absl::StatusOr<bool> DetectDriver::Judge(const ChainReader& reader) {
  if (judged_at_ == stream_->height() || under_way_.size() >= kUnderWayMax) return false;
  AttestationBody body;
  UnderWay sent;
  bool worked = false;
  for (auto duty = duties_.judgements.begin();
       duty != duties_.judgements.end() && sent.judgements.size() < kJudgementsPerRecordMax;) {
    const RecordIndex index = duty->first;
    JudgeDuty& judge = duty->second;
    if (!MayTry(judge.attempt)) {
      ++duty;
      continue;
    }
    worked = true;
    ASSIGN_OR_RETURN(const AlertInfo alert, reader.GetAlert(index));
    const std::optional<ledger::AlertVerdict> own = OwnVerdict(reader, alert);
    std::optional<Attestation> verdict;
    if (!own.has_value()) {
      ASSIGN_OR_RETURN(verdict, Verdict(reader, alert));
    } else if (IsToBeSaidAgain(reader, alert)) {
      verdict = {.alert_index = index, .verdict = own->verdict, .score_q8 = own->score_q8};
      body.epoch = genesis_->epoch.value();
    }
    if (verdict.has_value()) {
      body.attestations.push_back(*verdict);
      sent.judgements.push_back(index);
      sent.disputes += verdict->verdict == kDispute ? 1 : 0;
      judge.attempt.under_way = true;
    } else if (own.has_value() || port_->tip() - judge.height > kJudgePatienceHeights) {
      duty = duties_.judgements.erase(duty);
      continue;
    } else {
      judge.attempt.not_before_micros = port_->NowMicros() + kModelWaitMicros;
    }
    ++duty;
  }
  if (sent.judgements.empty()) return worked;
  judged_at_ = stream_->height();
  Send(body, std::move(sent));
  return true;
}

absl::StatusOr<std::optional<Attestation>> DetectDriver::Verdict(const ChainReader& reader,
                                                                 const AlertInfo& alert) {
  ASSIGN_OR_RETURN(const ledger::BlockInfo block, reader.BlockOfRecord(alert.event.record_index));
  // Whoever cannot see the event says nothing about it.
  ASSIGN_OR_RETURN(const ExecutedPtr executed, LoadReadable(block.height));
  if (executed == nullptr) return std::optional<Attestation>();
  ASSIGN_OR_RETURN(const BlockEventView event, EventAt(*executed, alert.event));
  ASSIGN_OR_RETURN(const std::optional<bool> anchored,
                   AgreesWithAnchor(reader, alert, *executed, event));
  if (!anchored.has_value()) return std::optional<Attestation>();
  const bool same_event = *anchored && ledger::LeafHash(event.bytes) == alert.event_leaf;
  if (alert.component == ledger::kRuleComponent) {
    ASSIGN_OR_RETURN(const std::optional<bool> agrees, AgreesWithRule(alert, block.height));
    if (!agrees.has_value()) return std::optional<Attestation>();
    const bool confirms = *agrees && same_event && alert.values_commitment.IsZero();
    return std::optional<Attestation>(Attestation{.alert_index = alert.index,
                                                  .verdict = confirms ? kConfirm : kDispute,
                                                  .score_q8 = *agrees ? alert.score_q8 : 0});
  }
  const detector::Recomputation own = stream_->Recompute(event.view, alert.model_digest.bytes);
  if (own.outcome == detector::Recomputed::kUnknownModel) return std::optional<Attestation>();
  const bool same =
      own.outcome == detector::Recomputed::kOk && own.score.score_q8 == alert.score_q8 &&
      own.threshold_q8 == alert.threshold_q8 && own.score.score_q8 >= own.threshold_q8 &&
      static_cast<uint32_t>(own.score.component) == alert.component &&
      SameReasons(alert.reasons, own.score.reasons) && same_event &&
      alert.values_commitment.IsZero();
  return std::optional<Attestation>(Attestation{.alert_index = alert.index,
                                                .verdict = same ? kConfirm : kDispute,
                                                .score_q8 = own.score.score_q8});
}

std::optional<int64_t> DetectDriver::DeadlineMicros() const {
  std::optional<int64_t> deadline;
  const auto consider = [&](const Attempt& attempt) {
    if (attempt.under_way || attempt.not_before_micros == 0) return;
    deadline = std::min(deadline.value_or(attempt.not_before_micros), attempt.not_before_micros);
  };
  for (const auto& [key, duty] : duties_.proposals) consider(duty.attempt);
  for (const auto& [key, duty] : duties_.judgements) consider(duty.attempt);
  for (const auto& [key, duty] : duties_.commitments) consider(duty.attempt);
  for (const auto& [key, duty] : duties_.accusations) consider(duty.attempt);
  return deadline;
}

}  // namespace vigil::node
