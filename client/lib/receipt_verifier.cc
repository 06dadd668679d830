#include "client/lib/receipt_verifier.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/checked_proof.h"
#include "ledger/base/mutex.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/fork_evidence.h"
#include "ledger/proof/head.h"
#include "ledger/proof/two_notes.h"

namespace vigil::client {
namespace {

constexpr uint32_t kAnswerMillis = 10'000;  // Beyond the wait that is asked for.
constexpr int kEvidenceFilesMax = 100;

}  // namespace

// One GetProof call: gRPC's callback on one side, the owner's thread on the other.
struct ReceiptVerifier::Call {
  grpc::ClientContext context;
  v1::GetProofRequest request;
  v1::Proof answer;  // gRPC's until `done`.
  size_t endpoint = 0;
  Mutex mutex;
  CondVar changed;
  bool done VIGIL_GUARDED_BY(mutex) = false;
  grpc::Status status VIGIL_GUARDED_BY(mutex);

  ~Call() {
    context.TryCancel();
    MutexLock lock(&mutex);
    while (!done) changed.WaitFor(&mutex, std::chrono::seconds(1));
  }
};

// One GetEpochChain call, and the proof that waits for it.
struct ReceiptVerifier::EpochCall {
  grpc::ClientContext context;
  v1::GetEpochChainRequest request;
  v1::EpochChain answer;  // gRPC's until `done`.
  std::unique_ptr<Call> proof;
  Mutex mutex;
  CondVar changed;
  bool done VIGIL_GUARDED_BY(mutex) = false;
  grpc::Status status VIGIL_GUARDED_BY(mutex);

  ~EpochCall() {
    context.TryCancel();
    MutexLock lock(&mutex);
    while (!done) changed.WaitFor(&mutex, std::chrono::seconds(1));
  }
};

ReceiptVerifier::ReceiptVerifier(Options options, Client* client, ledger::FileSystem* files,
                                 const Clock* clock)
    : options_(std::move(options)),
      client_(client),
      files_(files),
      clock_(clock),
      known_(options_.policy) {
  LoadEpochs();
  LoadHead();
}

ReceiptVerifier::~ReceiptVerifier() = default;

// What an earlier run learned; what the policy does not lead to is left out and asked for anew.
void ReceiptVerifier::LoadEpochs() {
  const absl::StatusOr<std::string> file = files_->ReadAll(options_.folder + "/epochs");
  if (file.ok()) known_.Load(*file).IgnoreError();
}

// A checkpoint of an earlier run; one that the policy is not satisfied with any more is left out.
void ReceiptVerifier::LoadHead() {
  absl::StatusOr<std::string> note = files_->ReadAll(options_.folder + "/checkpoint");
  if (!note.ok()) return;
  ledger::ProvenHead head;
  if (ledger::CheckHead(known_.policies(), *note, &head).has_value()) return;
  head_ = *std::move(note);
  head_size_ = head.checkpoint.size;
  head_root_ = head.checkpoint.root;
}

absl::Status ReceiptVerifier::SaveHead() {
  RETURN_IF_ERROR(files_->MakeDirs(options_.folder));
  return files_->WriteAtomically(options_.folder + "/checkpoint", AsBytes(head_));
}

absl::Status ReceiptVerifier::Step(const ReceiptClaim& newest) {
  if (call_ != nullptr || epoch_call_ != nullptr) RETURN_IF_ERROR(Take());
  if (call_ != nullptr || epoch_call_ != nullptr || newest.sequence <= proven_sequence_)
    return absl::OkStatus();
  if (clock_->MonotonicMicros() < ask_at_micros_) return absl::OkStatus();
  // Whoever said it is asked first.
  if (claim_.sequence != newest.sequence && trouble_since_micros_ == 0) endpoint_ = newest.endpoint;
  claim_ = newest;
  v1::GetProofRequest request;
  request.mutable_record()->set_leaf_hash(std::string(claim_.leaf_hash.view()));
  request.set_wait_millis(options_.wait_millis);
  Ask(std::move(request), endpoint_);
  return absl::OkStatus();
}

void ReceiptVerifier::Ask(v1::GetProofRequest request, size_t endpoint) {
  call_ = std::make_unique<Call>();
  call_->request = std::move(request);
  call_->endpoint = endpoint;
  call_->context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::milliseconds(call_->request.wait_millis() + kAnswerMillis));
  Call* const call = call_.get();
  client_->query(endpoint)->async()->GetProof(&call->context, &call->request, &call->answer,
                                              [call](const grpc::Status& status) {
                                                MutexLock lock(&call->mutex);
                                                call->status = status;
                                                call->done = true;
                                                call->changed.SignalAll();
                                              });
}

absl::Status ReceiptVerifier::Take() {
  if (epoch_call_ != nullptr) {
    MutexLock lock(&epoch_call_->mutex);
    if (!epoch_call_->done) return absl::OkStatus();
  } else {
    MutexLock lock(&call_->mutex);
    if (!call_->done) return absl::OkStatus();
  }
  if (epoch_call_ != nullptr) return TakeEpochs(std::move(epoch_call_));
  return TakeProof(std::move(call_));
}

void ReceiptVerifier::AskEpochs(std::unique_ptr<Call> call) {
  const size_t endpoint = call->endpoint;
  epoch_call_ = std::make_unique<EpochCall>();
  epoch_call_->proof = std::move(call);
  epoch_call_->request.set_after_epoch(known_.end_count());
  epoch_call_->context.set_deadline(std::chrono::system_clock::now() +
                                    std::chrono::milliseconds(kAnswerMillis));
  EpochCall* const asked = epoch_call_.get();
  client_->query(endpoint)->async()->GetEpochChain(&asked->context, &asked->request, &asked->answer,
                                                   [asked](const grpc::Status& status) {
                                                     MutexLock lock(&asked->mutex);
                                                     asked->status = status;
                                                     asked->done = true;
                                                     asked->changed.SignalAll();
                                                   });
}

absl::Status ReceiptVerifier::TakeEpochs(std::unique_ptr<EpochCall> call) {
  grpc::Status status;
  {
    MutexLock lock(&call->mutex);
    status = call->status;
  }
  const size_t endpoint = call->proof->endpoint;
  if (!status.ok()) return Retry(FromGrpc(status, client_->endpoint(endpoint)).message());
  const absl::StatusOr<uint64_t> count = known_.Append(call->answer.file());
  if (!count.ok()) {
    return Lie(endpoint,
               absl::StrCat("gave an epoch chain that is none: ", count.status().message()),
               call->answer.file());
  }
  if (*count == 0) {
    return Retry(absl::StrCat(client_->endpoint(endpoint),
                              " gave a proof of an epoch whose beginning it does not show"));
  }
  RETURN_IF_ERROR(files_->MakeDirs(options_.folder));
  RETURN_IF_ERROR(files_->WriteAtomically(options_.folder + "/epochs", AsBytes(known_.file())));
  return TakeProof(std::move(call->proof));
}

absl::Status ReceiptVerifier::TakeProof(std::unique_ptr<Call> call) {
  grpc::Status status;
  {
    MutexLock lock(&call->mutex);
    status = call->status;
  }
  const bool of_growth = call->request.has_older_checkpoint();
  if (of_growth && (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION ||
                    status.error_code() == grpc::StatusCode::DATA_LOSS)) {
    return Lie(call->endpoint,
               absl::StrCat("shows another history than the one seen before: it does not connect "
                            "the checkpoints of ",
                            head_size_, " and ", next_.size,
                            " leaves, both in the file, and says: ", status.error_message()),
               ledger::EncodeTwoNotes({.first = head_, .second = next_head_}));
  }
  if (!status.ok()) {
    return Retry(FromGrpc(status, client_->endpoint(call->endpoint)).message());
  }
  const absl::StatusOr<CheckedProof> checked =
      CheckProof(known_.policies(), call->request, call->answer.file());
  if (absl::IsOutOfRange(checked.status())) {
    AskEpochs(std::move(call));
    return absl::OkStatus();
  }
  if (!checked.ok()) {
    return Lie(call->endpoint,
               absl::StrCat("gave a proof that is none: ", checked.status().message()),
               call->answer.file());
  }
  if (checked->consistency.has_value()) return Proven();
  const ledger::ProofReport& report = checked->report;
  endpoint_ = call->endpoint;
  if (report.result->code != ledger::ResultCode::kOk) {
    return Lie(claim_.endpoint, "acknowledged a record that the chain did not accept",
               call->answer.file());
  }
  RETURN_IF_ERROR(CompareReceipt(call->answer.file(), report.record->index.value(),
                                 report.block->height.value(), report.block->hash));
  ASSIGN_OR_RETURN(const ledger::TlogProof proof, ledger::DecodeTlogProof(call->answer.file()));
  return FollowHead(checked->head, proof.checkpoint);
}

// The receipt has to be of the block and place that the proof shows.
absl::Status ReceiptVerifier::CompareReceipt(const std::string& file, uint64_t index,
                                             uint64_t height, const Hash& block_hash) {
  const v1::Receipt& receipt = claim_.receipt;
  if (receipt.record_index() == index && receipt.height() == height &&
      (receipt.block_hash().empty() || receipt.block_hash() == block_hash.view())) {
    return absl::OkStatus();
  }
  return Lie(claim_.endpoint,
             absl::StrCat("said that it is record ", receipt.record_index(), " in block ",
                          receipt.height(), " ", HexEncode(AsBytes(receipt.block_hash())),
                          ", the proof shows record ", index, " in block ", height, " ",
                          block_hash.ToHex()),
             file);
}

absl::Status ReceiptVerifier::FollowHead(const ledger::Checkpoint& head, std::string note) {
  next_ = head;
  next_head_ = std::move(note);
  if (head_.empty()) return Proven();
  if (head.size == head_size_) {
    if (head.root == head_root_) return Proven();
    return Lie(endpoint_,
               absl::StrCat("shows another history than the one seen before: both of ", head.size,
                            " leaves, roots ", head.root.ToHex(), " and ", head_root_.ToHex(),
                            "; whoever signed both is convicted by the file"),
               ledger::EncodeForkEvidence({.first = head_, .second = next_head_}));
  }
  // Others may lag, so either may be the older one.
  v1::GetProofRequest request;
  const bool grew = head.size > head_size_;
  request.set_older_checkpoint(grew ? head_ : next_head_);
  request.set_under_checkpoint(grew ? next_head_ : head_);
  Ask(std::move(request), endpoint_);
  return absl::OkStatus();
}

absl::Status ReceiptVerifier::Proven() {
  proven_sequence_ = std::max(proven_sequence_, claim_.sequence);
  trouble_since_micros_ = 0;
  if (next_.size <= head_size_) return absl::OkStatus();
  head_ = std::move(next_head_);
  head_size_ = next_.size;
  head_root_ = next_.root;
  return SaveHead();
}

absl::Status ReceiptVerifier::Retry(absl::string_view why) {
  const int64_t now = clock_->MonotonicMicros();
  endpoint_ = (endpoint_ + 1) % client_->endpoint_count();
  ask_at_micros_ = now + options_.retry_millis * 1000;
  if (trouble_since_micros_ == 0) trouble_since_micros_ = now;
  const int64_t waited_millis = (now - trouble_since_micros_) / 1000;
  if (options_.give_up_millis == 0 || waited_millis < options_.give_up_millis) {
    return absl::OkStatus();
  }
  return UnreachableError(
      absl::StrCat(client_->endpoint(claim_.endpoint), " acknowledged record ", claim_.sequence,
                   " with leaf ", claim_.leaf_hash.ToHex(), " at height ", claim_.receipt.height(),
                   ", and no validator proved it within ", waited_millis, " ms; last: ", why));
}

absl::Status ReceiptVerifier::Lie(size_t endpoint, absl::string_view what,
                                  absl::string_view evidence) {
  RETURN_IF_ERROR(files_->MakeDirs(options_.folder));
  int number = 1;
  const auto path = [&] { return absl::StrCat(options_.folder, "/refused-", number); };
  while (number < kEvidenceFilesMax && files_->Exists(path())) ++number;
  RETURN_IF_ERROR(files_->WriteAtomically(path(), AsBytes(evidence)));
  return absl::DataLossError(absl::StrCat(
      "validator ", client_->endpoint(endpoint), " lies: of record ", claim_.sequence,
      " with leaf ", claim_.leaf_hash.ToHex(), ", acknowledged by ",
      client_->endpoint(claim_.endpoint), ", it ", what, ". Evidence: ", path(),
      ". What was not proven stays in the spool; go on without that validator in --endpoints"));
}

}  // namespace vigil::client
