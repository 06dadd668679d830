#include "node/peer/learn_call.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace vigil::node {
namespace {

// Answers that wait to be sent; beyond that they are dropped, and asked for again.
constexpr size_t kQueueBytesMax = 8 * 1024 * 1024;

class RefusingReactor final : public LearnCalls::Reactor {
 public:
  explicit RefusingReactor(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

// Shared by gRPC (through itself), until it is done, and whoever the receiver is.
class LearnCalls::Call final : public LearnCalls::Reactor,
                               public LearnerStream,
                               public std::enable_shared_from_this<LearnCalls::Call> {
 public:
  Call(LearnCalls* calls, std::string identity, const Hash& certificate_hash)
      : calls_(calls), identity_(std::move(identity)), certificate_hash_(certificate_hash) {}

  void Begin() {
    self_ = shared_from_this();
    StartRead(&read_);
  }

  // LearnerStream
  const std::string& identity() const override { return identity_; }
  Hash certificate_hash() const override { return certificate_hash_; }
  bool Send(std::string frame) override VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (ending_ || queued_bytes_ + frame.size() > kQueueBytesMax) return false;
    queued_bytes_ += frame.size();
    queue_.push_back(std::move(frame));
    if (queue_.size() == 1) WriteFirst();
    return true;
  }
  // What is queued goes first: it may be an anchor.
  void End(const absl::Status& why) override VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (ending_) return;
    ending_ = true;
    end_ = grpc::Status(static_cast<grpc::StatusCode>(why.code()), std::string(why.message()));
    if (queue_.empty()) Finish(end_);
  }

  // Reactor
  void OnReadDone(bool ok) override {
    if (!ok) return End(absl::OkStatus());
    const absl::Status status = calls_->receiver_->OnLearnerFrame(self_, read_.frame());
    if (!status.ok()) return End(status);
    MutexLock lock(&mutex_);
    if (!ending_) StartRead(&read_);
  }
  void OnWriteDone(bool ok) override VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    queued_bytes_ -= queue_.front().size();
    queue_.pop_front();
    if (!ok) queue_.clear();
    if (!queue_.empty()) return WriteFirst();
    queued_bytes_ = 0;
    if (ending_) Finish(end_);
  }
  void OnCancel() override { End(absl::CancelledError("cancelled")); }
  void OnDone() override {
    calls_->receiver_->OnLearnerEnd(this);
    calls_->Remove(identity_);
    self_.reset();
  }

 private:
  void WriteFirst() VIGIL_REQUIRES(mutex_) {
    written_.set_frame(queue_.front());
    StartWrite(&written_);
  }

  LearnCalls* const calls_;
  const std::string identity_;
  const Hash certificate_hash_;
  std::shared_ptr<Call> self_;
  v1::PeerFrame read_;
  v1::PeerFrame written_;  // gRPC's while a write is under way.
  Mutex mutex_;
  std::deque<std::string> queue_ VIGIL_GUARDED_BY(mutex_);  // The first is being written.
  size_t queued_bytes_ VIGIL_GUARDED_BY(mutex_) = 0;
  bool ending_ VIGIL_GUARDED_BY(mutex_) = false;
  grpc::Status end_ VIGIL_GUARDED_BY(mutex_);
};

LearnCalls::Reactor* LearnCalls::Begin(const std::string& identity, const Hash& certificate_hash) {
  if (receiver_ == nullptr) {
    return new RefusingReactor(
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "this validator takes no part in agreement"));
  }
  if (identity.empty()) {
    return new RefusingReactor(
        grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                     "the certificate needs a URI spiffe://<org>/validator/<name>"));
  }
  {
    MutexLock lock(&mutex_);
    size_t& own = counts_[identity];
    if (own >= kLearnCallsPerIdentityMax || count_ >= kLearnCallsMax) {
      return new RefusingReactor(
          grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                       absl::StrCat(own, " calls of this machine and ", count_, " in all learn")));
    }
    ++own;
    ++count_;
  }
  const auto call = std::make_shared<Call>(this, identity, certificate_hash);
  call->Begin();
  return call.get();
}

void LearnCalls::Remove(const std::string& identity) {
  MutexLock lock(&mutex_);
  --count_;
  const auto found = counts_.find(identity);
  if (--found->second == 0) counts_.erase(found);
}

}  // namespace vigil::node
