#include "client/lib/submitter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/lib/batch_builder.h"
#include "client/lib/submit_call.h"
#include "ledger/base/limits.h"
#include "ledger/base/mutex.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"

namespace vigil::client {
namespace {

constexpr uint64_t kSpoolBytesLeast = 2 * 1024 * 1024;
constexpr size_t kWindowMax = 256;
// What a record takes in the spool besides its payload, at most.
constexpr size_t kRecordOverheadBytes = 64 * 1024;
constexpr int64_t kWaitMillis = 200;
constexpr int64_t kProofLookMillis = 20;
// Records sent and not yet forgotten; kWindowMax of them may be unanswered.
constexpr size_t kUnprovenMax = 16'384;
constexpr int64_t kStopGraceMicros = 1'000'000;

absl::Status CheckOptions(const SubmitterOptions& options) {
  const auto invalid = [](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(parts...));
  };
  if (options.identity.find('/') == std::string::npos) {
    return invalid("identity \"", options.identity, "\" is not \"org/name\"");
  }
  if (options.stream.empty() || options.stream.size() > kNameBytesMax) {
    return invalid("stream name of ", options.stream.size(), " bytes, from 1 to ", kNameBytesMax);
  }
  for (const char c : options.stream) {
    if (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f) continue;
    return invalid("stream name with a control character");
  }
  if (options.window < 1 || options.window > kWindowMax) {
    return invalid("window of ", options.window, ", from 1 to ", kWindowMax);
  }
  if (options.spool_bytes_max < kSpoolBytesLeast) {
    return invalid("spool of ", options.spool_bytes_max, " bytes, at least ", kSpoolBytesLeast);
  }
  if (options.backoff_millis_min < 1 || options.backoff_millis_max < options.backoff_millis_min) {
    return invalid("backoff from ", options.backoff_millis_min, " to ", options.backoff_millis_max,
                   " ms");
  }
  if (options.receipts == ReceiptCheck::kVerify &&
      (options.policy.quorum.empty() || options.receipts_folder.empty())) {
    return invalid("receipts are to be verified, and there is no policy or no folder for that");
  }
  if (options.answer_millis_max < 1) return invalid("no time to wait for an answer");
  return absl::OkStatus();
}

// Whether another try, here or elsewhere, may bring what this status refused.
bool IsTransient(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return false;
    default:
      return true;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Submitter>> Submitter::Open(
    const SubmitterOptions& options, const ledger::SigningKey* key, Client* client,
    ledger::FileSystem* files, const Clock* clock, SourceMarkKeeper keeper) {
  RETURN_IF_ERROR(CheckOptions(options));
  const SpoolOwner owner{.chain_id = options.chain_id,
                         .key = key->id(),
                         .identity = options.identity,
                         .stream = options.stream};
  ASSIGN_OR_RETURN(std::unique_ptr<Spool> spool, Spool::Open(files, options.spool_folder, owner));
  std::unique_ptr<Submitter> submitter(
      new Submitter(options, key, client, clock, std::move(keeper), std::move(spool)));
  if (options.receipts == ReceiptCheck::kVerify) {
    ReceiptVerifier::Options verify;
    verify.policy = options.policy;
    verify.folder = options.receipts_folder;
    verify.give_up_millis = options.give_up_millis;
    submitter->verifier_ = std::make_unique<ReceiptVerifier>(verify, client, files, clock);
  }
  return submitter;
}

Submitter::Submitter(const SubmitterOptions& options, const ledger::SigningKey* key, Client* client,
                     const Clock* clock, SourceMarkKeeper keeper, std::unique_ptr<Spool> spool)
    : options_(options),
      key_(key),
      client_(client),
      clock_(clock),
      keeper_(std::move(keeper)),
      spool_(std::move(spool)),
      jitter_(static_cast<uint64_t>(clock->MonotonicMicros()) ^ key->id().bytes[0]) {}

Submitter::~Submitter() = default;

std::vector<std::string> Submitter::PendingMarks() const {
  std::vector<std::string> marks;
  for (size_t i = 0; i < spool_->size(); ++i) {
    if (!spool_->source_mark(i).empty()) marks.push_back(spool_->source_mark(i));
  }
  return marks;
}

// --- Taking over.

absl::Status Submitter::CheckStop() const {
  if (!stopped()) return absl::OkStatus();
  return absl::CancelledError(
      absl::StrCat("interrupted; ", spool_->size(), " records wait in ", options_.spool_folder));
}

bool Submitter::HasRoom(size_t bytes) const {
  return spool_->bytes() + bytes + kRecordOverheadBytes <= options_.spool_bytes_max;
}

absl::Status Submitter::WaitForRoom(size_t bytes) {
  while (!HasRoom(bytes)) {
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(Step(kWaitMillis));
  }
  return absl::OkStatus();
}

void Submitter::Drop(const EventBatch& batch) {
  if (loss_.count == 0) {
    loss_.from_unix_nano = batch.first_time_unix_nano;
    loss_.to_unix_nano = batch.last_time_unix_nano;
  }
  loss_.count += batch.events.size();
  loss_.from_unix_nano = std::min(loss_.from_unix_nano, batch.first_time_unix_nano);
  loss_.to_unix_nano = std::max(loss_.to_unix_nano, batch.last_time_unix_nano);
  loss_.source_mark = batch.source_mark;
  stats_.events_dropped += batch.events.size();
}

absl::Status Submitter::RecordLoss() {
  if (loss_.count == 0) return absl::OkStatus();
  ledger::GapBody body;
  body.lost_count = loss_.count;
  body.from_unix_nano = loss_.from_unix_nano;
  body.to_unix_nano = loss_.to_unix_nano;
  body.reason = "the spool was full";
  RETURN_IF_ERROR(SignAndSpool(body, std::string(), 0, loss_.source_mark));
  loss_ = Loss();
  return absl::OkStatus();
}

absl::Status Submitter::SignAndSpool(ledger::RecordBody body, std::string payload,
                                     uint32_t event_count, std::string source_mark) {
  // Before the first signature of a spool it must be known where the stream stands.
  while ((spool_->is_fresh() || options_.adopt_head) && !reconciled_) {
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(Step(kWaitMillis));
  }
  SpooledRecord record;
  record.sequence = spool_->head().sequence + 1;
  const auto place = [&](auto& kind) {
    kind.stream = options_.stream;
    kind.sequence = record.sequence;
    kind.previous = spool_->head().leaf_hash;
  };
  if (auto* batch = std::get_if<ledger::EventBatchBody>(&body)) place(*batch);
  if (auto* beat = std::get_if<ledger::HeartbeatBody>(&body)) place(*beat);
  if (auto* gap = std::get_if<ledger::GapBody>(&body)) place(*gap);
  record.leaf = ledger::SignRecord(body, options_.chain_id, *key_);
  record.payload = std::move(payload);
  record.event_count = event_count;
  record.source_mark = std::move(source_mark);
  stats_.events_spooled += event_count;
  stats_.bytes_spooled += record.leaf.size() + record.payload.size();
  const absl::Status appended = spool_->Append(std::move(record));
  if (!appended.ok()) fatal_ = Annotate(appended, "the spool cannot be written");
  return appended;
}

absl::Status Submitter::Submit(EventBatch batch) {
  RETURN_IF_ERROR(fatal_);
  if (batch.source_mark.size() > kSourceMarkBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("source mark of ", batch.source_mark.size(),
                                                   " bytes, at most ", kSourceMarkBytesMax));
  }
  std::vector<ByteSpan> events;
  events.reserve(batch.events.size());
  for (const std::string& event : batch.events) events.push_back(AsBytes(event));
  std::string payload = ledger::EncodePayload(batch.events);
  ledger::EventBatchBody body;
  body.item_count = static_cast<uint32_t>(batch.events.size());
  body.items_root = ledger::ItemsRoot(events);
  body.first_time_unix_nano = batch.first_time_unix_nano;
  body.last_time_unix_nano = batch.last_time_unix_nano;
  body.payload_bytes = static_cast<uint32_t>(payload.size());
  if (options_.overflow == OverflowPolicy::kDropNewest) {
    RETURN_IF_ERROR(Step(0));
    if (!HasRoom(payload.size())) {
      Drop(batch);
      return absl::OkStatus();
    }
  }
  RETURN_IF_ERROR(WaitForRoom(payload.size()));
  RETURN_IF_ERROR(RecordLoss());
  RETURN_IF_ERROR(
      SignAndSpool(body, std::move(payload), body.item_count, std::move(batch.source_mark)));
  // The events are safe now; what goes wrong with sending them is told by the next call.
  Step(0).IgnoreError();
  return absl::OkStatus();
}

absl::Status Submitter::Heartbeat(uint64_t time_unix_nano) {
  RETURN_IF_ERROR(fatal_);
  RETURN_IF_ERROR(WaitForRoom(0));
  RETURN_IF_ERROR(RecordLoss());
  ledger::HeartbeatBody body;
  body.time_unix_nano = time_unix_nano;
  return SignAndSpool(body, std::string(), 0, std::string());
}

absl::Status Submitter::Poll() {
  RETURN_IF_ERROR(fatal_);
  return Step(0);
}

absl::Status Submitter::Flush() {
  RETURN_IF_ERROR(fatal_);
  if (loss_.count > 0) {
    RETURN_IF_ERROR(WaitForRoom(0));
    RETURN_IF_ERROR(RecordLoss());
  }
  if (options_.ack == v1::ACK_ACCEPTED) return Step(0);
  int64_t stopped_at_micros = 0;
  while (spool_->size() > 0) {
    if (stopped()) {
      const int64_t now = clock_->MonotonicMicros();
      if (stopped_at_micros == 0) stopped_at_micros = now;
      // Answers that are on their way are worth a moment, a network in trouble is not.
      const bool answers_near =
          call_ != nullptr && trouble_.empty() && now - stopped_at_micros < kStopGraceMicros;
      if (!answers_near) return CheckStop();
    }
    RETURN_IF_ERROR(Step(kWaitMillis));
  }
  return absl::OkStatus();
}

// --- Sending and receiving.

void Submitter::Pause(int64_t millis) {
  Mutex mutex;
  CondVar never;
  MutexLock lock(&mutex);
  never.WaitFor(&mutex, std::chrono::milliseconds(millis));
}

absl::Status Submitter::Step(int64_t wait_millis) {
  RETURN_IF_ERROR(fatal_);
  if (call_ == nullptr) {
    if (spool_->size() == 0 && reconciled_) return absl::OkStatus();
    RETURN_IF_ERROR(CheckPatience());
    const int64_t early_millis = (connect_at_micros_ - clock_->MonotonicMicros() + 999) / 1000;
    if (early_millis > 0) {
      if (wait_millis > 0) Pause(std::min(wait_millis, early_millis));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Connect());
    if (call_ == nullptr) return absl::OkStatus();
  }
  RETURN_IF_ERROR(Receive());
  RETURN_IF_ERROR(Send());
  if (call_ == nullptr || wait_millis == 0 || spool_->size() == 0) return absl::OkStatus();
  // Nothing wakes this thread when a proof comes.
  if (!acknowledged_.empty()) wait_millis = std::min(wait_millis, kProofLookMillis);
  call_->Wait(wait_millis, /*for_write=*/sent_ < SendLimit());
  return Receive();
}

absl::Status Submitter::Unanswered(const absl::Status& status) {
  if (!IsTransient(static_cast<grpc::StatusCode>(status.code()))) return fatal_ = status;
  Disconnect(status.message(), /*delay_millis=*/-1, /*rotate=*/true);
  return absl::OkStatus();
}

absl::Status Submitter::Reconcile() {
  const absl::StatusOr<v1::Status> node = client_->GetStatus();
  if (!node.ok()) return Unanswered(node.status());
  if (node->chain_id() != options_.chain_id.view()) {
    return fatal_ = absl::FailedPreconditionError(absl::StrCat(
               node->validator(), " of network ", node->network(), " is on chain ",
               HexEncode(AsBytes(node->chain_id())), ", the genesis file is that of chain ",
               options_.chain_id.ToHex(), "; nothing was signed for it. Pass the network's own ",
               "--genesis, or the --endpoints of this one"));
  }
  const absl::StatusOr<v1::StreamHead> head =
      client_->GetStreamHead(options_.identity, options_.stream);
  if (!head.ok()) return Unanswered(head.status());
  StreamPosition chain{.sequence = head->sequence(), .leaf_hash = Hash()};
  if (chain.sequence > 0) {
    ASSIGN_OR_RETURN(chain.leaf_hash, Hash::From(AsBytes(head->leaf_hash())));
  }
  fatal_ = CompareHeads(chain);
  reconciled_ = fatal_.ok();
  return fatal_;
}

absl::Status Submitter::CompareHeads(const StreamPosition& chain) {
  const StreamPosition& ours = spool_->head();
  if (chain == ours || chain.sequence < ours.sequence) return absl::OkStatus();
  if (options_.adopt_head) return spool_->Adopt(chain);
  const std::string stream = absl::StrCat(options_.identity, "/", options_.stream);
  if (chain.sequence > ours.sequence) {
    return absl::FailedPreconditionError(absl::StrCat(
        "stream ", stream, ": the chain has sequence ", chain.sequence, ", the spool in ",
        options_.spool_folder, " has signed up to ", ours.sequence,
        ". If the spool was lost, give --stream a new name; or start with --adopt-head, if nothing "
        "of the lost spool can still be under way. If another process signs for this stream, stop "
        "one of them"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "stream ", stream, ": at sequence ", chain.sequence, " the chain has leaf ",
      chain.leaf_hash.ToHex(), ", the spool ", ours.leaf_hash.ToHex(),
      ". If the stream was reset, start with --adopt-head; else give --stream a new name"));
}

absl::Status Submitter::Connect() {
  if (!reconciled_) RETURN_IF_ERROR(Reconcile());
  if (!reconciled_ || spool_->size() == 0) return absl::OkStatus();
  call_ = std::make_unique<SubmitCall>(client_->ingest(endpoint_));
  sent_ = 0;
  acknowledged_.clear();
  progress_at_micros_ = clock_->MonotonicMicros();
  return absl::OkStatus();
}

absl::Status Submitter::Receive() {
  bool again = false;
  for (const v1::SubmitResponse& answer : call_->TakeAnswers()) {
    if (acknowledged_.size() >= sent_) {
      Disconnect("an answer to no request", /*delay_millis=*/-1, /*rotate=*/true);
      again = true;
      break;
    }
    absl::StatusOr<std::shared_ptr<const SpooledRecord>> record = spool_->Get(acknowledged_.size());
    if (!record.ok()) return fatal_ = record.status();
    RETURN_IF_ERROR(Judge(answer, **record, &again));
    if (again) break;
  }
  RETURN_IF_ERROR(KeepDelivered());
  if (again) return absl::OkStatus();
  if (call_->ended()) {
    const grpc::Status status = call_->status();
    const std::string why = absl::StrCat(client_->endpoint(endpoint_), ": ",
                                         status.ok() ? "ended the call" : status.error_message());
    if (!status.ok() && !IsTransient(status.error_code())) {
      return fatal_ = FromGrpc(status, client_->endpoint(endpoint_));
    }
    Disconnect(why, /*delay_millis=*/-1, /*rotate=*/true);
  } else if (sent_ > acknowledged_.size() &&
             clock_->MonotonicMicros() - progress_at_micros_ > options_.answer_millis_max * 1000) {
    Disconnect(absl::StrCat(client_->endpoint(endpoint_), ": no answer for ",
                            options_.answer_millis_max, " ms"),
               /*delay_millis=*/-1, /*rotate=*/true);
  }
  return absl::OkStatus();
}

absl::Status Submitter::Judge(const v1::SubmitResponse& answer, const SpooledRecord& record,
                              bool* again) {
  if (answer.tag() != record.sequence || (!answer.has_error() && !answer.has_receipt())) {
    Disconnect("an answer that is out of order", /*delay_millis=*/-1, /*rotate=*/true);
    *again = true;
    return absl::OkStatus();
  }
  if (answer.has_error()) {
    *again = true;
    return JudgeRefusal(answer.error(), record);
  }
  const v1::Receipt& receipt = answer.receipt();
  const bool has_it = receipt.result() == v1::RESULT_OK || receipt.result() == v1::RESULT_DUPLICATE;
  if (has_it && receipt.leaf_hash() != record.leaf_hash.view()) {
    Disconnect("a receipt for another record", /*delay_millis=*/-1, /*rotate=*/true);
    *again = true;
    return absl::OkStatus();
  }
  if (has_it && options_.ack == v1::ACK_FINAL && receipt.reached() != v1::ACK_FINAL) {
    Disconnect("a receipt below the level asked for", /*delay_millis=*/-1, /*rotate=*/true);
    *again = true;
    return absl::OkStatus();
  }
  if (!has_it) {
    return fatal_ = absl::FailedPreconditionError(absl::StrCat(
               "record ", record.sequence, " of stream ", options_.stream, " with leaf ",
               record.leaf_hash.ToHex(), " got ", v1::ResultCode_Name(receipt.result()),
               " at height ", receipt.height(), ", record index ", receipt.record_index(),
               ". It stays in the spool; nothing more is sent"));
  }
  acknowledged_.push_back({.sequence = record.sequence,
                           .leaf_hash = record.leaf_hash,
                           .event_count = record.event_count,
                           .receipt = receipt,
                           .endpoint = endpoint_});
  failures_ = 0;
  trouble_.clear();
  trouble_since_micros_ = 0;
  progress_at_micros_ = clock_->MonotonicMicros();
  return absl::OkStatus();
}

absl::Status Submitter::JudgeRefusal(const v1::ErrorDetail& detail, const SpooledRecord& record) {
  const std::string what =
      absl::StrCat(client_->endpoint(endpoint_), ": ", detail.code(), ": ", detail.what());
  if (detail.retry_after_millis() > 0) {
    // A full lane is full on every validator; other reasons are this one's own.
    const bool rotate = !absl::StartsWith(detail.code(), "lane.");
    Disconnect(what, detail.retry_after_millis(), rotate);
    return absl::OkStatus();
  }
  if (detail.code() == "stream.gap" && detail.expected_sequence() <= record.sequence) {
    // The validator lags behind what another one acknowledged.
    Disconnect(what, /*delay_millis=*/-1, /*rotate=*/true);
    return absl::OkStatus();
  }
  std::string evidence =
      absl::StrCat("record ", record.sequence, " of stream ", options_.stream, " with leaf ",
                   record.leaf_hash.ToHex(), " was refused: ", what);
  if (detail.expected_sequence() > 0) {
    absl::StrAppend(&evidence, "; the chain expects sequence ", detail.expected_sequence(),
                    " after leaf ", HexEncode(AsBytes(detail.expected_previous())));
  }
  absl::StrAppend(&evidence, "; ", detail.remedy(), ". It stays in the spool");
  return fatal_ = absl::FailedPreconditionError(evidence);
}

absl::StatusOr<size_t> Submitter::CountDelivered() {
  if (verifier_ == nullptr || acknowledged_.empty()) return acknowledged_.size();
  RETURN_IF_ERROR(verifier_->Step(acknowledged_.back()));
  size_t count = 0;
  while (count < acknowledged_.size() &&
         acknowledged_[count].sequence <= verifier_->proven_sequence()) {
    ++count;
  }
  return count;
}

absl::Status Submitter::KeepDelivered() {
  const absl::StatusOr<size_t> delivered = CountDelivered();
  if (!delivered.ok()) return fatal_ = delivered.status();
  if (*delivered == 0) return absl::OkStatus();
  std::vector<std::string> marks;
  for (size_t i = 0; i < *delivered; ++i) {
    if (!spool_->source_mark(i).empty()) marks.push_back(spool_->source_mark(i));
  }
  absl::Status kept = marks.empty() ? absl::OkStatus() : keeper_(marks);
  if (!kept.ok()) return fatal_ = Annotate(kept, "the source position cannot be kept");
  kept = spool_->Acknowledge(*delivered);
  if (!kept.ok()) return fatal_ = Annotate(kept, "the spool cannot be written");
  sent_ -= std::min(sent_, *delivered);
  for (size_t i = 0; i < *delivered; ++i) {
    const ReceiptClaim& claim = acknowledged_.front();
    ++stats_.batches_delivered;
    stats_.events_delivered += claim.event_count;
    if (claim.receipt.result() == v1::RESULT_DUPLICATE) ++stats_.duplicates;
    stats_.last_height = std::max(stats_.last_height, claim.receipt.height());
    acknowledged_.pop_front();
  }
  return absl::OkStatus();
}

size_t Submitter::SendLimit() const {
  return std::min({spool_->size(), acknowledged_.size() + options_.window, kUnprovenMax});
}

absl::Status Submitter::Send() {
  while (call_ != nullptr && sent_ < SendLimit() && call_->CanWrite()) {
    absl::StatusOr<std::shared_ptr<const SpooledRecord>> record = spool_->Get(sent_);
    if (!record.ok()) return fatal_ = record.status();
    v1::SubmitRequest request;
    request.set_tag((*record)->sequence);
    request.set_leaf((*record)->leaf);
    request.set_payload((*record)->payload);
    // kAccepted is our own word; validators are asked for the next level.
    request.set_ack(options_.ack == v1::ACK_FINAL ? v1::ACK_FINAL : v1::ACK_COMMITTED);
    if (!call_->TryWrite(std::move(request))) break;
    if (sent_++ == acknowledged_.size()) progress_at_micros_ = clock_->MonotonicMicros();
  }
  return absl::OkStatus();
}

absl::Status Submitter::CheckPatience() {
  if (trouble_since_micros_ == 0 || options_.give_up_millis == 0) return absl::OkStatus();
  const int64_t waited_millis = (clock_->MonotonicMicros() - trouble_since_micros_) / 1000;
  if (waited_millis < options_.give_up_millis) return absl::OkStatus();
  return UnreachableError(absl::StrCat("no progress for ", waited_millis, " ms; ", spool_->size(),
                                       " records wait in ", options_.spool_folder,
                                       "; last: ", trouble_));
}

void Submitter::Disconnect(absl::string_view why, int64_t delay_millis, bool rotate) {
  call_.reset();
  if (rotate) endpoint_ = (endpoint_ + 1) % client_->endpoint_count();
  // An idle call that ends is no trouble: the next record opens another.
  if (reconciled_ && spool_->size() == 0) return;
  ++failures_;
  ++stats_.retries;
  trouble_ = std::string(why);
  const int64_t now = clock_->MonotonicMicros();
  if (trouble_since_micros_ == 0) trouble_since_micros_ = now;
  if (delay_millis < 0) {
    // Every validator gets one try before the delay grows; half of it is random.
    const size_t rounds = std::min<size_t>((failures_ - 1) / client_->endpoint_count(), 20);
    const int64_t full =
        std::min(options_.backoff_millis_min << rounds, options_.backoff_millis_max);
    delay_millis = full / 2 + static_cast<int64_t>(jitter_.Below(static_cast<uint64_t>(full)) / 2);
    if (failures_ < client_->endpoint_count()) delay_millis = 0;
  }
  connect_at_micros_ = now + delay_millis * 1000;
}

}  // namespace vigil::client
