// Node's two ways in: submissions of clients, and frames of peers. Both run on the caller's thread.
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "node/driver/admission.h"
#include "node/driver/node.h"

namespace vigil::node {
namespace {

using ledger::BlockPtr;
using ledger::Record;

ServiceError RefusingError(absl::string_view reason) {
  ServiceError error;
  error.status = absl::StatusCode::kUnavailable;
  error.code = "node.refusing";
  error.what = absl::StrCat("this validator takes no part in agreement: ", reason);
  error.remedy = "send the same bytes to another validator";
  error.retry_after_millis = 5000;
  return error;
}

ServiceError StoppingError() {
  ServiceError error;
  error.status = absl::StatusCode::kUnavailable;
  error.code = "node.stopping";
  error.what = "this validator stops";
  error.remedy = "send the same bytes to another validator";
  error.retry_after_millis = 1000;
  return error;
}

}  // namespace

void Node::CountRefused(const SubmitDone& done, ServiceError error) {
  counters_.submissions_refused.fetch_add(1, std::memory_order_relaxed);
  SubmitOutcome outcome;
  outcome.error = std::move(error);
  done(outcome);
}

void Node::Submit(Record record, SubmitDone done) {
  counters_.submissions.fetch_add(1, std::memory_order_relaxed);
  if (!refusing_.ok()) return CountRefused(done, RefusingError(refusing_.message()));
  if (fatal_.failed()) return CountRefused(done, RefusingError(fatal_.status().message()));
  // A repeat of what is under way was judged already: it waits with it.
  if (pending_.Join(ledger::LeafHash(AsBytes(record.leaf)), done)) return;
  const ChainAccess::View view = chain_->CurrentView();
  Admission admission = AdmitSubmission(genesis_, *view.reader, config_.mempool, std::move(record));
  if (!admission.error.ok()) return CountRefused(done, std::move(admission.error));
  if (admission.known.has_value()) {
    SubmitOutcome outcome;
    outcome.receipt = *admission.known;
    return done(outcome);
  }
  SubmitAdmitted(std::move(admission.pooled), std::move(done));
}

void Node::SubmitAdmitted(PoolRecord record, SubmitDone done) {
  const Hash leaf_hash = record.leaf_hash;
  const ledger::Lane lane = record.lane;
  const size_t bytes = record.record->leaf.size() + record.record->payload.size();
  switch (pending_.Register(leaf_hash, lane, bytes, done)) {
    case PendingSubmissions::Registered::kJoined:
      return;
    case PendingSubmissions::Registered::kFull:
      return CountRefused(done, LaneFullError(lane));
    case PendingSubmissions::Registered::kClosed:
      return CountRefused(done, StoppingError());
    case PendingSubmissions::Registered::kNew:
      break;
  }
  if (replica_->PushLocal(std::move(record))) return;
  counters_.submissions_refused.fetch_add(1, std::memory_order_relaxed);
  SubmitOutcome outcome;
  outcome.error = LaneFullError(lane);
  pending_.Answer(leaf_hash, outcome);
}

void Node::OnFrame(ValidatorIndex from, std::string frame) {
  counters_.frames_received.fetch_add(1, std::memory_order_relaxed);
  if (replica_ == nullptr || fatal_.failed()) return;
  const absl::StatusOr<PeerFrameType> type = PeerFrameTypeOf(frame);
  absl::Status status = type.status();
  if (from.value() >= genesis_.validators.size() || from == config_.self) {
    status = absl::InvalidArgumentError(absl::StrCat("frame from validator ", from.value()));
  } else if (type.ok() && *type == PeerFrameType::kHello) {
    status = OnHello(from, frame);
    greeted_[from.value()] = status.ok();
  } else if (type.ok() && !greeted_[from.value()]) {
    status = absl::FailedPreconditionError("frame before a good hello");
  } else if (type.ok() && *type == PeerFrameType::kConsensus) {
    status = OnConsensus(from, frame);
  } else if (type.ok() && *type == PeerFrameType::kForward) {
    status = OnForward(from, frame);
  } else if (type.ok() && *type == PeerFrameType::kForwardRefused) {
    status = OnForwardRefused(from, frame);
  } else if (type.ok()) {
    status = OnCosignature(from, frame);
  }
  if (status.ok()) return;
  auto& counter =
      absl::IsResourceExhausted(status) ? counters_.frames_dropped : counters_.frames_invalid;
  if (counter.fetch_add(1, std::memory_order_relaxed) == 0 || !type.ok() ||
      *type == PeerFrameType::kHello) {
    log_(LogLevel::kWarning, "peer",
         absl::StrCat("validator ", from.value(), ": ", status.message()));
  }
}

absl::Status Node::OnHello(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(const HelloFrame hello, DecodeHello(frame));
  if (hello.chain_id != genesis_.chain_id) {
    return absl::InvalidArgumentError(absl::StrCat("hello of chain ", hello.chain_id.ToHex(),
                                                   ", this is ", genesis_.chain_id.ToHex()));
  }
  if (hello.validator != from) {
    return absl::InvalidArgumentError(absl::StrCat("hello of validator ", hello.validator.value()));
  }
  if (hello.protocol_version != kPeerProtocolVersion) {
    return absl::InvalidArgumentError(absl::StrCat("hello of protocol ", hello.protocol_version,
                                                   ", this is ", kPeerProtocolVersion));
  }
  const auto& journal_id = genesis_.validators[from.value()].journal_id;
  if (hello.journal_id.bytes != journal_id.bytes) {
    return absl::InvalidArgumentError(absl::StrCat("hello of journal ", hello.journal_id.ToHex(),
                                                   ", genesis names ", journal_id.ToHex(),
                                                   ": copied or made anew"));
  }
  return absl::OkStatus();
}

absl::Status Node::OnConsensus(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(const ConsensusFrame consensus, DecodeConsensus(frame));
  consensus::PeerMessage message;
  message.from = from;
  message.header = std::string(consensus.header);
  for (const ByteSpan bytes : consensus.blocks) {
    ASSIGN_OR_RETURN(BlockPtr block, ledger::Block::Decode(ToString(bytes)));
    RETURN_IF_ERROR(CheckBlock(genesis_, *block));
    message.blocks.push_back(std::move(block));
  }
  if (replica_->PushPeerMessage(std::move(message))) return absl::OkStatus();
  return absl::ResourceExhaustedError("no room for a consensus frame; agreement repeats it");
}

absl::Status Node::OnForward(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(const ForwardFrame forward, DecodeForward(frame));
  const ChainAccess::View view = chain_->CurrentView();
  std::vector<PoolRecord> records;
  for (const ForwardFrame::Entry& entry : forward.records) {
    const Hash leaf_hash = ledger::LeafHash(AsBytes(entry.leaf));
    Admission admission = AdmitForwarded(
        genesis_, *view.reader,
        Record{.leaf = std::string(entry.leaf), .payload = std::string(entry.payload)});
    if (admission.error.ok()) {
      records.push_back(std::move(admission.pooled));
      continue;
    }
    OutFrame refusal;
    refusal.head = EncodeForwardRefused({.leaf_hash = leaf_hash,
                                         .status = static_cast<uint8_t>(admission.error.status),
                                         .retry_after_millis = admission.error.retry_after_millis,
                                         .expected_sequence = 0,
                                         .expected_previous = Hash(),
                                         .code = admission.error.code,
                                         .what = admission.error.what,
                                         .remedy = admission.error.remedy});
    (void)seams_.transport->Send(from, std::move(refusal));  // Repeated when it is lost.
  }
  if (replica_->PushForwarded(from, std::move(records))) return absl::OkStatus();
  return absl::ResourceExhaustedError("no room for forwarded records; they are sent again");
}

absl::Status Node::OnForwardRefused(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(ForwardRefusedFrame refused, DecodeForwardRefused(frame));
  if (replica_->PushRefused(from, std::move(refused))) return absl::OkStatus();
  return absl::ResourceExhaustedError("no room for a refusal; the record is sent again");
}

absl::Status Node::OnCosignature(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(const CosignatureFrame cosignature, DecodeCosignature(frame));
  return log_actor_->OnCosignature(from, cosignature);
}

void Node::WhenFinal(Height height, FinalDone done) {
  if (refusing_.ok()) return waiters_.Wait(height, std::move(done));
  done(RefusingError(refusing_.message()));
}

}  // namespace vigil::node
