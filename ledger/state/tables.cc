#include "ledger/state/tables.h"

#include "ledger/base/limits.h"

namespace vigil::ledger {

namespace {

constexpr size_t kIdentityBytesMax = 2 * kNameBytesMax + 1;
constexpr uint32_t kReasonsMax = 64;

// Makes Finish() fail: the value holds a number that no version of us writes.
void Refuse(ByteReader* reader) { reader->Raw(reader->remaining() + 1); }

std::string StartKey(Table table) { return std::string(1, static_cast<char>(table)); }

// Sorts of rows in kIncidentIndex. Stored: never renumber.
constexpr uint8_t kAlertOfIncident = 1;
constexpr uint8_t kIncidentOfEvent = 2;
constexpr uint8_t kIncidentInState = 3;

}  // namespace

bool IsAdmissionKey(absl::string_view state_key) {
  if (state_key.empty()) return false;
  switch (static_cast<Table>(state_key[0])) {
    case Table::kKey:
    case Table::kStreamHead:
    case Table::kStreamReset:
    case Table::kAlertOfEvent:
    case Table::kVerdict:
    case Table::kModelCommitment:
    case Table::kTriage:
    case Table::kFault:
    case Table::kContestedAlert:
    case Table::kProposal:
    case Table::kBallot:
    case Table::kApprovedSet:
    case Table::kOpenProposal:
    case Table::kCosignerKey:
      return true;
    case Table::kEpoch:
    case Table::kRules:
    case Table::kActiveRules:
    case Table::kStreamSequence:
    case Table::kStreamRecord:
    case Table::kAlert:
    case Table::kAlertInState:
    case Table::kModel:
    case Table::kActiveModel:
    case Table::kTriageStep:
    case Table::kTriageTotals:
    case Table::kAlertRule:
    case Table::kModelAlerts:
    case Table::kAlertAnchor:
    case Table::kIncident:
    case Table::kIncidentIndex:
      return false;
  }
  return false;
}

void KeyRow::Encode(ByteWriter* writer) const {
  writer->Prefixed(identity).Prefixed(org).U32(roles).Fixed(key).U64(enrolled_at.value());
}

KeyRow KeyRow::Decode(ByteReader* reader) {
  KeyRow row;
  row.identity = ToString(reader->Prefixed(kIdentityBytesMax));
  row.org = ToString(reader->Prefixed(kNameBytesMax));
  row.roles = reader->U32();
  row.key = reader->FixedValue<PublicKey>();
  row.enrolled_at = RecordIndex(reader->U64());
  return row;
}

void StreamHeadRow::Encode(ByteWriter* writer) const {
  writer->U64(sequence).Fixed(leaf_hash).U64(record_index.value());
}

StreamHeadRow StreamHeadRow::Decode(ByteReader* reader) {
  StreamHeadRow row;
  row.sequence = reader->U64();
  row.leaf_hash = reader->ReadHash();
  row.record_index = RecordIndex(reader->U64());
  return row;
}

void IndexRow::Encode(ByteWriter* writer) const { writer->U64(index.value()); }

IndexRow IndexRow::Decode(ByteReader* reader) { return {.index = RecordIndex(reader->U64())}; }

void StreamRecordRow::Encode(ByteWriter* writer) const {
  writer->Fixed(leaf_hash).U32(item_count).Fixed(items_root).Prefixed(org);
}

StreamRecordRow StreamRecordRow::Decode(ByteReader* reader) {
  StreamRecordRow row;
  row.leaf_hash = reader->ReadHash();
  row.item_count = reader->U32();
  row.items_root = reader->ReadHash();
  row.org = ToString(reader->Prefixed(kNameBytesMax));
  return row;
}

void EpochRow::Encode(ByteWriter* writer) const {
  writer->U64(base.value()).U64(proposal.value()).Prefixed(set).Prefixed(addresses);
}

EpochRow EpochRow::Decode(ByteReader* reader) {
  EpochRow row;
  row.base = Height(reader->U64());
  row.proposal = RecordIndex(reader->U64());
  row.set = ToString(reader->Prefixed(kRecordBodyBytesMax));
  row.addresses = ToString(reader->Prefixed(kRecordBodyBytesMax));
  return row;
}

absl::string_view ProposalStateName(ProposalState state) {
  switch (state) {
    case ProposalState::kOpen:
      return "open";
    case ProposalState::kApproved:
      return "approved";
    case ProposalState::kRejected:
      return "rejected";
    case ProposalState::kLapsed:
      return "lapsed";
    case ProposalState::kSealed:
      return "sealed";
    case ProposalState::kActivated:
      return "activated";
  }
  return "?";
}

absl::string_view ProposalSubjectName(ProposalSubject subject) {
  return subject == ProposalSubject::kRules ? "rules" : "validators";
}

void ProposalRow::Encode(ByteWriter* writer) const {
  writer->U8(static_cast<uint8_t>(state)).U64(epoch).Prefixed(org).Prefixed(by);
  writer->Prefixed(next_set).Prefixed(addresses).Prefixed(reason);
  writer->U32(approve_count).U32(reject_count).U64(height.value()).U64(closed_height.value());
  writer->Prefixed(rules).Fixed(replaced_rules);
}

ProposalRow ProposalRow::Decode(ByteReader* reader) {
  ProposalRow row;
  const uint8_t state = reader->U8();
  row.state = static_cast<ProposalState>(state);
  row.epoch = reader->U64();
  row.org = ToString(reader->Prefixed(kNameBytesMax));
  row.by = ToString(reader->Prefixed(kIdentityBytesMax));
  row.next_set = ToString(reader->Prefixed(kRecordBodyBytesMax));
  row.addresses = ToString(reader->Prefixed(kRecordBodyBytesMax));
  row.reason = ToString(reader->Prefixed(kRecordBodyBytesMax));
  row.approve_count = reader->U32();
  row.reject_count = reader->U32();
  row.height = Height(reader->U64());
  row.closed_height = Height(reader->U64());
  row.rules = ToString(reader->Prefixed(kRecordBodyBytesMax));
  row.replaced_rules = reader->ReadHash();
  if (state < 1 || state > static_cast<uint8_t>(ProposalState::kActivated)) Refuse(reader);
  if (row.rules.empty() == row.next_set.empty()) Refuse(reader);
  return row;
}

void RulesRow::Encode(ByteWriter* writer) const {
  writer->U64(active_from.value()).U64(first_index.value()).U64(proposal.value()).Fixed(digest);
}

RulesRow RulesRow::Decode(ByteReader* reader) {
  RulesRow row;
  row.active_from = Height(reader->U64());
  row.first_index = RecordIndex(reader->U64());
  row.proposal = RecordIndex(reader->U64());
  row.digest = reader->ReadHash();
  return row;
}

void ActiveRulesRow::Encode(ByteWriter* writer) const { writer->U64(number); }

ActiveRulesRow ActiveRulesRow::Decode(ByteReader* reader) { return {.number = reader->U64()}; }

void BallotRow::Encode(ByteWriter* writer) const {
  writer->U8(static_cast<uint8_t>(choice)).Prefixed(by);
  writer->U64(record_index.value()).U64(height.value());
}

BallotRow BallotRow::Decode(ByteReader* reader) {
  BallotRow row;
  const uint8_t choice = reader->U8();
  row.choice = static_cast<BallotChoice>(choice);
  row.by = ToString(reader->Prefixed(kIdentityBytesMax));
  row.record_index = RecordIndex(reader->U64());
  row.height = Height(reader->U64());
  if (choice < 1 || choice > static_cast<uint8_t>(BallotChoice::kReject)) Refuse(reader);
  return row;
}

void CosignerKeyRow::Encode(ByteWriter* writer) const {
  writer->U32(number).Fixed(key).U64(record_index.value());
}
CosignerKeyRow CosignerKeyRow::Decode(ByteReader* reader) {
  CosignerKeyRow row;
  row.number = reader->U32();
  row.key = reader->FixedValue<PublicKey>();
  row.record_index = RecordIndex(reader->U64());
  return row;
}

void ApprovedSetRow::Encode(ByteWriter* writer) const {
  writer->U64(proposal.value()).U64(height.value()).Prefixed(set);
}
ApprovedSetRow ApprovedSetRow::Decode(ByteReader* reader) {
  ApprovedSetRow row;
  row.proposal = RecordIndex(reader->U64());
  row.height = Height(reader->U64());
  row.set = ToString(reader->Prefixed(kRecordBodyBytesMax));
  return row;
}

void AlertRow::Encode(ByteWriter* writer) const {
  writer->U64(height.value()).U8(static_cast<uint8_t>(state)).Prefixed(proposer);
  writer->U64(event.record_index.value()).U32(event.item.value());
  writer->U32(event_type).U64(period).Fixed(model_digest);
  writer->U32(score_q8).U32(threshold_q8).U32(component);
  writer->U32(static_cast<uint32_t>(reasons.size()));
  for (const AlertReason& reason : reasons) writer->U32(reason.feature).U32(reason.bits_q8);
  writer->Fixed(event_leaf).Fixed(values_commitment);
  writer->U32(confirm_count).U32(dispute_count).U64(confirmed_height.value());
}

AlertRow AlertRow::Decode(ByteReader* reader) {
  AlertRow row;
  row.height = Height(reader->U64());
  const uint8_t state = reader->U8();
  row.state = static_cast<AlertState>(state);
  row.proposer = ToString(reader->Prefixed(kIdentityBytesMax));
  row.event.record_index = RecordIndex(reader->U64());
  row.event.item = ItemIndex(reader->U32());
  row.event_type = reader->U32();
  row.period = reader->U64();
  row.model_digest = reader->ReadHash();
  row.score_q8 = reader->U32();
  row.threshold_q8 = reader->U32();
  row.component = reader->U32();
  const uint32_t reason_count = reader->U32();
  // A hostile count leaves bytes over, which Finish() refuses.
  for (uint32_t i = 0; i < reason_count && i < kReasonsMax && reader->ok(); ++i) {
    AlertReason reason;
    reason.feature = reader->U32();
    reason.bits_q8 = reader->U32();
    row.reasons.push_back(reason);
  }
  row.event_leaf = reader->ReadHash();
  row.values_commitment = reader->ReadHash();
  row.confirm_count = reader->U32();
  row.dispute_count = reader->U32();
  row.confirmed_height = Height(reader->U64());
  if (state < 1 || state > static_cast<uint8_t>(AlertState::kContested)) Refuse(reader);
  return row;
}

void AlertRuleRow::Encode(ByteWriter* writer) const {
  writer->U32(rule).Fixed(rules_digest).U32(entity_kind).U64(observed);
}

AlertRuleRow AlertRuleRow::Decode(ByteReader* reader) {
  AlertRuleRow row;
  row.rule = reader->U32();
  row.rules_digest = reader->ReadHash();
  row.entity_kind = reader->U32();
  row.observed = reader->U64();
  return row;
}

void AlertAnchorRow::Encode(ByteWriter* writer) const {
  writer->U32(kind).U64(anchor.record_index.value()).U32(anchor.item.value());
  writer->U64(incident.value());
}

AlertAnchorRow AlertAnchorRow::Decode(ByteReader* reader) {
  AlertAnchorRow row;
  row.kind = reader->U32();
  row.anchor.record_index = RecordIndex(reader->U64());
  row.anchor.item = ItemIndex(reader->U32());
  row.incident = RecordIndex(reader->U64());
  return row;
}

void IncidentRow::Encode(ByteWriter* writer) const {
  writer->U32(kind).U64(anchor.record_index.value()).U32(anchor.item.value()).Prefixed(org);
  writer->U64(opened_height.value()).U64(opened_millis);
  writer->U64(last_height.value()).U64(last_millis);
  writer->U32(alert_count).U32(closed_count).U32(score_q8_max);
}

IncidentRow IncidentRow::Decode(ByteReader* reader) {
  IncidentRow row;
  row.kind = reader->U32();
  row.anchor.record_index = RecordIndex(reader->U64());
  row.anchor.item = ItemIndex(reader->U32());
  row.org = ToString(reader->Prefixed(kNameBytesMax));
  row.opened_height = Height(reader->U64());
  row.opened_millis = reader->U64();
  row.last_height = Height(reader->U64());
  row.last_millis = reader->U64();
  row.alert_count = reader->U32();
  row.closed_count = reader->U32();
  row.score_q8_max = reader->U32();
  if (row.closed_count > row.alert_count) Refuse(reader);
  return row;
}

void VerdictRow::Encode(ByteWriter* writer) const {
  writer->U8(static_cast<uint8_t>(verdict)).U32(score_q8).U64(record_index.value());
}

VerdictRow VerdictRow::Decode(ByteReader* reader) {
  VerdictRow row;
  const uint8_t verdict = reader->U8();
  row.verdict = static_cast<Verdict>(verdict);
  row.score_q8 = reader->U32();
  row.record_index = RecordIndex(reader->U64());
  if (verdict < 1 || verdict > static_cast<uint8_t>(Verdict::kDispute)) Refuse(reader);
  return row;
}

void FaultRow::Encode(ByteWriter* writer) const {
  writer->U8(static_cast<uint8_t>(fault)).U32(score_q8).U32(threshold_q8).U32(component);
  writer->U64(record_index.value()).U64(height.value());
}

FaultRow FaultRow::Decode(ByteReader* reader) {
  FaultRow row;
  const uint8_t fault = reader->U8();
  row.fault = static_cast<AlertFault>(fault);
  row.score_q8 = reader->U32();
  row.threshold_q8 = reader->U32();
  row.component = reader->U32();
  row.record_index = RecordIndex(reader->U64());
  row.height = Height(reader->U64());
  if (fault < 1 || fault > static_cast<uint8_t>(AlertFault::kRule)) Refuse(reader);
  return row;
}

void ModelAlertsRow::Encode(ByteWriter* writer) const {
  writer->U64(raised).U64(confirmed).U64(contested);
}

ModelAlertsRow ModelAlertsRow::Decode(ByteReader* reader) {
  ModelAlertsRow row;
  row.raised = reader->U64();
  row.confirmed = reader->U64();
  row.contested = reader->U64();
  return row;
}

void TriageRow::Encode(ByteWriter* writer) const {
  writer->U64(revision).U8(static_cast<uint8_t>(state)).Prefixed(assignee);
  writer->U8(static_cast<uint8_t>(verdict));
}

TriageRow TriageRow::Decode(ByteReader* reader) {
  TriageRow row;
  row.revision = reader->U64();
  const uint8_t state = reader->U8();
  row.state = static_cast<TriageState>(state);
  row.assignee = ToString(reader->Prefixed(kIdentityBytesMax));
  const uint8_t verdict = reader->U8();
  row.verdict = static_cast<TriageVerdict>(verdict);
  if (state > static_cast<uint8_t>(TriageState::kClosed)) Refuse(reader);
  if (verdict > static_cast<uint8_t>(TriageVerdict::kExpected)) Refuse(reader);
  return row;
}

void TriageStepRow::Encode(ByteWriter* writer) const {
  writer->U8(static_cast<uint8_t>(action)).Prefixed(by).Prefixed(assignee);
  writer->U8(static_cast<uint8_t>(verdict)).U64(record_index.value()).U64(height.value());
}

TriageStepRow TriageStepRow::Decode(ByteReader* reader) {
  TriageStepRow row;
  const uint8_t action = reader->U8();
  row.action = static_cast<TriageAction>(action);
  row.by = ToString(reader->Prefixed(kIdentityBytesMax));
  row.assignee = ToString(reader->Prefixed(kIdentityBytesMax));
  const uint8_t verdict = reader->U8();
  row.verdict = static_cast<TriageVerdict>(verdict);
  row.record_index = RecordIndex(reader->U64());
  row.height = Height(reader->U64());
  if (action < 1 || action > static_cast<uint8_t>(TriageAction::kReopen)) Refuse(reader);
  if (verdict > static_cast<uint8_t>(TriageVerdict::kExpected)) Refuse(reader);
  return row;
}

uint64_t& TriageTotalsRow::Of(TriageVerdict verdict) {
  switch (verdict) {
    case TriageVerdict::kTruePositive:
      return true_positive;
    case TriageVerdict::kFalsePositive:
      return false_positive;
    default:
      return expected;
  }
}

void TriageTotalsRow::Encode(ByteWriter* writer) const {
  writer->U64(true_positive).U64(false_positive).U64(expected);
}

TriageTotalsRow TriageTotalsRow::Decode(ByteReader* reader) {
  TriageTotalsRow row;
  row.true_positive = reader->U64();
  row.false_positive = reader->U64();
  row.expected = reader->U64();
  return row;
}

void ModelStatement::Encode(ByteWriter* writer) const {
  writer->U64(window_end.value()).Fixed(digest).U32(row_count).Fixed(window_digest);
  writer->U32(threshold_q8).U64(event_count);
}

ModelStatement ModelStatement::Decode(ByteReader* reader) {
  ModelStatement statement;
  statement.window_end = Height(reader->U64());
  statement.digest = reader->ReadHash();
  statement.row_count = reader->U32();
  statement.window_digest = reader->ReadHash();
  statement.threshold_q8 = reader->U32();
  statement.event_count = reader->U64();
  return statement;
}

void DriftStatement::Encode(ByteWriter* writer) const {
  writer->U64(period).U8(static_cast<uint8_t>(drifted.size()));
  for (const DriftedFeature& feature : drifted) writer->U32(feature.feature).U32(feature.psi_q8);
}

DriftStatement DriftStatement::Decode(ByteReader* reader) {
  DriftStatement drift;
  drift.period = reader->U64();
  const size_t count = reader->U8();
  if (count > kDriftedMax || (count > 0 && drift.period == 0)) Refuse(reader);
  for (size_t i = 0; i < count && reader->ok(); ++i) {
    DriftedFeature& feature = drift.drifted.emplace_back();
    feature.feature = reader->U32();
    feature.psi_q8 = reader->U32();
  }
  return drift;
}

void CommitmentRow::Encode(ByteWriter* writer) const {
  statement.Encode(writer);
  drift.Encode(writer);
  writer->U64(record_index.value());
}

CommitmentRow CommitmentRow::Decode(ByteReader* reader) {
  CommitmentRow row;
  row.statement = ModelStatement::Decode(reader);
  row.drift = DriftStatement::Decode(reader);
  row.record_index = RecordIndex(reader->U64());
  return row;
}

void ModelRow::Encode(ByteWriter* writer) const {
  statement.Encode(writer);
  writer->U64(active_from.value());
  drift.Encode(writer);
  writer->U64(drift_height.value());
}

ModelRow ModelRow::Decode(ByteReader* reader) {
  ModelRow row;
  row.statement = ModelStatement::Decode(reader);
  row.active_from = Height(reader->U64());
  row.drift = DriftStatement::Decode(reader);
  row.drift_height = Height(reader->U64());
  return row;
}

void ActiveModelRow::Encode(ByteWriter* writer) const { writer->U64(period).U64(previous_period); }

ActiveModelRow ActiveModelRow::Decode(ByteReader* reader) {
  ActiveModelRow row;
  row.period = reader->U64();
  row.previous_period = reader->U64();
  return row;
}

std::string KeyKey(const KeyId& key) {
  std::string bytes = StartKey(Table::kKey);
  ByteWriter(&bytes).Fixed(key);
  return bytes;
}

std::string CosignerKeyKey(absl::string_view identity) {
  std::string bytes = StartKey(Table::kCosignerKey);
  ByteWriter(&bytes).Prefixed(identity);
  return bytes;
}

std::string StreamHeadKey(absl::string_view identity, absl::string_view stream) {
  std::string bytes = StartKey(Table::kStreamHead);
  ByteWriter(&bytes).Prefixed(identity).Prefixed(stream);
  return bytes;
}

std::string StreamResetKey(const Hash& leaf_hash) {
  std::string bytes = StartKey(Table::kStreamReset);
  ByteWriter(&bytes).Fixed(leaf_hash);
  return bytes;
}

std::string StreamSequenceKey(absl::string_view identity, absl::string_view stream,
                              uint64_t sequence) {
  std::string bytes = StartKey(Table::kStreamSequence);
  ByteWriter(&bytes).Prefixed(identity).Prefixed(stream).U64(sequence);
  return bytes;
}

std::string StreamRecordKey(RecordIndex index) {
  std::string bytes = StartKey(Table::kStreamRecord);
  ByteWriter(&bytes).U64(index.value());
  return bytes;
}

std::string AlertKey(RecordIndex alert) {
  std::string bytes = StartKey(Table::kAlert);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string AlertOfEventKey(const EventRef& event, const Hash& model_digest) {
  std::string bytes = StartKey(Table::kAlertOfEvent);
  ByteWriter(&bytes).U64(event.record_index.value()).U32(event.item.value()).Fixed(model_digest);
  return bytes;
}

std::string ContestedAlertKey(const EventRef& event, const Hash& model_digest,
                              absl::string_view author) {
  std::string bytes = StartKey(Table::kContestedAlert);
  ByteWriter(&bytes).U64(event.record_index.value()).U32(event.item.value()).Fixed(model_digest);
  ByteWriter(&bytes).Prefixed(author);
  return bytes;
}

std::string AlertInStateKey(AlertState state, RecordIndex alert) {
  std::string bytes = StartKey(Table::kAlertInState);
  ByteWriter(&bytes).U8(static_cast<uint8_t>(state)).U64(alert.value());
  return bytes;
}

std::string AlertRuleKey(RecordIndex alert) {
  std::string bytes = StartKey(Table::kAlertRule);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string EpochKey(Epoch number) {
  std::string bytes = StartKey(Table::kEpoch);
  ByteWriter(&bytes).U64(number.value());
  return bytes;
}

std::string ProposalKey(RecordIndex proposal) {
  std::string bytes = StartKey(Table::kProposal);
  ByteWriter(&bytes).U64(proposal.value());
  return bytes;
}

std::string BallotPrefix(RecordIndex proposal) {
  std::string bytes = StartKey(Table::kBallot);
  ByteWriter(&bytes).U64(proposal.value());
  return bytes;
}

std::string BallotKey(RecordIndex proposal, absl::string_view org) {
  std::string bytes = BallotPrefix(proposal);
  ByteWriter(&bytes).Prefixed(org);
  return bytes;
}

std::string ApprovedSetKey() { return StartKey(Table::kApprovedSet); }

std::string OpenProposalKey(absl::string_view org, ProposalSubject subject) {
  std::string bytes = StartKey(Table::kOpenProposal);
  ByteWriter(&bytes).Prefixed(org).U8(static_cast<uint8_t>(subject));
  return bytes;
}

std::string RulesKey(uint64_t number) {
  std::string bytes = StartKey(Table::kRules);
  ByteWriter(&bytes).U64(number);
  return bytes;
}

std::string ActiveRulesKey() { return StartKey(Table::kActiveRules); }

std::string AlertAnchorKey(RecordIndex alert) {
  std::string bytes = StartKey(Table::kAlertAnchor);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string IncidentKey(RecordIndex incident) {
  std::string bytes = StartKey(Table::kIncident);
  ByteWriter(&bytes).U64(incident.value());
  return bytes;
}

std::string IncidentAlertPrefix(RecordIndex incident) {
  std::string bytes = StartKey(Table::kIncidentIndex);
  ByteWriter(&bytes).U8(kAlertOfIncident).U64(incident.value());
  return bytes;
}

std::string IncidentAlertKey(RecordIndex incident, RecordIndex alert) {
  std::string bytes = IncidentAlertPrefix(incident);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string IncidentOfEventKey(uint32_t kind, const EventRef& event) {
  std::string bytes = StartKey(Table::kIncidentIndex);
  ByteWriter(&bytes).U8(kIncidentOfEvent).U8(static_cast<uint8_t>(kind));
  ByteWriter(&bytes).U64(event.record_index.value()).U32(event.item.value());
  return bytes;
}

std::string IncidentInStatePrefix(bool closed) {
  std::string bytes = StartKey(Table::kIncidentIndex);
  ByteWriter(&bytes).U8(kIncidentInState).U8(closed ? 1 : 0);
  return bytes;
}

std::string IncidentInStateKey(bool closed, RecordIndex incident) {
  std::string bytes = IncidentInStatePrefix(closed);
  ByteWriter(&bytes).U64(incident.value());
  return bytes;
}

std::string VerdictPrefix(RecordIndex alert) {
  std::string bytes = StartKey(Table::kVerdict);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string VerdictKey(RecordIndex alert, absl::string_view identity) {
  std::string bytes = VerdictPrefix(alert);
  ByteWriter(&bytes).Prefixed(identity);
  return bytes;
}

std::string FaultPrefix(RecordIndex alert) {
  std::string bytes = StartKey(Table::kFault);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string FaultKey(RecordIndex alert, absl::string_view identity) {
  std::string bytes = FaultPrefix(alert);
  ByteWriter(&bytes).Prefixed(identity);
  return bytes;
}

std::string ModelAlertsKey(uint32_t event_type, uint64_t period) {
  std::string bytes = StartKey(Table::kModelAlerts);
  ByteWriter(&bytes).U32(event_type).U64(period);
  return bytes;
}

std::string TriageKey(RecordIndex alert) {
  std::string bytes = StartKey(Table::kTriage);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string TriageStepPrefix(RecordIndex alert) {
  std::string bytes = StartKey(Table::kTriageStep);
  ByteWriter(&bytes).U64(alert.value());
  return bytes;
}

std::string TriageStepKey(RecordIndex alert, uint64_t revision) {
  std::string bytes = TriageStepPrefix(alert);
  ByteWriter(&bytes).U64(revision);
  return bytes;
}

std::string TriageTotalsKey(uint32_t event_type, uint32_t component) {
  std::string bytes = StartKey(Table::kTriageTotals);
  ByteWriter(&bytes).U32(event_type).U32(component);
  return bytes;
}

std::string ModelCommitmentPrefix(uint64_t period, uint32_t event_type) {
  std::string bytes = StartKey(Table::kModelCommitment);
  ByteWriter(&bytes).U64(period).U32(event_type);
  return bytes;
}

std::string ModelCommitmentKey(uint64_t period, uint32_t event_type, absl::string_view identity) {
  std::string bytes = ModelCommitmentPrefix(period, event_type);
  ByteWriter(&bytes).Prefixed(identity);
  return bytes;
}

std::string ModelKey(uint32_t event_type, uint64_t period) {
  std::string bytes = StartKey(Table::kModel);
  ByteWriter(&bytes).U32(event_type).U64(period);
  return bytes;
}

std::string ActiveModelKey(uint32_t event_type) {
  std::string bytes = StartKey(Table::kActiveModel);
  ByteWriter(&bytes).U32(event_type);
  return bytes;
}

std::string TablePrefix(Table table) { return StartKey(table); }

absl::StatusOr<std::string> IdentityAtEnd(absl::string_view key, size_t prefix_size) {
  if (key.size() < prefix_size) {
    return absl::DataLossError(
        absl::StrCat("state key of ", key.size(), " bytes, at least ", prefix_size));
  }
  ByteReader reader(key.substr(prefix_size));
  std::string identity = ToString(reader.Prefixed(kIdentityBytesMax));
  const absl::Status finished = reader.Finish("state key");
  if (!finished.ok()) return absl::DataLossError(finished.message());
  return identity;
}

std::string SpacePrefix(Space space) { return std::string(1, static_cast<char>(space)); }

std::string StoreStateKey(absl::string_view state_key) {
  return absl::StrCat(SpacePrefix(Space::kState), state_key);
}

std::string StoreChainKey() { return absl::StrCat(SpacePrefix(Space::kMeta), "chain"); }

std::string StoreTipKey() { return absl::StrCat(SpacePrefix(Space::kMeta), "tip"); }

std::string StoreNumberKey(Space space, uint64_t number) {
  std::string bytes = SpacePrefix(space);
  ByteWriter(&bytes).U64(number);
  return bytes;
}

std::string StoreHashKey(Space space, const Hash& hash) {
  std::string bytes = SpacePrefix(space);
  ByteWriter(&bytes).Fixed(hash);
  return bytes;
}

}  // namespace vigil::ledger
