#include "ledger/state/streams.h"

#include <optional>

#include "ledger/state/identity.h"

namespace vigil::ledger {

namespace {

// The sequence was taken before: by these bytes or by others?
ResultCode JudgeRepeat(const RecordContext& context, const StreamStep& step) {
  const std::string key = StreamSequenceKey(context.signer->identity, step.stream, step.sequence);
  const std::optional<IndexRow> taken = ReadRow<IndexRow>(*context.view, key);
  if (!taken.has_value()) return ResultCode::kConflict;
  const std::optional<StreamRecordRow> first =
      ReadRow<StreamRecordRow>(*context.view, StreamRecordKey(taken->index));
  const bool same = first.has_value() && first->leaf_hash == context.leaf_hash;
  return same ? ResultCode::kDuplicate : ResultCode::kConflict;
}

}  // namespace

StreamStep StepOf(const EventBatchBody& body) {
  return {.stream = body.stream,
          .sequence = body.sequence,
          .previous = body.previous,
          .item_count = body.item_count,
          .items_root = body.items_root};
}

StreamStep StepOf(const HeartbeatBody& body) {
  StreamStep step;
  step.stream = body.stream;
  step.sequence = body.sequence;
  step.previous = body.previous;
  return step;
}

StreamStep StepOf(const GapBody& body) {
  StreamStep step;
  step.stream = body.stream;
  step.sequence = body.sequence;
  step.previous = body.previous;
  return step;
}

ResultCode ApplyStreamStep(const RecordContext& context, const StreamStep& step) {
  const std::string& identity = context.signer->identity;
  const StreamHeadRow head = FindStreamHead(*context.view, identity, step.stream);
  if (step.sequence <= head.sequence) return JudgeRepeat(context, step);
  if (step.sequence - head.sequence != 1) return ResultCode::kGapped;
  if (step.previous != head.leaf_hash) return ResultCode::kGapped;

  WriteRow(context.view, StreamHeadKey(identity, step.stream),
           StreamHeadRow{.sequence = step.sequence,
                         .leaf_hash = context.leaf_hash,
                         .record_index = context.index});
  WriteRow(context.view, StreamSequenceKey(identity, step.stream, step.sequence),
           IndexRow{.index = context.index});
  WriteRow(context.view, StreamRecordKey(context.index),
           StreamRecordRow{.leaf_hash = context.leaf_hash,
                           .item_count = step.item_count,
                           .items_root = step.items_root,
                           .org = context.signer->org});
  if (step.sequence == 1) context.Emit(EffectType::kStreamOpened, context.index.value());
  return ResultCode::kOk;
}

ResultCode ApplyStreamReset(const RecordContext& context, const StreamResetBody& body) {
  if (OrgOf(body.identity) != context.signer->org) return ResultCode::kPermissionDenied;
  const std::string reset_key = StreamResetKey(context.leaf_hash);
  if (context.view->Get(reset_key).has_value()) return ResultCode::kDuplicate;
  const StreamHeadRow head = FindStreamHead(*context.view, body.identity, body.stream);
  if (head.sequence == 0) return ResultCode::kNotFound;
  if (head.sequence != body.head_sequence) return ResultCode::kStale;

  WriteRow(context.view, reset_key, IndexRow{.index = context.index});
  WriteRow(context.view, StreamHeadKey(body.identity, body.stream),
           StreamHeadRow{.sequence = head.sequence,
                         .leaf_hash = context.leaf_hash,
                         .record_index = context.index});
  context.Emit(EffectType::kStreamReset, context.index.value());
  return ResultCode::kOk;
}

StreamHeadRow FindStreamHead(const StateView& view, absl::string_view identity,
                             absl::string_view stream) {
  return ReadRow<StreamHeadRow>(view, StreamHeadKey(identity, stream)).value_or(StreamHeadRow{});
}

}  // namespace vigil::ledger
