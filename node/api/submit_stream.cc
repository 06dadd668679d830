#include "node/api/submit_stream.h"

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "ledger/base/mutex.h"
#include "node/api/convert.h"
#include "node/api/error.h"

namespace vigil::node {
namespace {

constexpr size_t kUnderWayMax = 256;
constexpr size_t kUnderWayBytesMax = 8 * 1024 * 1024;

// Owned by shared_ptr: by itself until OnDone, and by each submission that has not been answered,
// so that a late answer never meets a dead object.
class SubmitStream final : public grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitResponse>,
                           public std::enable_shared_from_this<SubmitStream> {
 public:
  explicit SubmitStream(NodeServices* services) : services_(services) {}

  void Begin() {
    self_ = shared_from_this();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      MutexLock lock(&mutex_);
      reads_done_ = true;
      FinishIfDrained();
      return;
    }
    std::shared_ptr<Slot> slot = TakeSlot();
    const ServiceError refused = CheckAckLevel(request_.ack());
    if (!refused.ok()) {
      Answer(slot, {.error = refused, .receipt = {}}, v1::ACK_UNSPECIFIED);
    } else {
      ledger::Record record{.leaf = std::move(*request_.mutable_leaf()),
                            .payload = std::move(*request_.mutable_payload())};
      SubmitUntil(
          services_, request_.ack(), std::move(record),
          [stream = shared_from_this(), slot](const SubmitOutcome& outcome, v1::AckLevel reached) {
            stream->Answer(slot, outcome, reached);
          });
    }
    MutexLock lock(&mutex_);
    ReadOrPause();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    writing_ = false;
    bytes_ -= slots_.front()->bytes;
    slots_.pop_front();
    if (!ok) broken_ = true;
    WriteNext();
    if (paused_) ReadOrPause();
    FinishIfDrained();
  }

  void OnCancel() override {
    MutexLock lock(&mutex_);
    broken_ = true;
    FinishIfDrained();
  }

  void OnDone() override { self_.reset(); }

 private:
  struct Slot {
    size_t bytes = 0;
    std::optional<v1::SubmitResponse> response;
  };

  std::shared_ptr<Slot> TakeSlot() VIGIL_EXCLUDES(mutex_) {
    auto slot = std::make_shared<Slot>();
    slot->bytes = request_.leaf().size() + request_.payload().size();
    MutexLock lock(&mutex_);
    slots_.push_back(slot);
    tags_.push_back(request_.tag());
    bytes_ += slot->bytes;
    return slot;
  }

  void Answer(const std::shared_ptr<Slot>& slot, const SubmitOutcome& outcome, v1::AckLevel reached)
      VIGIL_EXCLUDES(mutex_) {
    v1::SubmitResponse response;
    if (outcome.error.ok()) {
      *response.mutable_receipt() = ToProto(outcome.receipt, reached);
    } else {
      *response.mutable_error() = ToDetail(outcome.error);
    }
    MutexLock lock(&mutex_);
    slot->response = std::move(response);
    WriteNext();
  }

  void ReadOrPause() VIGIL_REQUIRES(mutex_) {
    paused_ = slots_.size() >= kUnderWayMax || bytes_ >= kUnderWayBytesMax;
    if (!paused_ && !finished_) StartRead(&request_);
  }

  void WriteNext() VIGIL_REQUIRES(mutex_) {
    if (writing_ || finished_ || broken_ || slots_.empty()) return;
    if (!slots_.front()->response.has_value()) return;
    writing_ = true;
    slots_.front()->response->set_tag(tags_.front());
    tags_.pop_front();
    StartWrite(&*slots_.front()->response);
  }

  void FinishIfDrained() VIGIL_REQUIRES(mutex_) {
    if (finished_ || writing_) return;
    if (!broken_ && !(reads_done_ && slots_.empty())) return;
    finished_ = true;
    Finish(grpc::Status::OK);
  }

  NodeServices* const services_;
  std::shared_ptr<SubmitStream> self_;
  v1::SubmitRequest request_;  // Owned by gRPC while a read is under way.
  Mutex mutex_;
  std::deque<std::shared_ptr<Slot>> slots_ VIGIL_GUARDED_BY(mutex_);  // In order of the requests.
  std::deque<uint64_t> tags_ VIGIL_GUARDED_BY(mutex_);
  size_t bytes_ VIGIL_GUARDED_BY(mutex_) = 0;
  bool writing_ VIGIL_GUARDED_BY(mutex_) = false;
  bool paused_ VIGIL_GUARDED_BY(mutex_) = false;
  bool reads_done_ VIGIL_GUARDED_BY(mutex_) = false;
  bool broken_ VIGIL_GUARDED_BY(mutex_) = false;
  bool finished_ VIGIL_GUARDED_BY(mutex_) = false;
};

}  // namespace

grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitResponse>* NewSubmitStream(
    NodeServices* services) {
  const auto stream = std::make_shared<SubmitStream>(services);
  stream->Begin();
  return stream.get();
}

}  // namespace vigil::node
