// Node's two ways in: submissions of clients, and frames of peers. Both run on the caller's thread.
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/merkle.h"
#include "node/driver/admission.h"
#include "node/driver/node.h"

namespace vigil::node {
namespace {

using ledger::BlockPtr;
using ledger::Record;

ServiceError RefusingError(absl::string_view reason) {
  return MakeError(absl::StatusCode::kUnavailable, "node.refusing",
                   absl::StrCat("this validator takes no part in agreement: ", reason),
                   "send the same bytes to another validator", 5000);
}

ServiceError StoppingError(bool taken) {
  return MakeError(absl::StatusCode::kUnavailable, "node.stopping",
                   taken ? "this validator stops; whether the record was taken is not known"
                         : "this validator stops",
                   "send the same bytes to another validator", 1000);
}

// One line in the log per peer and minute.
constexpr int64_t kTellMicros = 60'000'000;

}  // namespace

void Node::CountRefused(const SubmitDone& done, ServiceError error) {
  counters_.submissions_refused.fetch_add(1, std::memory_order_relaxed);
  SubmitOutcome outcome;
  outcome.error = std::move(error);
  done(outcome);
}

SubmitTicket Node::Submit(Record record, SubmitDone done) {
  counters_.submissions.fetch_add(1, std::memory_order_relaxed);
  const auto refuse = [&](ServiceError error) {
    CountRefused(done, std::move(error));
    return SubmitTicket();
  };
  if (!refusing_.ok()) return refuse(RefusingError(refusing_.message()));
  if (fatal_.failed()) return refuse(RefusingError(FatalReason()));
  // A repeat of what is under way was judged already: it waits with it.
  SubmitTicket ticket;
  if (pending_.Join(ledger::LeafHash(AsBytes(record.leaf)), done, &ticket)) return ticket;
  const ChainAccess::View view = chain_->CurrentView();
  Admission admission = AdmitSubmission(genesis_, *view.reader, config_.mempool, std::move(record));
  if (!admission.error.ok()) return refuse(std::move(admission.error));
  if (admission.known.has_value()) {
    SubmitOutcome outcome;
    outcome.receipt = *admission.known;
    done(outcome);
    return SubmitTicket();
  }
  if (replica_->leaderless()) return refuse(NoLeaderError(/*taken=*/false));
  return SubmitAdmitted(std::move(admission.pooled), std::move(done));
}

SubmitTicket Node::SubmitAdmitted(PoolRecord record, SubmitDone done) {
  const Hash leaf_hash = record.leaf_hash;
  const ledger::Lane lane = record.lane;
  const size_t bytes = record.record->leaf.size() + record.record->payload.size();
  SubmitTicket ticket;
  switch (pending_.Register(leaf_hash, lane, bytes, done, &ticket)) {
    case PendingSubmissions::Registered::kJoined:
      return ticket;
    case PendingSubmissions::Registered::kFull:
      CountRefused(done, LaneFullError(lane));
      return SubmitTicket();
    case PendingSubmissions::Registered::kClosed:
      CountRefused(done, StoppingError(/*taken=*/false));
      return SubmitTicket();
    case PendingSubmissions::Registered::kNew:
      break;
  }
  if (replica_->PushLocal(std::move(record))) return ticket;
  counters_.submissions_refused.fetch_add(1, std::memory_order_relaxed);
  SubmitOutcome outcome;
  outcome.error = LaneFullError(lane);
  pending_.Answer(leaf_hash, outcome);
  return SubmitTicket();
}

void Node::Withdraw(const SubmitTicket& ticket) { pending_.Withdraw(ticket); }

void Node::AnswerWaiting() {
  SubmitOutcome stopping;
  stopping.error = StoppingError(/*taken=*/true);
  pending_.Close(stopping);
  stopping.error.what = "this validator stops; the record is committed, not final here";
  waiters_.Close(stopping.error);
  stopping.error.what = "this validator stops";
  stopping.error.remedy = "ask another validator";
  reads_.Close(stopping.error);
  transfers_.Close(stopping.error);
}

absl::Status Node::OnFrame(PeerStream* stream, std::string frame) {
  counters_.frames_received.fetch_add(1, std::memory_order_relaxed);
  if ((replica_ == nullptr && join_ == nullptr) || fatal_.failed()) return absl::OkStatus();
  const ValidatorIndex from = stream->from;
  absl::Status status;
  if (from.value() >= genesis_.validators.size() || from == config_.self) {
    status = absl::InvalidArgumentError(absl::StrCat("stream of validator index ", from.value()));
  } else {
    const absl::StatusOr<PeerFrameType> type = PeerFrameTypeOf(frame);
    status = type.ok() ? HandleFrame(stream, *type, frame) : type.status();
  }
  if (status.ok()) return status;
  const bool dropped = absl::IsResourceExhausted(status);
  (dropped ? counters_.frames_dropped : counters_.frames_invalid)
      .fetch_add(1, std::memory_order_relaxed);
  if (!dropped) TellOfBadFrame(from, status);
  return stream->greeted ? absl::OkStatus() : status;
}

// What a peer does wrong it may do a thousand times a second: told once a minute.
void Node::TellOfBadFrame(ValidatorIndex from, const absl::Status& status) {
  if (from.value() >= genesis_.validators.size()) return;
  const int64_t now = seams_.clock->MonotonicMicros();
  std::atomic<int64_t>& told = told_micros_[from.value()];
  int64_t before = told.load();
  if (before != 0 && now - before < kTellMicros) return;
  if (!told.compare_exchange_strong(before, now)) return;
  log_(LogLevel::kWarning, "peer",
       absl::StrCat(genesis_.validators[from.value()].identity(),
                    " sent what is not accepted: ", status.message()));
}

absl::Status Node::HandleFrame(PeerStream* stream, PeerFrameType type, absl::string_view frame) {
  if (type == PeerFrameType::kHello) {
    if (stream->greeted) return absl::InvalidArgumentError("a second hello");
    RETURN_IF_ERROR(OnHello(stream, frame));
    stream->greeted = true;
    return absl::OkStatus();
  }
  if (!stream->greeted) return absl::FailedPreconditionError("frame before a good hello");
  // One that joins takes no part yet; the others repeat what matters.
  if (join_ != nullptr && type != PeerFrameType::kFetchAnswer) return absl::OkStatus();
  switch (type) {
    case PeerFrameType::kHello:
      break;
    case PeerFrameType::kConsensus:
      return OnConsensus(stream->from, frame);
    case PeerFrameType::kForward:
      return OnForward(stream->from, frame);
    case PeerFrameType::kForwardRefused:
      return OnForwardRefused(stream->from, frame);
    case PeerFrameType::kCosignature:
      return OnCosignature(stream->from, frame);
    case PeerFrameType::kFetchRequest:
      return OnFetchRequest(stream->from, frame);
    case PeerFrameType::kFetchAnswer:
      return OnFetchAnswer(stream->from, frame);
  }
  return absl::OkStatus();
}

// Anchors prove themselves, whoever brings them.
absl::Status Node::FollowEpoch(const HelloFrame& hello, const ledger::GenesisValidator& sender) {
  if (!hello.anchors.empty()) {
    const absl::Status followed = epochs_->OnAnchors(hello.anchors);
    if (!followed.ok()) {
      return Annotate(followed, absl::StrCat("epoch chain of ", sender.identity()));
    }
  }
  if (hello.epoch == genesis_.epoch) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("hello of epoch ", hello.epoch.value(), " from ", sender.identity(),
                   ", this validator is in epoch ", genesis_.epoch.value(),
                   hello.epoch < genesis_.epoch ? "; the other epoch is over" : ""));
}

absl::Status Node::OnHello(PeerStream* stream, absl::string_view frame) {
  ASSIGN_OR_RETURN(const HelloFrame hello, DecodeHello(frame));
  const ledger::GenesisValidator& sender = genesis_.validators[stream->from.value()];
  if (hello.chain_id != genesis_.chain_id) {
    return absl::InvalidArgumentError(absl::StrCat("hello of chain ", hello.chain_id.ToHex(),
                                                   ", this is ", genesis_.chain_id.ToHex(),
                                                   "; both must have the same genesis file"));
  }
  RETURN_IF_ERROR(FollowEpoch(hello, sender));
  if (hello.validator != stream->from) {
    return absl::InvalidArgumentError(absl::StrCat("hello of validator index ",
                                                   hello.validator.value(), ", the certificate is ",
                                                   sender.identity(), "'s"));
  }
  if (hello.journal_id.bytes != sender.journal_id.bytes) {
    return absl::InvalidArgumentError(absl::StrCat("hello of journal ", hello.journal_id.ToHex(),
                                                   ", genesis names ", sender.journal_id.ToHex(),
                                                   ": copied or made anew"));
  }
  const std::string message = HelloMessage(hello, config_.self, stream->certificate_hash);
  if (!ledger::VerifySignature(sender.consensus_key, AsBytes(message), hello.signature)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "hello that ", sender.identity(), "'s consensus key did not sign for this connection"));
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

absl::Status Node::OnFetchRequest(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(FetchRequest request, DecodeFetchRequest(frame));
  fetch_server_->OnRequest(from, std::move(request));
  return absl::OkStatus();
}

absl::Status Node::OnFetchAnswer(ValidatorIndex from, absl::string_view frame) {
  ASSIGN_OR_RETURN(FetchAnswer answer, DecodeFetchAnswer(frame));
  if (scrubber_ != nullptr && answer.id >= kScrubFetchIdMin) {
    // One that comes too late is no fault.
    (void)scrubber_->OnAnswer(from, std::move(answer));
    return absl::OkStatus();
  }
  if (detector_ != nullptr && answer.id >= kDetectFetchIdMin && answer.id <= kDetectFetchIdMax) {
    (void)detector_->OnAnswer(from, std::move(answer));  // Likewise.
    return absl::OkStatus();
  }
  if (join_ != nullptr) return join_->OnAnswer(from, std::move(answer));
  return absl::InvalidArgumentError(
      absl::StrCat("answer to fetch ", answer.id, ", which was not asked"));
}

void Node::WhenFinal(Height height, FinalDone done) {
  if (refusing_.ok()) return waiters_.Wait(height, std::move(done));
  done(RefusingError(refusing_.message()));
}

void Node::WhenCurrent(int64_t wait_micros, ReadDone done) {
  if (!refusing_.ok() || fatal_.failed()) {
    ServiceError error = RefusingError(refusing_.ok() ? FatalReason() : refusing_.message());
    error.remedy =
        "ask another validator; --consistency local answers from what this one has executed";
    return done(error, Height(0));
  }
  reads_.Wait(seams_.clock->MonotonicMicros() + wait_micros, std::move(done));
  replica_->signal()->Set();
}

void Node::TransferLeadership(std::optional<ValidatorIndex> to, TransferDone done) {
  if (!refusing_.ok() || fatal_.failed()) {
    ServiceError error = RefusingError(refusing_.ok() ? FatalReason() : refusing_.message());
    error.remedy = "ask the leader; vigil status says who leads";
    return done({.error = std::move(error), .leader = ValidatorIndex()});
  }
  transfers_.Ask(to, std::move(done));
  replica_->signal()->Set();
}

}  // namespace vigil::node
