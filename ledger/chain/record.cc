#include "ledger/chain/record.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/scanner.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/sha256.h"
#include "vigil/v1/record.pb.h"

namespace vigil::ledger {
namespace {

// One overload per body. Absent values stay unset: protobuf then writes set fields in order of tag,
// which is the canonical form. SignRecord() checks that it is.
std::string Text(absl::string_view text) { return std::string(text.data(), text.size()); }
std::string Bytes(const KeyId& id) { return ToString(id.span()); }
std::string Bytes(const Hash& hash) {
  return hash.IsZero() ? std::string() : ToString(hash.span());
}

v1::EventBatchBody ToProto(const EventBatchBody& body) {
  v1::EventBatchBody out;
  out.set_stream(Text(body.stream));
  out.set_sequence(body.sequence);
  out.set_previous(Bytes(body.previous));
  out.set_item_count(body.item_count);
  out.set_items_root(Bytes(body.items_root));
  out.set_sealed_root(Bytes(body.sealed_root));
  out.set_first_time_unix_nano(body.first_time_unix_nano);
  out.set_last_time_unix_nano(body.last_time_unix_nano);
  out.set_payload_bytes(body.payload_bytes);
  return out;
}

v1::HeartbeatBody ToProto(const HeartbeatBody& body) {
  v1::HeartbeatBody out;
  out.set_stream(Text(body.stream));
  out.set_sequence(body.sequence);
  out.set_previous(Bytes(body.previous));
  out.set_time_unix_nano(body.time_unix_nano);
  return out;
}

v1::GapBody ToProto(const GapBody& body) {
  v1::GapBody out;
  out.set_stream(Text(body.stream));
  out.set_sequence(body.sequence);
  out.set_previous(Bytes(body.previous));
  out.set_lost_count(body.lost_count);
  out.set_from_unix_nano(body.from_unix_nano);
  out.set_to_unix_nano(body.to_unix_nano);
  out.set_reason(Text(body.reason));
  return out;
}

v1::StreamResetBody ToProto(const StreamResetBody& body) {
  v1::StreamResetBody out;
  out.set_identity(Text(body.identity));
  out.set_stream(Text(body.stream));
  out.set_head_sequence(body.head_sequence);
  out.set_reason(Text(body.reason));
  return out;
}

v1::AlertBody ToProto(const AlertBody& body) {
  v1::AlertBody out;
  out.mutable_event()->set_record_index(body.event.record_index.value());
  out.mutable_event()->set_item(body.event.item.value());
  out.set_event_type(body.event_type);
  out.set_period(body.period);
  out.set_model_digest(Bytes(body.model_digest));
  out.set_score_q8(body.score_q8);
  out.set_threshold_q8(body.threshold_q8);
  out.set_component(body.component);
  for (const AlertReason& reason : body.reasons) {
    v1::AlertReason* const added = out.add_reasons();
    added->set_feature(reason.feature);
    added->set_bits_q8(reason.bits_q8);
  }
  out.set_event_leaf(Bytes(body.event_leaf));
  out.set_values_commitment(Bytes(body.values_commitment));
  out.set_rule(body.rule);
  out.set_rules_digest(Bytes(body.rules_digest));
  out.set_entity_kind(body.entity_kind);
  out.set_observed(body.observed);
  out.set_anchor_record(body.anchor.record_index.value());
  out.set_anchor_item(body.anchor.item.value());
  out.set_anchor_kind(body.anchor_kind);
  return out;
}

v1::AttestationBody ToProto(const AttestationBody& body) {
  v1::AttestationBody out;
  for (const Attestation& attestation : body.attestations) {
    v1::Attestation* const added = out.add_attestations();
    added->set_alert_index(attestation.alert_index.value());
    added->set_verdict(attestation.verdict);
    added->set_score_q8(attestation.score_q8);
  }
  out.set_epoch(body.epoch);
  return out;
}

v1::ModelCommitmentBody ToProto(const ModelCommitmentBody& body) {
  v1::ModelCommitmentBody out;
  out.set_event_type(body.event_type);
  out.set_period(body.period);
  out.set_window_end(body.window_end.value());
  out.set_model_digest(Bytes(body.model_digest));
  out.set_row_count(body.row_count);
  out.set_window_digest(Bytes(body.window_digest));
  out.set_threshold_q8(body.threshold_q8);
  out.set_event_count(body.event_count);
  out.set_drift_period(body.drift_period);
  for (const DriftedFeature& drifted : body.drifted) {
    v1::DriftedFeature* const added = out.add_drifted();
    added->set_feature(drifted.feature);
    added->set_psi_q8(drifted.psi_q8);
  }
  return out;
}

v1::FaultProofBody ToProto(const FaultProofBody& body) {
  v1::FaultProofBody out;
  out.set_alert_index(body.alert_index.value());
  out.set_fault(body.fault);
  out.set_score_q8(body.score_q8);
  out.set_threshold_q8(body.threshold_q8);
  out.set_component(body.component);
  return out;
}

v1::TriageBody ToProto(const TriageBody& body) {
  v1::TriageBody out;
  out.set_alert_index(body.alert_index.value());
  out.set_action(body.action);
  out.set_assignee(Text(body.assignee));
  out.set_verdict(body.verdict);
  out.set_revision(body.revision);
  return out;
}

v1::ProposalBody ToProto(const ProposalBody& body) {
  v1::ProposalBody out;
  out.set_epoch(body.epoch);
  out.set_next_set(ToString(body.next_set));
  out.set_addresses(Text(body.addresses));
  out.set_reason(Text(body.reason));
  out.set_rules(Text(body.rules));
  out.set_replaced_rules(Bytes(body.replaced_rules));
  return out;
}

v1::BallotBody ToProto(const BallotBody& body) {
  v1::BallotBody out;
  out.set_proposal_index(body.proposal_index.value());
  out.set_choice(body.choice);
  return out;
}

v1::CosignerKeyBody ToProto(const CosignerKeyBody& body) {
  v1::CosignerKeyBody out;
  out.set_epoch(body.epoch);
  out.set_number(body.number);
  out.set_cosigner_key(ToString(body.cosigner_key.span()));
  out.set_proof(ToString(body.proof.span()));
  return out;
}

std::string SerializeBody(const RecordBody& body, const KeyId& author) {
  return std::visit(
      [&author](const auto& fields) {
        auto message = ToProto(fields);
        message.set_author(Bytes(author));
        return message.SerializeAsString();
      },
      body);
}

}  // namespace

Hash RuleDigestOf(const Hash& rules_digest, uint32_t number) {
  const uint8_t bytes[] = {static_cast<uint8_t>(number), static_cast<uint8_t>(number >> 8),
                           static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 24)};
  return Sha256({AsBytes(kRuleTag), rules_digest.span(), ByteSpan(bytes)});
}

absl::StatusOr<RecordView> DecodeRecord(ByteSpan leaf) {
  if (leaf.size() > kRecordLeafBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("record of ", leaf.size(), " bytes, at most ", kRecordLeafBytesMax));
  }
  ByteReader reader(leaf);
  const uint8_t version = reader.U8();
  const uint8_t number = reader.U8();
  const ByteSpan body = reader.Prefixed(kRecordBodyBytesMax);
  const Signature signature = reader.FixedValue<Signature>();
  RETURN_IF_ERROR(reader.Finish("record"));
  if (version != kLeafVersion) {
    return absl::InvalidArgumentError(absl::StrCat("record version ", version, ", must be 1"));
  }
  const KindInfo* const info = FindKind(number);
  if (info == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("record kind ", number, ": unknown"));
  }
  RecordView view;
  view.kind = info->kind;
  view.leaf = leaf;
  view.body_bytes = body;
  view.signature = signature;
  RETURN_IF_ERROR(ScanBody(info->kind, body, &view.author, &view.body));
  return view;
}

std::string RecordSigningMessage(RecordKind kind, const Hash& chain_id, ByteSpan body) {
  std::string message;
  message.reserve(kRecordTag.size() + 1 + Hash::size() + body.size());
  ByteWriter(&message).Raw(kRecordTag).U8(static_cast<uint8_t>(kind)).Fixed(chain_id).Raw(body);
  return message;
}

bool VerifyRecordSignature(const RecordView& record, const Hash& chain_id, const PublicKey& key) {
  if (KeyIdOf(key) != record.author) return false;
  const std::string message = RecordSigningMessage(record.kind, chain_id, record.body_bytes);
  return VerifySignature(key, AsBytes(message), record.signature);
}

std::string SignRecord(const RecordBody& body, const Hash& chain_id, const SigningKey& key) {
  const RecordKind kind = KindOfBody(body);
  const std::string bytes = SerializeBody(body, key.id());
  KeyId author;
  RecordBody scanned;
  const absl::Status status = ScanBody(kind, AsBytes(bytes), &author, &scanned);
  VIGIL_CHECK(status.ok(), status.message());
  const std::string message = RecordSigningMessage(kind, chain_id, AsBytes(bytes));
  std::string leaf;
  leaf.reserve(kLeafPrefixBytes + bytes.size() + Signature::size());
  ByteWriter(&leaf)
      .U8(kLeafVersion)
      .U8(static_cast<uint8_t>(kind))
      .Prefixed(bytes)
      .Fixed(key.Sign(AsBytes(message)));
  return leaf;
}

absl::string_view AlertFaultName(AlertFault fault) {
  switch (fault) {
    case AlertFault::kScore:
      return "score";
    case AlertFault::kThreshold:
      return "threshold";
    case AlertFault::kExplanation:
      return "explanation";
    case AlertFault::kEvent:
      return "event";
    case AlertFault::kRule:
      return "rule";
  }
  return "?";
}

absl::string_view TriageActionName(TriageAction action) {
  switch (action) {
    case TriageAction::kAcknowledge:
      return "acknowledge";
    case TriageAction::kAssign:
      return "assign";
    case TriageAction::kClose:
      return "close";
    case TriageAction::kReopen:
      return "reopen";
  }
  return "?";
}

absl::string_view TriageVerdictName(TriageVerdict verdict) {
  switch (verdict) {
    case TriageVerdict::kNone:
      return "";
    case TriageVerdict::kTruePositive:
      return "true-positive";
    case TriageVerdict::kFalsePositive:
      return "false-positive";
    case TriageVerdict::kExpected:
      return "expected";
  }
  return "?";
}

std::string CosignerKeyMessage(const Hash& chain_id, uint64_t epoch, uint32_t number,
                               const KeyId& author) {
  std::string message;
  ByteWriter(&message).Raw(kCosignerKeyTag).Fixed(chain_id).U64(epoch).U32(number).Fixed(author);
  return message;
}

RecordKind KindOfBody(const RecordBody& body) {
  // In the order of the variant's alternatives.
  static constexpr RecordKind kKinds[] = {
      RecordKind::kEventBatch,      RecordKind::kHeartbeat, RecordKind::kGap,
      RecordKind::kStreamReset,     RecordKind::kAlert,     RecordKind::kAttestation,
      RecordKind::kModelCommitment, RecordKind::kTriage,    RecordKind::kFaultProof,
      RecordKind::kProposal,        RecordKind::kBallot,    RecordKind::kCosignerKey,
  };
  static_assert(std::size(kKinds) == std::variant_size_v<RecordBody>);
  return kKinds[body.index()];
}

}  // namespace vigil::ledger
