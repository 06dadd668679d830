#include "tests/ledger/chain/canonical_oracle.h"

#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/unknown_field_set.h>

#include "ledger/base/check.h"
#include "vigil/v1/event.pb.h"
#include "vigil/v1/record.pb.h"

namespace vigil::ledger {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr uint64_t k32 = 0xFFFFFFFF;
constexpr uint64_t k64 = ~uint64_t{0};
constexpr uint64_t kTime = k64 >> 1;

FieldLimits Max(uint64_t max) { return {max}; }
FieldLimits Need(uint64_t max) { return {max, 1, true}; }
FieldLimits Exact(uint64_t size) { return {size, size}; }
FieldLimits NeedExact(uint64_t size) { return {size, size, true}; }
FieldLimits HashLimits(bool required) { return {32, 32, required, 1, true}; }
FieldLimits Many(int count_max, uint64_t max = 0) { return {max, 1, false, count_max}; }

std::map<std::string, FieldLimits> EventLimits() {
  return {
      {"Event.schema", Need(1)},
      {"Event.salt", NeedExact(16)},
      {"Event.time_unix_nano", Need(kTime)},
      {"Event.type_uid", Need(429'496'729'599)},
      {"Event.severity_id", Max(99)},
      {"Event.status_id", Max(99)},
      {"Event.action_id", Max(99)},
      {"Event.disposition_id", Max(99)},
      {"Event.source", Need(64)},
      {"Event.source_uid", Max(128)},
      {"Event.event_id", Max(64)},
      {"Event.actor", {}},
      {"Event.device", {}},
      {"Event.src", {}},
      {"Event.dst", {}},
      {"Event.protocol_num", Max(255)},
      {"Event.app_protocol", Max(32)},
      {"Event.traffic", {}},
      {"Event.duration_ns", Max(k64)},
      {"Event.rule_uid", Max(128)},
      {"Event.rule_name", Max(512)},
      {"Event.attacks", Many(16, 16)},
      {"Event.observables", Many(32)},
      {"Event.metrics", Many(32)},
      {"Event.unmapped", Many(32)},
      {"Event.raw", Max(8192)},
      {"Event.raw_commitment", Exact(32)},
      {"Event.raw_size", Max(k32)},
      {"Event.url_or_query", Max(2048)},
      {"Event.file", {}},
      {"Event.message", Max(2048)},
      {"Event.status_code", Max(64)},
      {"Event.count", Max(k32)},
      {"Event.end_time_unix_nano", Max(kTime)},
      {"Event.tlp", Max(4)},
      {"Event.mapping_id", Max(64)},
      {"Event.sealed_groups", Many(8)},
  };
}

std::map<std::string, FieldLimits> NestedLimits() {
  return {
      {"Actor.user", Max(256)},
      {"Actor.user_uid", Max(128)},
      {"Actor.domain", Max(256)},
      {"Actor.process", Max(256)},
      {"Actor.path", Max(1024)},
      {"Actor.cmd_line", Max(4096)},
      {"Actor.pid", Max(k64)},
      {"Actor.parent", Max(256)},
      {"Actor.session", Max(128)},
      {"Endpoint.ip", {16, 4}},
      {"Endpoint.port", Max(65535)},
      {"Endpoint.hostname", Max(256)},
      {"Endpoint.mac", Exact(6)},
      {"Endpoint.uid", Max(128)},
      {"Endpoint.zone", Max(64)},
      {"Traffic.bytes_in", Max(k64)},
      {"Traffic.bytes_out", Max(k64)},
      {"Traffic.packets_in", Max(k64)},
      {"Traffic.packets_out", Max(k64)},
      {"Observable.type_id", Max(99)},
      {"Observable.value", Need(1024)},
      {"Metric.key", Need(64)},
      {"Metric.value_e6", Max(k64)},
      {"Pair.key", Need(128)},
      {"Pair.value", Max(2048)},
      {"File.name", Max(256)},
      {"File.path", Max(1024)},
      {"File.sha256", Exact(32)},
      {"File.size", Max(k64)},
      {"SealedGroup.name", Need(64)},
      {"SealedGroup.commitment", NeedExact(32)},
      {"SealedGroup.field_count", Max(k32)},
  };
}

std::map<std::string, FieldLimits> BodyLimits() {
  return {
      {"EventBatchBody.author", NeedExact(16)},
      {"EventBatchBody.stream", Need(64)},
      {"EventBatchBody.sequence", Need(k64)},
      {"EventBatchBody.previous", HashLimits(false)},
      {"EventBatchBody.item_count", Need(10'000)},
      {"EventBatchBody.items_root", HashLimits(true)},
      {"EventBatchBody.sealed_root", HashLimits(false)},
      {"EventBatchBody.first_time_unix_nano", Need(kTime)},
      {"EventBatchBody.last_time_unix_nano", Need(kTime)},
      {"EventBatchBody.payload_bytes", Need(1024 * 1024)},
      {"HeartbeatBody.author", NeedExact(16)},
      {"HeartbeatBody.stream", Need(64)},
      {"HeartbeatBody.sequence", Need(k64)},
      {"HeartbeatBody.previous", HashLimits(false)},
      {"HeartbeatBody.time_unix_nano", Max(kTime)},
      {"GapBody.author", NeedExact(16)},
      {"GapBody.stream", Need(64)},
      {"GapBody.sequence", Need(k64)},
      {"GapBody.previous", HashLimits(false)},
      {"GapBody.lost_count", Max(k64)},
      {"GapBody.from_unix_nano", Max(kTime)},
      {"GapBody.to_unix_nano", Max(kTime)},
      {"GapBody.reason", Max(256)},
      {"StreamResetBody.author", NeedExact(16)},
      {"StreamResetBody.identity", Need(129)},
      {"StreamResetBody.stream", Need(64)},
      {"StreamResetBody.head_sequence", Max(k64)},
      {"StreamResetBody.reason", Need(256)},
      {"AlertBody.author", NeedExact(16)},
      {"AlertBody.event", {0, 0, true}},
      {"AlertBody.event_type", Need(5)},
      {"AlertBody.period", Max(k64)},
      {"AlertBody.model_digest", HashLimits(true)},
      {"AlertBody.score_q8", Max(k32)},
      {"AlertBody.threshold_q8", Max(k32)},
      {"AlertBody.component", Need(4)},
      {"AlertBody.reasons", Many(5)},
      {"AlertBody.event_leaf", HashLimits(true)},
      {"AlertBody.values_commitment", HashLimits(false)},
      {"AlertBody.rule", Max(65'535)},
      {"AlertBody.rules_digest", HashLimits(false)},
      {"AlertBody.entity_kind", Max(6)},
      {"AlertBody.observed", Max(k64)},
      {"AlertBody.anchor_record", Max(k64)},
      {"AlertBody.anchor_item", Max(9'999)},
      {"AlertBody.anchor_kind", Max(6)},
      {"EventRef.record_index", Max(k64)},
      {"EventRef.item", Max(9'999)},
      {"AlertReason.feature", Max(k32)},
      {"AlertReason.bits_q8", Max(k32)},
      {"Attestation.alert_index", Max(k64)},
      {"Attestation.verdict", Need(2)},
      {"Attestation.score_q8", Max(k32)},
      {"AttestationBody.author", NeedExact(16)},
      {"AttestationBody.attestations", {0, 1, true, 256}},
      {"AttestationBody.epoch", Max(k64)},
      {"TriageBody.author", NeedExact(16)},
      {"TriageBody.alert_index", Max(k64)},
      {"TriageBody.action", Need(4)},
      {"TriageBody.assignee", Max(129)},
      {"TriageBody.verdict", Max(3)},
      {"TriageBody.revision", Max(k64)},
      {"ModelCommitmentBody.author", NeedExact(16)},
      {"ModelCommitmentBody.event_type", Need(5)},
      {"ModelCommitmentBody.period", Need(k64)},
      {"ModelCommitmentBody.window_end", Need(k64)},
      {"ModelCommitmentBody.model_digest", HashLimits(true)},
      {"ModelCommitmentBody.row_count", Max(k32)},
      {"ModelCommitmentBody.window_digest", HashLimits(false)},
      {"ModelCommitmentBody.threshold_q8", Max(k32)},
      {"ModelCommitmentBody.event_count", Max(k64)},
      {"ModelCommitmentBody.drift_period", Max(k64)},
      {"ModelCommitmentBody.drifted", Many(5)},
      {"DriftedFeature.feature", Max(k32)},
      {"DriftedFeature.psi_q8", Need(k32)},
      {"ProposalBody.author", NeedExact(16)},
      {"ProposalBody.epoch", Need(k64)},
      {"ProposalBody.next_set", Max(4096)},
      {"ProposalBody.addresses", Max(2048)},
      {"ProposalBody.reason", Need(256)},
      {"ProposalBody.rules", Max(16'384)},
      {"ProposalBody.replaced_rules", HashLimits(false)},
      {"BallotBody.author", NeedExact(16)},
      {"BallotBody.proposal_index", Max(k64)},
      {"BallotBody.choice", Need(2)},
      {"CosignerKeyBody.author", NeedExact(16)},
      {"CosignerKeyBody.epoch", Need(k64)},
      {"CosignerKeyBody.number", Need(16)},
      {"CosignerKeyBody.cosigner_key", HashLimits(true)},
      {"CosignerKeyBody.proof", NeedExact(64)},
      {"FaultProofBody.author", NeedExact(16)},
      {"FaultProofBody.alert_index", Max(k64)},
      {"FaultProofBody.fault", Need(5)},
      {"FaultProofBody.score_q8", Max(k32)},
      {"FaultProofBody.threshold_q8", Max(k32)},
      {"FaultProofBody.component", Max(k32)},
  };
}

// Element `index` of a repeated field, or the field itself when `index` is negative.
bool ElementIsFine(const Message& message, const FieldDescriptor& field, int index,
                   const FieldLimits& limits);

bool MessageIsFine(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (!reflection.GetUnknownFields(message).empty()) return false;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    const FieldLimits& limits = AllFieldLimits().at(field.full_name().substr(9));
    if (field.is_repeated()) {
      const int count = reflection.FieldSize(message, &field);
      if (count > limits.count_max || (limits.required && count == 0)) return false;
      for (int k = 0; k < count; ++k) {
        if (!ElementIsFine(message, field, k, limits)) return false;
      }
    } else if (reflection.HasField(message, &field)) {
      if (!ElementIsFine(message, field, -1, limits)) return false;
    } else if (limits.required) {
      return false;
    }
  }
  return true;
}

bool NumberIsFine(const Message& message, const FieldDescriptor& field, const FieldLimits& limits) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, &field) <= limits.max;
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, &field) <= limits.max;
    case FieldDescriptor::CPPTYPE_INT64:
      return true;
    default:
      VIGIL_CHECK(false, "no rule for the type of ", field.full_name());
      return false;
  }
}

bool ElementIsFine(const Message& message, const FieldDescriptor& field, int index,
                   const FieldLimits& limits) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const Message& nested = index < 0 ? reflection.GetMessage(message, &field)
                                      : reflection.GetRepeatedMessage(message, &field, index);
    return nested.ByteSizeLong() >= limits.min && MessageIsFine(nested);
  }
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return NumberIsFine(message, field, limits);
  }
  const std::string value = index < 0 ? reflection.GetString(message, &field)
                                      : reflection.GetRepeatedString(message, &field, index);
  if (field.name() == "ip") {
    const std::string mapped("\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
    return value.size() == 4 || (value.size() == 16 && value.substr(0, 12) != mapped);
  }
  if (limits.not_zero && value.find_first_not_of('\0') == std::string::npos) return false;
  return value.size() >= limits.min && value.size() <= limits.max;
}

// Protobuf writes what it read in ascending order, minimal and without defaults.
bool WritesTheSame(const std::string& bytes, Message* message) {
  const google::protobuf::LogSilencer quiet;  // It prints a line for text that is not UTF-8.
  return message->ParseFromString(bytes) && message->SerializeAsString() == bytes;
}

template <typename Body>
bool StreamIsFine(const Body& body) {
  return (body.sequence() == 1) == body.previous().empty();
}

bool BodyIsFine(RecordKind kind, const Message& message) {
  switch (kind) {
    case RecordKind::kEventBatch: {
      const auto& body = dynamic_cast<const v1::EventBatchBody&>(message);
      return StreamIsFine(body) && body.first_time_unix_nano() <= body.last_time_unix_nano();
    }
    case RecordKind::kHeartbeat:
      return StreamIsFine(dynamic_cast<const v1::HeartbeatBody&>(message));
    case RecordKind::kGap: {
      const auto& body = dynamic_cast<const v1::GapBody&>(message);
      return StreamIsFine(body) &&
             (body.to_unix_nano() == 0 || body.from_unix_nano() <= body.to_unix_nano());
    }
    case RecordKind::kTriage: {
      const auto& body = dynamic_cast<const v1::TriageBody&>(message);
      return (body.action() == 2) != body.assignee().empty() &&
             (body.action() == 3) != (body.verdict() == 0);
    }
    case RecordKind::kAlert: {
      const auto& body = dynamic_cast<const v1::AlertBody&>(message);
      const auto& reasons = body.reasons();
      const bool is_rule = body.component() == 4;
      const bool all = body.rule() != 0 && !body.rules_digest().empty() &&
                       body.entity_kind() != 0 && body.observed() != 0;
      const bool none = body.rule() == 0 && body.rules_digest().empty() &&
                        body.entity_kind() == 0 && body.observed() == 0;
      if (is_rule != (body.period() == 0) || !(is_rule ? all && reasons.empty() : none)) {
        return false;
      }
      const uint32_t anchored = body.anchor_kind();
      if (anchored == 0 && (body.anchor_record() != 0 || body.anchor_item() != 0)) return false;
      if (anchored != 0 && anchored != 1 && anchored != 5 && anchored != 6) return false;
      const uint64_t record = body.event().record_index();
      if (body.anchor_record() > record ||
          (body.anchor_record() == record && body.anchor_item() > body.event().item())) {
        return false;
      }
      for (int i = 1; i < reasons.size(); ++i) {
        if (reasons[i].bits_q8() > reasons[i - 1].bits_q8()) return false;
      }
      return true;
    }
    case RecordKind::kModelCommitment: {
      const auto& body = dynamic_cast<const v1::ModelCommitmentBody&>(message);
      const auto& drifted = body.drifted();
      if (body.drift_period() >= body.period()) return false;
      if (body.drift_period() == 0 && !drifted.empty()) return false;
      for (int i = 0; i < drifted.size(); ++i) {
        if (drifted[i].psi_q8() < 64) return false;
        if (i == 0) continue;
        const std::pair<uint32_t, uint32_t> before = {~drifted[i - 1].psi_q8(),
                                                      drifted[i - 1].feature()};
        if (before >= std::pair{~drifted[i].psi_q8(), drifted[i].feature()}) return false;
      }
      return true;
    }
    case RecordKind::kProposal: {
      const auto& body = dynamic_cast<const v1::ProposalBody&>(message);
      if (!body.next_set().empty()) return body.rules().empty() && body.replaced_rules().empty();
      return !body.rules().empty() && body.addresses().empty();
    }
    case RecordKind::kAttestation: {
      const auto& body = dynamic_cast<const v1::AttestationBody&>(message);
      if (body.epoch() == 1) return false;
      const auto& all = body.attestations();
      for (int i = 1; i < all.size(); ++i) {
        if (all[i].alert_index() <= all[i - 1].alert_index()) return false;
      }
      return true;
    }
    default:
      return true;
  }
}

}  // namespace

const std::map<std::string, FieldLimits>& AllFieldLimits() {
  static const auto* const kAll = [] {
    auto* all = new std::map<std::string, FieldLimits>(EventLimits());
    all->merge(NestedLimits());
    all->merge(BodyLimits());
    return all;
  }();
  return *kAll;
}

std::unique_ptr<Message> NewBody(RecordKind kind) {
  switch (kind) {
    case RecordKind::kEventBatch:
      return std::make_unique<v1::EventBatchBody>();
    case RecordKind::kHeartbeat:
      return std::make_unique<v1::HeartbeatBody>();
    case RecordKind::kGap:
      return std::make_unique<v1::GapBody>();
    case RecordKind::kStreamReset:
      return std::make_unique<v1::StreamResetBody>();
    case RecordKind::kAlert:
      return std::make_unique<v1::AlertBody>();
    case RecordKind::kAttestation:
      return std::make_unique<v1::AttestationBody>();
    case RecordKind::kTriage:
      return std::make_unique<v1::TriageBody>();
    case RecordKind::kFaultProof:
      return std::make_unique<v1::FaultProofBody>();
    case RecordKind::kModelCommitment:
      return std::make_unique<v1::ModelCommitmentBody>();
    case RecordKind::kProposal:
      return std::make_unique<v1::ProposalBody>();
    case RecordKind::kBallot:
      return std::make_unique<v1::BallotBody>();
    case RecordKind::kCosignerKey:
      return std::make_unique<v1::CosignerKeyBody>();
    default:
      VIGIL_CHECK(false, "kind ", static_cast<int>(kind), " is not admitted");
      return nullptr;
  }
}

bool OracleAcceptsEvent(const std::string& bytes) {
  v1::Event event;
  if (bytes.size() > 24 * 1024 || !WritesTheSame(bytes, &event) || !MessageIsFine(event)) {
    return false;
  }
  size_t pair_bytes = 0;
  for (const v1::Pair& pair : event.unmapped())
    pair_bytes += pair.key().size() + pair.value().size();
  return pair_bytes <= 8 * 1024;
}

bool OracleAcceptsBody(RecordKind kind, const std::string& bytes) {
  const std::unique_ptr<Message> body = NewBody(kind);
  return WritesTheSame(bytes, body.get()) && MessageIsFine(*body) && BodyIsFine(kind, *body);
}

}  // namespace vigil::ledger
