// The replica's half about records: what goes into blocks, what is forwarded, what is answered.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/tables.h"
#include "node/driver/admission.h"
#include "node/driver/replica.h"

namespace vigil::node {
namespace {

using consensus::AskBuild;
using ledger::BlockId;
using ledger::BlockPtr;
using ledger::ExecutedBlock;
using ledger::RecordKind;
using ledger::RecordView;

constexpr size_t kForwardBytesMax = 1024 * 1024;
constexpr int kForwardFramesPerStepMax = 8;
// A block costs every validator about a millisecond, however little is in it. So while one is under
// way, or soon after one that had several records, what arrives gathers for the next.
constexpr size_t kGatherBytes = 128 * 1024;
constexpr int64_t kGatherUnderWayMicros = 10'000;
constexpr int64_t kGatherBusyMicros = 5'000;
constexpr int64_t kForwardPauseMicros = 10'000;

bool MovesStream(ByteSpan leaf) {
  const auto kind = static_cast<RecordKind>(leaf[1]);
  return kind == RecordKind::kEventBatch || kind == RecordKind::kHeartbeat ||
         kind == RecordKind::kGap || kind == RecordKind::kStreamReset;
}

// Whether the next block is to seal the epoch.
bool ApprovesSet(const ExecutedBlock& executed) {
  const auto approves = [](const ledger::Effect& effect) {
    return effect.type == ledger::EffectType::kProposalClosed &&
           effect.detail == std::string(1, static_cast<char>(ledger::ProposalState::kApproved));
  };
  return std::any_of(executed.results.begin(), executed.results.end(),
                     [&](const ledger::RecordResult& result) {
                       return std::any_of(result.effects.begin(), result.effects.end(), approves);
                     });
}

// What the mempool must know of an executed block.
std::vector<ExecutedRecord> ExecutedRecords(const ExecutedBlock& executed) {
  std::vector<ExecutedRecord> records(executed.results.size());
  for (size_t i = 0; i < records.size(); ++i) {
    const ledger::Block::Entry& entry = executed.block->records()[i];
    records[i].leaf_hash = entry.leaf_hash;
    if (executed.results[i].code != ledger::ResultCode::kOk || !MovesStream(entry.leaf)) continue;
    const absl::StatusOr<RecordView> view = ledger::DecodeRecord(entry.leaf);
    VIGIL_CHECK(view.ok(), "executed record ", executed.results[i].index.value(), ": ",
                view.status().message());
    records[i].place = PlaceOf(*view, executed.results[i].signer);
    records[i].resets = ResetOf(*view);
  }
  return records;
}

}  // namespace

std::optional<ParentBlock> Replica::FindParent(const BlockId& id) const {
  if (id.hash == view_.tip.block_hash) {
    return ParentBlock{.id = id,
                       .executed_in_header = view_.tip.executed_in_header,
                       .time_unix_millis = view_.tip.time_unix_millis};
  }
  const auto known = known_.find(id);
  if (known == known_.end()) return std::nullopt;
  return known->second.block;
}

bool Replica::HeartbeatDue() const {
  const int64_t period_micros = int64_t{ports_.genesis->heartbeat_millis} * 1000;
  return ports_.clock->MonotonicMicros() - last_block_micros_ >= period_micros;
}

int64_t Replica::GathersUntil(const BlockId& parent) const {
  if (mempool_.waiting_bytes() >= kGatherBytes) return 0;
  if (parent.height > status_.committed.height) return last_block_micros_ + kGatherUnderWayMicros;
  return last_block_records_ > 1 ? last_block_micros_ + kGatherBusyMicros : 0;
}

bool Replica::TryBuild() {
  build_at_micros_ = INT64_MAX;
  if (!wanted_.has_value()) return false;
  const int64_t now = ports_.clock->MonotonicMicros();
  const AskBuild ask = *wanted_;
  const std::optional<ParentBlock> parent = FindParent(ask.parent);
  VIGIL_CHECK(parent.has_value(), "asked to build on block ", ask.parent.height.value(), " ",
              ask.parent.hash.ToHex(), ", which was never appended");
  // State may not be referred to before it is there, nor lie too far behind.
  const Height height = ask.parent.height.Next();
  if (executed_ < parent->executed_in_header) return false;
  if (height - executed_ > kExecutionLagHeightsMax) return false;
  std::optional<ledger::SnapshotMark> snapshot;
  if (const Height named = ports_.genesis->SnapshotHeightAt(height); named != Height(0)) {
    snapshot = ports_.snapshots->Find(named);
    if (!snapshot.has_value()) return false;
  }

  std::vector<std::shared_ptr<const ledger::Record>> records;
  if (!ask.empty) {
    if (first_of_view_ == Height(0) || executed_ < first_of_view_) return false;
    if (!mempool_.has_ready() && !HeartbeatDue() && !seal_due_) return false;
    if (const int64_t until = GathersUntil(ask.parent); now < until) {
      build_at_micros_ = until;
      return false;
    }
    records = mempool_.TakeForBlock(ports_.genesis->max_block_bytes - kEmptyBlockBytes,
                                    kBlockRecordsMax, kBlockRecordOverheadBytes);
  }
  absl::StatusOr<BlockPtr> block = builder_->Build(*parent, ask.view, executed_, *view_.reader,
                                                   snapshot, ports_.clock->UnixMillis(), records);
  if (!block.ok()) {
    Fail(block.status(), "build block");
    return false;
  }
  if (ask.empty) first_of_view_ = height;
  wanted_.reset();
  ports_.counters->blocks_built.fetch_add(1, std::memory_order_relaxed);
  ports_.counters->records_built.fetch_add(records.size(), std::memory_order_relaxed);
  Feed(consensus::BlockBuilt{*std::move(block)});
  return true;
}

StreamHeadAt Replica::ExecutedHead(const std::string& stream) const {
  const size_t zero = stream.find('\0');
  const absl::string_view name(stream);
  const absl::StatusOr<ledger::StreamHead> head =
      view_.reader->GetStreamHead(name.substr(0, zero), name.substr(zero + 1));
  if (!head.ok()) {
    ports_.fatal->Fail(head.status());
    return StreamHeadAt();
  }
  return {.sequence = head->sequence, .leaf_hash = head->leaf_hash};
}

void Replica::OnExecuted(const ExecutedBlock& executed) {
  executed_ = executed.tip.height;
  // A start may execute again what approved the present set, in an epoch before this one.
  seal_due_ = (seal_due_ || ApprovesSet(executed)) && !ledger::Seals(executed.block->header());
  AnswerEvicted(mempool_.OnExecuted(ExecutedRecords(executed)));
  while (!known_.empty() && known_.begin()->first.height <= executed_) {
    known_.erase(known_.begin());
  }
  Feed(consensus::Executed{
      .height = executed_, .state_digest = executed.state_digest, .results_root = Hash()});
}

void Replica::OnLocal(PoolRecord record) {
  const PoolRecord kept = record;  // The record itself is shared.
  const AddOutcome outcome = mempool_.Add(std::move(record), ports_.clock->MonotonicMicros());
  switch (outcome) {
    case AddOutcome::kAdded:
    case AddOutcome::kDuplicate:
      return;
    case AddOutcome::kPassed:
      return AnswerPassed(kept);
    case AddOutcome::kConflict:
    case AddOutcome::kTooFar:
    case AddOutcome::kLaneFull:
      return Refuse(kept.leaf_hash, ErrorOf(outcome, kept));
  }
}

void Replica::OnForwarded(Forwarded forwarded) {
  if (!Leads()) return;  // The sender keeps them and tells whoever leads.
  for (PoolRecord& record : forwarded.records) {
    const PoolRecord kept = record;
    const AddOutcome outcome = mempool_.Add(std::move(record), ports_.clock->MonotonicMicros());
    if (outcome == AddOutcome::kAdded || outcome == AddOutcome::kDuplicate) continue;
    // What execution has passed, the sender sees for itself.
    if (outcome == AddOutcome::kPassed) continue;
    RefuseForwarded(forwarded.from, kept.leaf_hash, ErrorOf(outcome, kept));
  }
}

ServiceError Replica::ErrorOf(AddOutcome outcome, const PoolRecord& record) const {
  if (outcome == AddOutcome::kLaneFull || !record.place.has_value()) {
    return LaneFullError(record.lane);
  }
  const StreamHeadAt head = ExecutedHead(record.place->name);
  return outcome == AddOutcome::kTooFar ? StreamGapError(record.place->sequence, head)
                                        : StreamConflictError(record.place->sequence, head);
}

void Replica::AnswerPassed(const PoolRecord& record) {
  absl::StatusOr<SubmitReceipt> receipt = FindReceipt(*view_.reader, record.leaf_hash);
  SubmitOutcome outcome;
  if (receipt.ok()) {
    outcome.receipt = *receipt;
    if (receipt->result == ledger::ResultCode::kOk) {
      outcome.receipt.result = ledger::ResultCode::kDuplicate;
    }
  } else {
    outcome.error = StreamConflictError(record.place->sequence, ExecutedHead(record.place->name));
  }
  ports_.pending->Answer(record.leaf_hash, outcome);
}

void Replica::AnswerEvicted(const std::vector<EvictedRecord>& evicted) {
  for (const EvictedRecord& record : evicted) {
    if (!record.local) continue;  // Its own validator sees the same chain.
    const uint64_t sequence = record.sequence;
    Refuse(record.leaf_hash, record.why == EvictedRecord::Why::kGap
                                 ? StreamGapError(sequence, record.head)
                                 : StreamConflictError(sequence, record.head));
  }
}

void Replica::Refuse(const Hash& leaf_hash, ServiceError error) {
  SubmitOutcome outcome;
  outcome.error = std::move(error);
  ports_.counters->submissions_refused.fetch_add(1, std::memory_order_relaxed);
  ports_.pending->Answer(leaf_hash, outcome);
}

void Replica::RefuseForwarded(ValidatorIndex from, const Hash& leaf_hash,
                              const ServiceError& error) {
  OutFrame frame;
  frame.head = EncodeForwardRefused({.leaf_hash = leaf_hash,
                                     .status = static_cast<uint8_t>(error.status),
                                     .retry_after_millis = error.retry_after_millis,
                                     .expected_sequence = error.expected_sequence,
                                     .expected_previous = error.expected_previous,
                                     .code = error.code,
                                     .what = error.what,
                                     .remedy = error.remedy});
  // A refusal that is lost is asked for again: the sender repeats what has no answer.
  (void)ports_.transport->Send(from, std::move(frame));
}

void Replica::OnRefused(const Refused& refused) {
  if (!status_.leader.has_value() || refused.from != *status_.leader || Leads()) return;
  if (!mempool_.Remove(refused.frame.leaf_hash)) return;
  ServiceError error;
  error.status = static_cast<absl::StatusCode>(refused.frame.status);
  error.code = refused.frame.code;
  error.what = refused.frame.what;
  error.remedy = refused.frame.remedy;
  error.retry_after_millis = refused.frame.retry_after_millis;
  error.expected_sequence = refused.frame.expected_sequence;
  error.expected_previous = refused.frame.expected_previous;
  Refuse(refused.frame.leaf_hash, std::move(error));
}

void Replica::Forward() {
  if (Leads() || !status_.leader.has_value() || *status_.leader == options_.self) return;
  if (forward_leader_ != status_.leader || forward_view_ != status_.view) {
    forward_leader_ = status_.leader;
    forward_view_ = status_.view;
    mempool_.ResetForwards();
  }
  const int64_t now = ports_.clock->MonotonicMicros();
  if (now < forward_again_micros_) return;
  for (int i = 0; i < kForwardFramesPerStepMax; ++i) {
    const auto records = mempool_.PeekForwards(kForwardBytesMax, kForwardRecordsMax);
    if (records.empty()) return;
    OutFrame frame;
    frame.head = EncodeForward(records);
    if (!ports_.transport->Send(*status_.leader, std::move(frame))) {
      forward_again_micros_ = now + kForwardPauseMicros;
      return;
    }
    ports_.counters->records_forwarded.fetch_add(records.size(), std::memory_order_relaxed);
    mempool_.MarkForwarded(records.size(), now);
  }
}

}  // namespace vigil::node
