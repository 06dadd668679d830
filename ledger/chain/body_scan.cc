#include <cstring>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/message_rules.h"
#include "ledger/chain/scanner.h"

// The tables of proto/vigil/v1/record.proto, index = tag, and what tables cannot say.
namespace vigil::ledger {
namespace {

using namespace internal;  // NOLINT: the vocabulary of the tables.

constexpr size_t kIdentityBytesMax = 2 * kNameBytesMax + 1;
constexpr size_t kReasonBytesMax = 256;
constexpr uint64_t kEventTypeMax = 5;
constexpr uint64_t kRuleNumberMax = 65'535;
constexpr uint64_t kEntityKindMax = 6;
constexpr uint32_t kAnchorSource = 1;
constexpr uint32_t kAnchorUser = 5;
constexpr uint32_t kAnchorHost = 6;

// Field 1 of every body. ScanBody() reads it itself.
constexpr FieldRule Author() { return Required(Bytes("author", KeyId::size(), KeyId::size())); }

constexpr FieldRule kEventBatchFields[] = {
    {},
    Author(),
    Required(Text("stream", kNameBytesMax, Store<&EventBatchBody::stream>)),
    Required(Number("sequence", kUint64Max, Store<&EventBatchBody::sequence>)),
    HashField("previous", Store<&EventBatchBody::previous>),
    Required(Number("item_count", kBatchItemsMax, Store<&EventBatchBody::item_count>)),
    Required(HashField("items_root", Store<&EventBatchBody::items_root>)),
    HashField("sealed_root", Store<&EventBatchBody::sealed_root>),
    Required(Time("first_time_unix_nano", Store<&EventBatchBody::first_time_unix_nano>)),
    Required(Time("last_time_unix_nano", Store<&EventBatchBody::last_time_unix_nano>)),
    Required(Number("payload_bytes", kPayloadBytesMax, Store<&EventBatchBody::payload_bytes>)),
};
constexpr MessageRules kEventBatch = MakeRules(kEventBatchFields);

constexpr FieldRule kHeartbeatFields[] = {
    {},
    Author(),
    Required(Text("stream", kNameBytesMax, Store<&HeartbeatBody::stream>)),
    Required(Number("sequence", kUint64Max, Store<&HeartbeatBody::sequence>)),
    HashField("previous", Store<&HeartbeatBody::previous>),
    Time("time_unix_nano", Store<&HeartbeatBody::time_unix_nano>),
};
constexpr MessageRules kHeartbeat = MakeRules(kHeartbeatFields);

constexpr FieldRule kGapFields[] = {
    {},
    Author(),
    Required(Text("stream", kNameBytesMax, Store<&GapBody::stream>)),
    Required(Number("sequence", kUint64Max, Store<&GapBody::sequence>)),
    HashField("previous", Store<&GapBody::previous>),
    Number("lost_count", kUint64Max, Store<&GapBody::lost_count>),
    Time("from_unix_nano", Store<&GapBody::from_unix_nano>),
    Time("to_unix_nano", Store<&GapBody::to_unix_nano>),
    Text("reason", kReasonBytesMax, Store<&GapBody::reason>),
};
constexpr MessageRules kGap = MakeRules(kGapFields);

constexpr FieldRule kStreamResetFields[] = {
    {},
    Author(),
    Required(Text("identity", kIdentityBytesMax, Store<&StreamResetBody::identity>)),
    Required(Text("stream", kNameBytesMax, Store<&StreamResetBody::stream>)),
    Number("head_sequence", kUint64Max, Store<&StreamResetBody::head_sequence>),
    Required(Text("reason", kReasonBytesMax, Store<&StreamResetBody::reason>)),
};
constexpr MessageRules kStreamReset = MakeRules(kStreamResetFields);

constexpr FieldRule kEventRefFields[] = {
    {},
    Number("record_index", kUint64Max, Store<&EventRef::record_index>),
    Number("item", kBatchItemsMax - 1, Store<&EventRef::item>),
};
constexpr MessageRules kEventRef = MakeRules(kEventRefFields);

constexpr FieldRule kAlertReasonFields[] = {
    {},
    Number("feature", kUint32Max, Store<&AlertReason::feature>),
    Number("bits_q8", kUint32Max, Store<&AlertReason::bits_q8>),
};
constexpr MessageRules kAlertReason = MakeRules(kAlertReasonFields);

void* EnterEvent(void* out, uint32_t) { return &static_cast<AlertBody*>(out)->event; }
void* EnterReason(void* out, uint32_t) {
  return &static_cast<AlertBody*>(out)->reasons.emplace_back();
}
void* EnterAttestation(void* out, uint32_t) {
  return &static_cast<AttestationBody*>(out)->attestations.emplace_back();
}

void StoreAnchorRecord(void* out, uint64_t number, ByteSpan) {
  static_cast<AlertBody*>(out)->anchor.record_index = RecordIndex(number);
}
void StoreAnchorItem(void* out, uint64_t number, ByteSpan) {
  static_cast<AlertBody*>(out)->anchor.item = ItemIndex(static_cast<uint32_t>(number));
}

// The reference to item 0 of record 0 has no field to write: the one message that may be empty.
constexpr FieldRule AlertEvent() {
  FieldRule rule = Required(Message("event", &kEventRef, EnterEvent));
  rule.may_be_empty = true;
  return rule;
}

constexpr FieldRule kAlertFields[] = {
    {},
    Author(),
    AlertEvent(),
    Required(Number("event_type", kEventTypeMax, Store<&AlertBody::event_type>)),
    Number("period", kUint64Max, Store<&AlertBody::period>),
    Required(HashField("model_digest", Store<&AlertBody::model_digest>)),
    Number("score_q8", kUint32Max, Store<&AlertBody::score_q8>),
    Number("threshold_q8", kUint32Max, Store<&AlertBody::threshold_q8>),
    Required(Number("component", kRuleComponent, Store<&AlertBody::component>)),
    Repeated(Message("reasons", &kAlertReason, EnterReason), 5),
    Required(HashField("event_leaf", Store<&AlertBody::event_leaf>)),
    HashField("values_commitment", Store<&AlertBody::values_commitment>),
    Number("rule", kRuleNumberMax, Store<&AlertBody::rule>),
    HashField("rules_digest", Store<&AlertBody::rules_digest>),
    Number("entity_kind", kEntityKindMax, Store<&AlertBody::entity_kind>),
    Number("observed", kUint64Max, Store<&AlertBody::observed>),
    Number("anchor_record", kUint64Max, StoreAnchorRecord),
    Number("anchor_item", kBatchItemsMax - 1, StoreAnchorItem),
    Number("anchor_kind", kEntityKindMax, Store<&AlertBody::anchor_kind>),
};
constexpr MessageRules kAlert = MakeRules(kAlertFields);

constexpr FieldRule kVerdictFields[] = {
    {},
    Number("alert_index", kUint64Max, Store<&Attestation::alert_index>),
    Required(Number("verdict", 2, Store<&Attestation::verdict>)),
    Number("score_q8", kUint32Max, Store<&Attestation::score_q8>),
};
constexpr MessageRules kVerdict = MakeRules(kVerdictFields);

constexpr FieldRule kAttestationFields[] = {
    {},
    Author(),
    Required(Repeated(Message("attestations", &kVerdict, EnterAttestation), 256)),
    Number("epoch", kUint64Max, Store<&AttestationBody::epoch>, /*min=*/2),
};
constexpr MessageRules kAttestation = MakeRules(kAttestationFields);

constexpr FieldRule kDriftedFeatureFields[] = {
    {},
    Number("feature", kUint32Max, Store<&DriftedFeature::feature>),
    Required(Number("psi_q8", kUint32Max, Store<&DriftedFeature::psi_q8>)),
};
constexpr MessageRules kDriftedFeature = MakeRules(kDriftedFeatureFields);

void* EnterDrifted(void* out, uint32_t) {
  return &static_cast<ModelCommitmentBody*>(out)->drifted.emplace_back();
}

constexpr FieldRule kModelCommitmentFields[] = {
    {},
    Author(),
    Required(Number("event_type", kEventTypeMax, Store<&ModelCommitmentBody::event_type>)),
    Required(Number("period", kUint64Max, Store<&ModelCommitmentBody::period>)),
    Required(Number("window_end", kUint64Max, Store<&ModelCommitmentBody::window_end>)),
    Required(HashField("model_digest", Store<&ModelCommitmentBody::model_digest>)),
    Number("row_count", kUint32Max, Store<&ModelCommitmentBody::row_count>),
    HashField("window_digest", Store<&ModelCommitmentBody::window_digest>),
    Number("threshold_q8", kUint32Max, Store<&ModelCommitmentBody::threshold_q8>),
    Number("event_count", kUint64Max, Store<&ModelCommitmentBody::event_count>),
    Number("drift_period", kUint64Max, Store<&ModelCommitmentBody::drift_period>),
    Repeated(Message("drifted", &kDriftedFeature, EnterDrifted), kDriftedMax),
};
constexpr MessageRules kModelCommitment = MakeRules(kModelCommitmentFields);

constexpr FieldRule kFaultProofFields[] = {
    {},
    Author(),
    Number("alert_index", kUint64Max, Store<&FaultProofBody::alert_index>),
    Required(Number("fault", 5, Store<&FaultProofBody::fault>)),
    Number("score_q8", kUint32Max, Store<&FaultProofBody::score_q8>),
    Number("threshold_q8", kUint32Max, Store<&FaultProofBody::threshold_q8>),
    Number("component", kUint32Max, Store<&FaultProofBody::component>),
};
constexpr MessageRules kFaultProof = MakeRules(kFaultProofFields);

constexpr FieldRule kProposalFields[] = {
    {},
    Author(),
    Required(Number("epoch", kUint64Max, Store<&ProposalBody::epoch>)),
    Bytes("next_set", 1, 4096, Store<&ProposalBody::next_set>),
    Text("addresses", 2048, Store<&ProposalBody::addresses>),
    Required(Text("reason", kReasonBytesMax, Store<&ProposalBody::reason>)),
    Text("rules", kRuleFileBytesMax, Store<&ProposalBody::rules>),
    HashField("replaced_rules", Store<&ProposalBody::replaced_rules>),
};
constexpr MessageRules kProposal = MakeRules(kProposalFields);

constexpr FieldRule kBallotFields[] = {
    {},
    Author(),
    Number("proposal_index", kUint64Max, Store<&BallotBody::proposal_index>),
    Required(Number("choice", 2, Store<&BallotBody::choice>)),
};
constexpr MessageRules kBallot = MakeRules(kBallotFields);

constexpr FieldRule kCosignerKeyFields[] = {
    {},
    Author(),
    Required(Number("epoch", kUint64Max, Store<&CosignerKeyBody::epoch>)),
    Required(Number("number", kCosignerKeyAnnouncementsMax, Store<&CosignerKeyBody::number>)),
    Required(HashField("cosigner_key", Store<&CosignerKeyBody::cosigner_key>)),
    Required(Bytes("proof", Signature::size(), Signature::size(), Store<&CosignerKeyBody::proof>)),
};
constexpr MessageRules kCosignerKey = MakeRules(kCosignerKeyFields);

constexpr FieldRule kTriageFields[] = {
    {},
    Author(),
    Number("alert_index", kUint64Max, Store<&TriageBody::alert_index>),
    Required(Number("action", 4, Store<&TriageBody::action>)),
    Text("assignee", kIdentityBytesMax, Store<&TriageBody::assignee>),
    Number("verdict", 3, Store<&TriageBody::verdict>),
    Number("revision", kUint64Max, Store<&TriageBody::revision>),
};
constexpr MessageRules kTriage = MakeRules(kTriageFields);

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// A stream's first record has no predecessor, every later one has.
template <typename Body>
absl::Status CheckPrevious(absl::string_view name, const Body& body) {
  if ((body.sequence == 1) != body.previous.IsZero()) {
    return Invalid(name, ".previous: ", body.previous.IsZero() ? "absent" : "present",
                   " at sequence ", body.sequence, "; absent exactly at sequence 1");
  }
  return absl::OkStatus();
}

absl::Status CheckFields(absl::string_view name, const EventBatchBody& body) {
  if (body.first_time_unix_nano > body.last_time_unix_nano) {
    return Invalid(name, ".first_time_unix_nano: ", body.first_time_unix_nano,
                   ", after last_time_unix_nano ", body.last_time_unix_nano);
  }
  return CheckPrevious(name, body);
}
absl::Status CheckFields(absl::string_view name, const HeartbeatBody& body) {
  return CheckPrevious(name, body);
}
absl::Status CheckFields(absl::string_view name, const GapBody& body) {
  if (body.to_unix_nano != 0 && body.from_unix_nano > body.to_unix_nano) {
    return Invalid(name, ".from_unix_nano: ", body.from_unix_nano, ", after to_unix_nano ",
                   body.to_unix_nano);
  }
  return CheckPrevious(name, body);
}
absl::Status CheckFields(absl::string_view, const StreamResetBody&) { return absl::OkStatus(); }
absl::Status CheckAnchor(absl::string_view name, const AlertBody& body) {
  const bool known = body.anchor_kind == 0 || body.anchor_kind == kAnchorSource ||
                     body.anchor_kind == kAnchorUser || body.anchor_kind == kAnchorHost;
  if (!known) {
    return Invalid(name, ".anchor_kind: ", body.anchor_kind,
                   "; known: 1 (source), 5 (user), 6 (host)");
  }
  if (body.anchor_kind == 0 && body.anchor != EventRef()) {
    return Invalid(name, ".anchor_kind: absent with an anchor");
  }
  if (body.anchor > body.event) {
    return Invalid(name, ".anchor_record: event ", body.anchor.record_index.value(), ".",
                   body.anchor.item.value(), " comes after the alert's own");
  }
  return absl::OkStatus();
}
absl::Status CheckFields(absl::string_view name, const AlertBody& body) {
  RETURN_IF_ERROR(CheckAnchor(name, body));
  const bool is_rule = body.component == kRuleComponent;
  if (is_rule != (body.period == 0)) {
    return Invalid(name, ".period: ", body.period, " with component ", body.component,
                   "; absent exactly for 4 (rule)");
  }
  const int given = (body.rule != 0) + !body.rules_digest.IsZero() + (body.entity_kind != 0) +
                    (body.observed != 0);
  if (given != (is_rule ? 4 : 0)) {
    return Invalid(name, ".rule: ", given, " of rule, rules_digest, entity_kind and observed with ",
                   "component ", body.component, "; all exactly for 4 (rule), else none");
  }
  if (is_rule && !body.reasons.empty()) {
    return Invalid(name, ".reasons: ", body.reasons.size(), " of a rule, which has none");
  }
  for (size_t i = 1; i < body.reasons.size(); ++i) {
    if (body.reasons[i - 1].bits_q8 < body.reasons[i].bits_q8) {
      return Invalid(name, ".reasons[", i, "].bits_q8: ", body.reasons[i].bits_q8, " after ",
                     body.reasons[i - 1].bits_q8, ", largest first");
    }
  }
  return absl::OkStatus();
}
absl::Status CheckFields(absl::string_view name, const AttestationBody& body) {
  for (size_t i = 1; i < body.attestations.size(); ++i) {
    if (body.attestations[i - 1].alert_index >= body.attestations[i].alert_index) {
      return Invalid(name, ".attestations[", i,
                     "].alert_index: ", body.attestations[i].alert_index.value(), " after ",
                     body.attestations[i - 1].alert_index.value(), ", must ascend");
    }
  }
  return absl::OkStatus();
}
absl::Status CheckFields(absl::string_view name, const ModelCommitmentBody& body) {
  if (body.drift_period >= body.period) {
    return Invalid(name, ".drift_period: ", body.drift_period, ", must lie below period ",
                   body.period);
  }
  if (body.drift_period == 0 && !body.drifted.empty()) {
    return Invalid(name, ".drifted: ", body.drifted.size(), " without a drift_period");
  }
  for (size_t i = 0; i < body.drifted.size(); ++i) {
    const DriftedFeature& drifted = body.drifted[i];
    if (drifted.psi_q8 < kDriftNoticeQ8) {
      return Invalid(name, ".drifted[", i, "].psi_q8: ", drifted.psi_q8, ", the limit is ",
                     kDriftNoticeQ8);
    }
    if (i == 0) continue;
    const DriftedFeature& before = body.drifted[i - 1];
    if (before.psi_q8 < drifted.psi_q8 ||
        (before.psi_q8 == drifted.psi_q8 && before.feature >= drifted.feature)) {
      return Invalid(name, ".drifted[", i, "].psi_q8: ", drifted.psi_q8, " after ", before.psi_q8,
                     ", largest first, then by feature");
    }
  }
  return absl::OkStatus();
}
absl::Status CheckFields(absl::string_view, const FaultProofBody&) { return absl::OkStatus(); }

absl::Status CheckFields(absl::string_view name, const TriageBody& body) {
  const auto action = static_cast<TriageAction>(body.action);
  if ((action == TriageAction::kAssign) == body.assignee.empty()) {
    return Invalid(name, ".action: ", body.action, body.assignee.empty() ? " without" : " with",
                   " an assignee; there is one exactly for 2 (assign)");
  }
  if ((action == TriageAction::kClose) == (body.verdict == 0)) {
    return Invalid(name, ".action: ", body.action, body.verdict == 0 ? " without" : " with",
                   " a verdict; there is one exactly for 3 (close)");
  }
  return absl::OkStatus();
}

absl::Status CheckFields(absl::string_view name, const ProposalBody& body) {
  if (body.next_set.empty() == body.rules.empty()) {
    return Invalid(name, ".next_set: ", body.rules.empty() ? "absent, as rules are" : "with rules",
                   "; a proposal has exactly one of both");
  }
  if (body.next_set.empty() && !body.addresses.empty()) {
    return Invalid(name, ".addresses: without a next_set");
  }
  if (body.rules.empty() && !body.replaced_rules.IsZero()) {
    return Invalid(name, ".replaced_rules: without rules");
  }
  return absl::OkStatus();
}
absl::Status CheckFields(absl::string_view, const BallotBody&) { return absl::OkStatus(); }
absl::Status CheckFields(absl::string_view, const CosignerKeyBody&) { return absl::OkStatus(); }

template <typename Body>
absl::Status ScanInto(absl::string_view name, const MessageRules& rules, ByteSpan bytes,
                      RecordBody* out) {
  Body& body = out->emplace<Body>();
  RETURN_IF_ERROR(ScanMessage(name, rules, bytes, &body));
  return CheckFields(name, body);
}

absl::Status ScanFields(const KindInfo& info, ByteSpan body, RecordBody* out) {
  switch (info.kind) {
    case RecordKind::kEventBatch:
      return ScanInto<EventBatchBody>(info.name, kEventBatch, body, out);
    case RecordKind::kHeartbeat:
      return ScanInto<HeartbeatBody>(info.name, kHeartbeat, body, out);
    case RecordKind::kGap:
      return ScanInto<GapBody>(info.name, kGap, body, out);
    case RecordKind::kStreamReset:
      return ScanInto<StreamResetBody>(info.name, kStreamReset, body, out);
    case RecordKind::kAlert:
      return ScanInto<AlertBody>(info.name, kAlert, body, out);
    case RecordKind::kAttestation:
      return ScanInto<AttestationBody>(info.name, kAttestation, body, out);
    case RecordKind::kModelCommitment:
      return ScanInto<ModelCommitmentBody>(info.name, kModelCommitment, body, out);
    case RecordKind::kTriage:
      return ScanInto<TriageBody>(info.name, kTriage, body, out);
    case RecordKind::kFaultProof:
      return ScanInto<FaultProofBody>(info.name, kFaultProof, body, out);
    case RecordKind::kProposal:
      return ScanInto<ProposalBody>(info.name, kProposal, body, out);
    case RecordKind::kBallot:
      return ScanInto<BallotBody>(info.name, kBallot, body, out);
    case RecordKind::kCosignerKey:
      return ScanInto<CosignerKeyBody>(info.name, kCosignerKey, body, out);
    default:
      return Invalid("record kind ", static_cast<int>(info.kind), " (", info.name,
                     "): not admitted by this version");
  }
}

}  // namespace

absl::Status ScanBody(RecordKind kind, ByteSpan body, KeyId* author, RecordBody* out) {
  const KindInfo* const info = FindKind(static_cast<uint8_t>(kind));
  if (info == nullptr) return Invalid("record kind ", static_cast<int>(kind), ": unknown");
  if (body.size() > info->body_bytes_max) {
    return Invalid(info->name, ": body of ", body.size(), " bytes, at most ", info->body_bytes_max);
  }
  RETURN_IF_ERROR(ScanFields(*info, body, out));
  // Canonical bodies begin with the author: one byte of tag, one of length.
  std::memcpy(author->bytes.data(), body.data() + 2, KeyId::size());
  return absl::OkStatus();
}

}  // namespace vigil::ledger
