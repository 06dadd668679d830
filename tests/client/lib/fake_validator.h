// A validator in the test's own process, on a port of its own: it judges records as the chain
// would, and misbehaves on command.
#ifndef VIGIL_TESTS_CLIENT_LIB_FAKE_VALIDATOR_H_
#define VIGIL_TESTS_CLIENT_LIB_FAKE_VALIDATOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/base/mutex.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/log/merkle.h"
#include "tests/client/lib/loopback.h"
#include "tests/support/catch.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::client {

// What all validators of a test agree on. Thread-safe.
class FakeChain {
 public:
  FakeChain(const Hash& chain_id, const PublicKey& key) : chain_id_(chain_id), key_(key) {}

  // Judges a record by the stream rule, as docs/formats.md has it.
  v1::Receipt Judge(const v1::SubmitRequest& request) {
    MutexLock lock(&mutex_);
    const ledger::RecordView view = Decode(request);
    const auto [sequence, previous] = PlaceOf(view);
    const Hash leaf_hash = ledger::LeafHash(AsBytes(request.leaf()));
    v1::Receipt receipt;
    receipt.set_leaf_hash(std::string(leaf_hash.view()));
    receipt.set_reached(v1::ACK_COMMITTED);
    const auto known = receipts_.find(leaf_hash);
    if (known != receipts_.end()) {
      receipt = known->second;
      receipt.set_result(v1::RESULT_DUPLICATE);
      return receipt;
    }
    if (sequence <= head_sequence_) {
      receipt.set_result(v1::RESULT_CONFLICT);
      ++conflicts_;
      return receipt;
    }
    if (sequence > head_sequence_ + 1) {
      // A real validator holds it until the records before it are there.
      receipt.set_result(v1::RESULT_GAPPED);
      return receipt;
    }
    if (previous != head_) {
      receipt.set_result(v1::RESULT_GAPPED);
      ++conflicts_;
      return receipt;
    }
    head_sequence_ = sequence;
    head_ = leaf_hash;
    receipt.set_result(v1::RESULT_OK);
    receipt.set_record_index(receipts_.size());
    receipt.set_height(receipts_.size() + 1);
    receipts_[leaf_hash] = receipt;
    Take(view, request);
    return receipt;
  }

  v1::StreamHead Head() const {
    MutexLock lock(&mutex_);
    v1::StreamHead head;
    head.set_sequence(head_sequence_);
    if (head_sequence_ > 0) head.set_leaf_hash(std::string(head_.view()));
    return head;
  }
  // Pretends that others, or an admin's reset, brought the stream here.
  void SetHead(uint64_t sequence, const Hash& leaf_hash) {
    MutexLock lock(&mutex_);
    head_sequence_ = sequence;
    head_ = leaf_hash;
  }

  const Hash& chain_id() const { return chain_id_; }

  std::vector<std::string> events() const {
    MutexLock lock(&mutex_);
    return events_;
  }
  uint64_t lost_count() const {
    MutexLock lock(&mutex_);
    return lost_count_;
  }
  uint64_t record_count() const {
    MutexLock lock(&mutex_);
    return receipts_.size();
  }
  // Records that no honest client would have sent.
  int conflicts() const {
    MutexLock lock(&mutex_);
    return conflicts_;
  }

 private:
  struct Place {
    uint64_t sequence;
    Hash previous;
  };

  ledger::RecordView Decode(const v1::SubmitRequest& request) const {
    auto view = ledger::DecodeRecord(AsBytes(request.leaf()));
    if (!view.ok() || !ledger::VerifyRecordSignature(*view, chain_id_, key_)) std::abort();
    return *view;
  }
  static Place PlaceOf(const ledger::RecordView& view) {
    if (const auto* batch = std::get_if<ledger::EventBatchBody>(&view.body)) {
      return {batch->sequence, batch->previous};
    }
    if (const auto* gap = std::get_if<ledger::GapBody>(&view.body)) {
      return {gap->sequence, gap->previous};
    }
    const auto& beat = std::get<ledger::HeartbeatBody>(view.body);
    return {beat.sequence, beat.previous};
  }
  void Take(const ledger::RecordView& view, const v1::SubmitRequest& request)
      VIGIL_REQUIRES(mutex_) {
    if (const auto* gap = std::get_if<ledger::GapBody>(&view.body)) lost_count_ += gap->lost_count;
    const auto* batch = std::get_if<ledger::EventBatchBody>(&view.body);
    if (batch == nullptr) return;
    if (!ledger::CheckPayload(*batch, AsBytes(request.payload()), nullptr).ok()) std::abort();
    const auto events = ledger::SplitPayload(AsBytes(request.payload()));
    if (!events.ok()) std::abort();
    for (const ByteSpan event : *events) events_.push_back(ToString(event));
  }

  const Hash chain_id_;
  const PublicKey key_;
  mutable Mutex mutex_;
  uint64_t head_sequence_ VIGIL_GUARDED_BY(mutex_) = 0;
  Hash head_ VIGIL_GUARDED_BY(mutex_);
  std::map<Hash, v1::Receipt> receipts_ VIGIL_GUARDED_BY(mutex_);
  std::vector<std::string> events_ VIGIL_GUARDED_BY(mutex_);
  uint64_t lost_count_ VIGIL_GUARDED_BY(mutex_) = 0;
  int conflicts_ VIGIL_GUARDED_BY(mutex_) = 0;
};

// What a validator does with its next requests; afterwards it behaves.
enum class Fault {
  kNone,
  kLoseAck,            // Takes the record and ends the call without an answer.
  kHangUp,             // Ends the call before it looks.
  kHangUpUnavailable,  // The same with UNAVAILABLE.
  kLaneFull,           // "lane.full", retry in a millisecond.
  kRefusing,           // "node.refusing", retry in a millisecond.
  kGap,                // "stream.gap": claims to be behind.
  kMalformed,          // "record.malformed": cannot be retried.
  kSilence,            // Never answers.
  kWrongTag,           // Answers with another tag.
  kWrongReceipt,       // Answers OK with another leaf hash.
  kTwice,              // Answers twice.
  kConflict,           // CONFLICT, whatever the record.
};

class FakeValidator final : public v1::Ingest::Service {
 public:
  explicit FakeValidator(FakeChain* chain) : chain_(chain), query_(chain) {}
  ~FakeValidator() override {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }

  std::string endpoint() const { return server_.endpoint(); }
  // The faults of the next requests, one each.
  void Inject(const std::vector<Fault>& faults) {
    MutexLock lock(&mutex_);
    faults_.insert(faults_.end(), faults.begin(), faults.end());
  }
  // Holds back every answer until Release().
  void Hold() {
    MutexLock lock(&mutex_);
    holding_ = true;
  }
  void Release() {
    MutexLock lock(&mutex_);
    holding_ = false;
    changed_.SignalAll();
  }
  // Ends every call that is open now.
  void EndCalls() {
    MutexLock lock(&mutex_);
    for (grpc::ServerContext* const context : open_) context->TryCancel();
  }
  // Leaves that arrived, in order, repetitions included.
  std::vector<std::string> arrived() const {
    MutexLock lock(&mutex_);
    return arrived_;
  }

  // The next `count` unary calls are told that there is too much to do, and to come back in a
  // millisecond; without a delay when `forever`.
  void Exhaust(int count, bool forever = false) {
    MutexLock lock(&mutex_);
    exhausted_ = count;
    exhausted_forever_ = forever;
  }

  // The next `count` calls of GetStreamHead end as they do where a validator opens itself anew.
  void GoAway(int count, grpc::StatusCode code = grpc::StatusCode::UNAVAILABLE) {
    MutexLock lock(&mutex_);
    away_ = count;
    away_code_ = code;
  }
  int away() const {
    MutexLock lock(&mutex_);
    return away_;
  }

  // The next GetStreamHead sets `*arrived` and is never answered.
  void HangOnHead(std::atomic<bool>* arrived) {
    MutexLock lock(&mutex_);
    head_arrived_ = arrived;
  }

  grpc::Status GetStreamHead(grpc::ServerContext* context, const v1::GetStreamHeadRequest*,
                             v1::StreamHead* head) override {
    std::atomic<bool>* arrived = nullptr;
    {
      MutexLock lock(&mutex_);
      std::swap(arrived, head_arrived_);
    }
    if (arrived != nullptr) {
      *arrived = true;
      WaitForEnd(context);
      return grpc::Status::CANCELLED;
    }
    MutexLock lock(&mutex_);
    if (away_ > 0) {
      --away_;
      return grpc::Status(away_code_, "is away");
    }
    if (exhausted_ > 0) {
      --exhausted_;
      v1::ErrorDetail detail;
      detail.set_code("lane.full");
      detail.set_remedy("wait");
      detail.set_retry_after_millis(exhausted_forever_ ? 0 : 1);
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", detail.SerializeAsString());
    }
    *head = chain_->Head();
    return grpc::Status::OK;
  }

  grpc::Status SubmitStream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::SubmitResponse, v1::SubmitRequest>* stream) override {
    {
      MutexLock lock(&mutex_);
      open_.insert(context);
    }
    const grpc::Status status = Serve(context, stream);
    MutexLock lock(&mutex_);
    open_.erase(context);
    return status;
  }

 private:
  grpc::Status Serve(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<v1::SubmitResponse, v1::SubmitRequest>* stream) {
    v1::SubmitRequest request;
    while (stream->Read(&request)) {
      const Fault fault = Arrive(request);
      if (fault == Fault::kHangUp) return grpc::Status::OK;
      if (fault == Fault::kHangUpUnavailable) {
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away");
      }
      if (fault == Fault::kSilence) {
        WaitForEnd(context);
        return grpc::Status::CANCELLED;
      }
      v1::SubmitResponse response = Answer(request, fault);
      if (fault == Fault::kLoseAck) return grpc::Status::OK;
      WaitWhileHeld(context);
      stream->Write(response);
      if (fault == Fault::kTwice) stream->Write(response);
    }
    return grpc::Status::OK;
  }

  Fault Arrive(const v1::SubmitRequest& request) {
    MutexLock lock(&mutex_);
    arrived_.push_back(request.leaf());
    if (faults_.empty()) return Fault::kNone;
    const Fault fault = faults_.front();
    faults_.pop_front();
    return fault;
  }

  v1::SubmitResponse Answer(const v1::SubmitRequest& request, Fault fault) {
    v1::SubmitResponse response;
    response.set_tag(request.tag() + (fault == Fault::kWrongTag ? 1 : 0));
    const auto refuse = [&](const char* code, uint32_t retry_after_millis) {
      response.mutable_error()->set_code(code);
      response.mutable_error()->set_what("because the test says so");
      response.mutable_error()->set_remedy("wait");
      response.mutable_error()->set_retry_after_millis(retry_after_millis);
    };
    switch (fault) {
      case Fault::kLaneFull:
        refuse("lane.full", 1);
        return response;
      case Fault::kRefusing:
        refuse("node.refusing", 1);
        return response;
      case Fault::kGap:
        refuse("stream.gap", 0);
        response.mutable_error()->set_expected_sequence(1);
        return response;
      case Fault::kMalformed:
        refuse("record.malformed", 0);
        return response;
      case Fault::kConflict:
        response.mutable_receipt()->set_result(v1::RESULT_CONFLICT);
        response.mutable_receipt()->set_height(77);
        return response;
      default:
        break;
    }
    *response.mutable_receipt() = chain_->Judge(request);
    if (fault == Fault::kWrongReceipt) response.mutable_receipt()->set_leaf_hash("another");
    return response;
  }

  void WaitWhileHeld(grpc::ServerContext* context) {
    MutexLock lock(&mutex_);
    while (holding_ && !stopping_ && !context->IsCancelled()) {
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(2));
    }
  }
  void WaitForEnd(grpc::ServerContext* context) {
    MutexLock lock(&mutex_);
    while (!stopping_ && !context->IsCancelled()) {
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(2));
    }
  }

  // Says which chain it is on.
  class FakeQuery final : public v1::Query::Service {
   public:
    explicit FakeQuery(FakeChain* chain) : chain_(chain) {}
    grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                           v1::Status* status) override {
      status->set_network("fake");
      status->set_validator("acme/v1");
      status->set_chain_id(std::string(chain_->chain_id().view()));
      return grpc::Status::OK;
    }

   private:
    FakeChain* const chain_;
  };

  FakeChain* const chain_;
  FakeQuery query_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Fault> faults_ VIGIL_GUARDED_BY(mutex_);
  std::set<grpc::ServerContext*> open_ VIGIL_GUARDED_BY(mutex_);
  std::vector<std::string> arrived_ VIGIL_GUARDED_BY(mutex_);
  int away_ VIGIL_GUARDED_BY(mutex_) = 0;
  grpc::StatusCode away_code_ VIGIL_GUARDED_BY(mutex_) = grpc::StatusCode::UNAVAILABLE;
  int exhausted_ VIGIL_GUARDED_BY(mutex_) = 0;
  bool exhausted_forever_ VIGIL_GUARDED_BY(mutex_) = false;
  std::atomic<bool>* head_arrived_ VIGIL_GUARDED_BY(mutex_) = nullptr;
  bool holding_ VIGIL_GUARDED_BY(mutex_) = false;
  bool stopping_ VIGIL_GUARDED_BY(mutex_) = false;
  LoopbackServer server_{{this, &query_}};
};

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_LIB_FAKE_VALIDATOR_H_
