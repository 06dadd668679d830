#include "node/api/convert.h"

#include "absl/strings/str_cat.h"
#include "detector/entities/entity_key.h"
#include "detector/features/event_schema.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "ledger/state/log_keys.h"

namespace vigil::node {
namespace {

// Empty for a type or feature that this version does not know.
std::string FeatureName(uint32_t event_type, uint32_t feature) {
  for (const detector::EventType type : detector::kEventTypes) {
    if (static_cast<uint32_t>(type) != event_type) continue;
    const auto& features = detector::EventSchema(type).features();
    return feature < features.size() ? features[feature].name : "";
  }
  return "";
}

}  // namespace

v1::Receipt ToProto(const SubmitReceipt& receipt, v1::AckLevel reached) {
  v1::Receipt proto;
  proto.set_leaf_hash(BytesOf(receipt.leaf_hash));
  proto.set_record_index(receipt.record_index.value());
  proto.set_height(receipt.height.value());
  proto.set_block_hash(BytesOf(receipt.block_hash));
  proto.set_result(static_cast<v1::ResultCode>(receipt.result));
  proto.set_reached(reached);
  return proto;
}

v1::RecordSummary Summarise(const ledger::Block::Entry& entry, const ledger::RecordResult& result) {
  v1::RecordSummary summary;
  summary.set_record_index(result.index.value());
  summary.set_leaf_hash(BytesOf(entry.leaf_hash));
  summary.set_author(result.signer);
  summary.set_result(static_cast<v1::ResultCode>(result.code));
  summary.set_payload_bytes(static_cast<uint32_t>(entry.payload.size()));
  const absl::StatusOr<ledger::RecordView> record = ledger::DecodeRecord(entry.leaf);
  if (!record.ok()) return summary;
  summary.set_kind(static_cast<uint32_t>(record->kind));
  summary.set_kind_name(std::string(ledger::KindOf(record->kind).name));
  if (const auto* batch = std::get_if<ledger::EventBatchBody>(&record->body)) {
    summary.set_item_count(batch->item_count);
  }
  return summary;
}

absl::StatusOr<v1::Block> ToProto(const ledger::Genesis& genesis, const ledger::ChainReader& reader,
                                  const ledger::BlockInfo& info, const ledger::Block& block,
                                  bool with_records) {
  const ledger::BlockHeader& header = block.header();
  v1::Block proto;
  proto.set_height(info.height.value());
  proto.set_hash(BytesOf(block.hash()));
  proto.set_header(ToString(block.header_bytes()));
  proto.set_signature(BytesOf(block.signature()));
  proto.set_proposer(genesis.validators[header.proposer.value()].identity());
  proto.set_view(header.view.value());
  proto.set_epoch(header.epoch.value());
  proto.set_time_unix_millis(static_cast<int64_t>(header.time_unix_millis));
  proto.set_first_record_index(info.first_index.value());
  proto.set_record_count(info.record_count);
  proto.set_event_count(info.event_count);
  proto.set_bytes(info.frame_bytes);
  proto.set_parent_hash(BytesOf(header.parent_hash));
  proto.set_body_root(BytesOf(header.body_root));
  proto.set_executed_height(header.executed_height.value());
  proto.set_state_digest(BytesOf(header.state_digest));
  proto.set_results_root(BytesOf(header.results_root));
  if (!with_records) return proto;
  ASSIGN_OR_RETURN(const std::vector<ledger::RecordResult> results, reader.GetResults(info.height));
  if (results.size() != block.records().size()) {
    return absl::DataLossError(absl::StrCat("block ", info.height.value(), ": ", results.size(),
                                            " results for ", block.records().size(), " records"));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    *proto.add_records() = Summarise(block.records()[i], results[i]);
  }
  return proto;
}

absl::StatusOr<v1::StoredEvent> EventAt(const ledger::ChainReader& reader,
                                        const ledger::BlockInfo& info, const ledger::Block& block,
                                        const ledger::EventRef& ref) {
  const uint64_t position = ref.record_index - info.first_index;
  if (position >= block.records().size()) {
    return absl::NotFoundError(absl::StrCat("record ", ref.record_index.value(),
                                            " is the seal of block ", info.height.value()));
  }
  const ledger::Block::Entry& entry = block.records()[position];
  ASSIGN_OR_RETURN(const ledger::RecordView record, ledger::DecodeRecord(entry.leaf));
  const auto* batch = std::get_if<ledger::EventBatchBody>(&record.body);
  if (batch == nullptr || ref.item.value() >= batch->item_count) {
    return absl::NotFoundError(
        absl::StrCat("record ", ref.record_index.value(), " has no event ", ref.item.value()));
  }
  v1::StoredEvent stored;
  stored.set_record_index(ref.record_index.value());
  stored.set_item(ref.item.value());
  stored.set_height(info.height.value());
  stored.set_pruned(block.pruned());
  if (!block.pruned()) {
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, ledger::SplitPayload(entry.payload));
    stored.set_event(ToString(events[ref.item.value()]));
  }
  stored.set_stream(std::string(batch->stream));
  const absl::StatusOr<ledger::IdentityInfo> author = reader.FindKey(record.author);
  if (author.ok()) stored.set_author(author->identity);
  return stored;
}

v1::Triage ToProto(const ledger::TriageInfo& triage) {
  v1::Triage proto;
  proto.set_state(std::string(ledger::TriageStateName(triage.state)));
  proto.set_assignee(triage.assignee);
  proto.set_verdict(std::string(ledger::TriageVerdictName(triage.verdict)));
  proto.set_revision(triage.steps.size());
  for (const ledger::TriageStep& step : triage.steps) {
    v1::TriageStep* const out = proto.add_steps();
    out->set_action(std::string(ledger::TriageActionName(step.action)));
    out->set_by(step.by);
    out->set_assignee(step.assignee);
    out->set_verdict(std::string(ledger::TriageVerdictName(step.verdict)));
    out->set_record_index(step.record_index.value());
    out->set_height(step.height.value());
  }
  return proto;
}

v1::AlertAnchor AnchorOf(uint32_t kind, const ledger::EventRef& event) {
  v1::AlertAnchor proto;
  proto.set_record_index(event.record_index.value());
  proto.set_item(event.item.value());
  const std::optional<detector::EntityKind> known = detector::EntityKindOf(kind);
  if (known.has_value()) proto.set_kind(std::string(detector::EntityKindName(*known)));
  return proto;
}

v1::Alert ToProto(const ledger::AlertInfo& alert) {
  v1::Alert proto;
  proto.set_record_index(alert.index.value());
  proto.set_height(alert.height.value());
  proto.set_state(std::string(ledger::AlertStateName(alert.state)));
  proto.set_proposer(alert.proposer);
  proto.set_event_type(alert.event_type);
  proto.set_period(alert.period);
  proto.set_model_digest(BytesOf(alert.model_digest));
  proto.set_score_q8(alert.score_q8);
  proto.set_threshold_q8(alert.threshold_q8);
  proto.set_component(alert.component);
  for (const ledger::AlertReason& reason : alert.reasons) {
    v1::AlertFeature* feature = proto.add_reasons();
    feature->set_feature(reason.feature);
    feature->set_name(FeatureName(alert.event_type, reason.feature));
    feature->set_bits_q8(reason.bits_q8);
  }
  for (const ledger::AlertVerdict& verdict : alert.verdicts) {
    v1::AlertVerdict* out = proto.add_verdicts();
    out->set_validator(verdict.validator);
    out->set_confirms(verdict.verdict == 1);
    out->set_score_q8(verdict.score_q8);
    out->set_record_index(verdict.record_index.value());
  }
  proto.set_confirmed_height(alert.confirmed_height.value());
  *proto.mutable_triage() = ToProto(alert.triage);
  proto.set_incident(alert.incident.value());
  if (alert.anchor_kind != 0) *proto.mutable_anchor() = AnchorOf(alert.anchor_kind, alert.anchor);
  return proto;
}

v1::Model ToProto(const ledger::ModelInfo& model) {
  v1::Model proto;
  proto.set_event_type(model.event_type);
  proto.set_period(model.period);
  proto.set_digest(BytesOf(model.digest));
  proto.set_window_end(model.window_end.value());
  proto.set_row_count(model.row_count);
  proto.set_threshold_q8(model.threshold_q8);
  for (const std::string& validator : model.committed_by) proto.add_committed_by(validator);
  proto.set_active(model.active);
  proto.set_active_from_height(model.active_from.value());
  proto.set_window_digest(BytesOf(model.window_digest));
  proto.set_event_count(model.event_count);
  proto.set_drift_period(model.drift.period);
  proto.set_drift_height(model.drift_height.value());
  for (const ledger::DriftedFeature& drifted : model.drift.drifted) {
    v1::FeatureDrift* const added = proto.add_drifted();
    added->set_feature(drifted.feature);
    added->set_psi_q8(drifted.psi_q8);
    added->set_name(FeatureName(model.event_type, drifted.feature));
  }
  return proto;
}

absl::StatusOr<v1::Checkpoint> CheckpointOf(const NodeServices& services) {
  v1::Checkpoint proto;
  ASSIGN_OR_RETURN(*proto.mutable_note(), services.Checkpoint());
  ASSIGN_OR_RETURN(const ledger::SignedNote note, ledger::DecodeNote(proto.note()));
  ASSIGN_OR_RETURN(const ledger::Checkpoint checkpoint, ledger::DecodeCheckpoint(note.text));
  ASSIGN_OR_RETURN(const ledger::BlockInfo info,
                   services.Snapshot()->BlockOfRecord(RecordIndex(checkpoint.size - 1)));
  proto.set_text(note.text);
  proto.set_size(checkpoint.size);
  proto.set_height(info.height.value());
  const ledger::Genesis& genesis = services.genesis();
  const ledger::LogKeys keys = ledger::LogKeysOf(genesis);
  for (size_t i = 0; i < keys.cosigners.size(); ++i) {
    for (const ledger::NoteSignature& line : note.signatures) {
      if (line.name == keys.cosigners[i].name) {
        proto.add_cosigners(genesis.validators[i].identity());
      }
    }
  }
  return proto;
}

void MarkFinal(const v1::Checkpoint& checkpoint, v1::Block* block) {
  if (block->height() > checkpoint.height()) return;
  block->set_final(true);
  *block->mutable_cosigners() = checkpoint.cosigners();
}

}  // namespace vigil::node
