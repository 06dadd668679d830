#include "node/peer/peer_server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/mutex.h"
#include "ledger/base/status_macros.h"
#include "node/peer/learn_call.h"
#include "vigil/v1/peer.grpc.pb.h"

namespace vigil::node {
namespace {

// An honest peer has one stream; while it reconnects, the old one may not have ended yet.
constexpr size_t kStreamsPerPeerMax = 4;
constexpr int kStreamsPerConnectionMax = 4;
constexpr size_t kMemoryBytesMax = 256 * 1024 * 1024;
constexpr auto kStopWait = std::chrono::milliseconds(200);

class RefusingReactor final : public grpc::ServerReadReactor<v1::PeerFrame> {
 public:
  explicit RefusingReactor(grpc::Status status) { Finish(status); }
  void OnDone() override { delete this; }
};

class StreamReactor;

// The open streams of every peer.
class StreamTable {
 public:
  explicit StreamTable(size_t peer_count) : streams_(peer_count) {}
  // Ends the oldest stream without a good hello when there are too many.
  void Add(ValidatorIndex from, std::shared_ptr<StreamReactor> stream) VIGIL_EXCLUDES(mutex_);
  // `stream` had a good hello: it takes the place of those that had one before.
  void Greeted(ValidatorIndex from, const StreamReactor* stream) VIGIL_EXCLUDES(mutex_);
  void Remove(ValidatorIndex from, const StreamReactor* stream) VIGIL_EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  // Oldest first. Shared with the stream itself, which gRPC uses until it is done.
  std::vector<std::vector<std::shared_ptr<StreamReactor>>> streams_ VIGIL_GUARDED_BY(mutex_);
};

// One peer's stream. Owned by the table and, until OnDone, by itself.
class StreamReactor final : public grpc::ServerReadReactor<v1::PeerFrame>,
                            public std::enable_shared_from_this<StreamReactor> {
 public:
  StreamReactor(const PeerStream& stream, FrameReceiver* receiver, StreamTable* table)
      : stream_(stream), receiver_(receiver), table_(table) {}

  void Begin() {
    self_ = shared_from_this();
    table_->Add(stream_.from, self_);
    StartRead(&frame_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(grpc::Status::OK);
    const bool greeted_before = stream_.greeted;
    const absl::Status status = receiver_->OnFrame(&stream_, std::move(*frame_.mutable_frame()));
    if (!status.ok()) {
      return End(grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                              std::string(status.message())));
    }
    if (!greeted_before && stream_.greeted) {
      greeted_ = true;
      table_->Greeted(stream_.from, this);
    }
    MutexLock lock(&mutex_);
    if (!finished_) StartRead(&frame_);
  }

  void End(const grpc::Status& status) VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  void OnCancel() override { End(grpc::Status(grpc::StatusCode::CANCELLED, "cancelled")); }
  void OnDone() override {
    table_->Remove(stream_.from, this);
    self_.reset();
  }

  bool greeted() const { return greeted_; }

 private:
  PeerStream stream_;  // Used by one read at a time.
  FrameReceiver* const receiver_;
  StreamTable* const table_;
  std::shared_ptr<StreamReactor> self_;
  v1::PeerFrame frame_;
  std::atomic<bool> greeted_{false};
  Mutex mutex_;
  bool finished_ VIGIL_GUARDED_BY(mutex_) = false;
};

void StreamTable::Add(ValidatorIndex from, std::shared_ptr<StreamReactor> stream) {
  std::shared_ptr<StreamReactor> ended;
  {
    MutexLock lock(&mutex_);
    auto& streams = streams_[from.value()];
    streams.push_back(std::move(stream));
    if (streams.size() <= kStreamsPerPeerMax) return;
    const auto oldest = std::find_if(streams.begin(), streams.end(),
                                     [](const auto& one) { return !one->greeted(); });
    ended = *oldest;
    streams.erase(oldest);
  }
  ended->End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                          "too many streams of this validator without a hello"));
}

void StreamTable::Greeted(ValidatorIndex from, const StreamReactor* stream) {
  std::vector<std::shared_ptr<StreamReactor>> ended;
  {
    MutexLock lock(&mutex_);
    for (const auto& one : streams_[from.value()]) {
      if (one.get() != stream && one->greeted()) ended.push_back(one);
    }
  }
  for (const auto& one : ended) {
    one->End(grpc::Status(grpc::StatusCode::ABORTED, "a newer stream of this validator began"));
  }
}

void StreamTable::Remove(ValidatorIndex from, const StreamReactor* stream) {
  std::shared_ptr<StreamReactor> last;  // Destroyed after the lock is gone.
  MutexLock lock(&mutex_);
  auto& streams = streams_[from.value()];
  const auto found = std::find_if(streams.begin(), streams.end(),
                                  [&](const auto& one) { return one.get() == stream; });
  if (found == streams.end()) return;
  last = std::move(*found);
  streams.erase(found);
}

}  // namespace

class PeerServer::Service final : public v1::Peer::CallbackService {
 public:
  Service(const ledger::Genesis* genesis, FrameReceiver* receiver, LearnerReceiver* learners)
      : genesis_(genesis),
        receiver_(receiver),
        table_(genesis->validators.size()),
        learn_calls_(learners) {}

  // Whether a proposal names the caller, its hello shows.
  grpc::ServerBidiReactor<v1::PeerFrame, v1::PeerFrame>* Learn(
      grpc::CallbackServerContext* context) override {
    return learn_calls_.Begin(ValidatorOfCaller(*context->auth_context()),
                              CertificateHashOfCaller(*context->auth_context()));
  }

  grpc::ServerReadReactor<v1::PeerFrame>* Stream(grpc::CallbackServerContext* context,
                                                 v1::PeerStreamEnd* /*end*/) override {
    const std::string identity = ValidatorOfCaller(*context->auth_context());
    const std::optional<ValidatorIndex> from = genesis_->FindValidator(identity);
    if (!from.has_value()) {
      return new RefusingReactor(grpc::Status(
          grpc::StatusCode::PERMISSION_DENIED,
          absl::StrCat("'", identity, "' is no validator of network ", genesis_->network,
                       "; the certificate needs a URI spiffe://<org>/validator/<name>")));
    }
    const auto stream = std::make_shared<StreamReactor>(
        PeerStream{.from = *from,
                   .certificate_hash = CertificateHashOfCaller(*context->auth_context())},
        receiver_, &table_);
    stream->Begin();
    return stream.get();
  }

 private:
  const ledger::Genesis* const genesis_;
  FrameReceiver* const receiver_;
  StreamTable table_;
  LearnCalls learn_calls_;
};

PeerServer::PeerServer() = default;
PeerServer::~PeerServer() { Stop(); }

absl::StatusOr<std::unique_ptr<PeerServer>> PeerServer::Start(
    const std::string& address, const TlsFiles& tls, const ledger::Genesis* genesis,
    FrameReceiver* receiver, const ListenerOptions& listener, LearnerReceiver* learners) {
  std::unique_ptr<PeerServer> server(new PeerServer);
  server->service_ = std::make_unique<Service>(genesis, receiver, learners);
  grpc::ServerBuilder builder;
  builder.RegisterService(server->service_.get());
  const GrpcLimits limits = {.listener = listener,
                             .receive_bytes_max = kGrpcMessageBytesMax,
                             .send_bytes_max = kGrpcMessageBytesMax,
                             .streams_per_connection = kStreamsPerConnectionMax,
                             .memory_bytes_max = kMemoryBytesMax};
  absl::StatusOr<std::unique_ptr<LimitedGrpcServer>> started =
      LimitedGrpcServer::Start(address, ServerTls(tls), limits, &builder);
  if (absl::IsAlreadyExists(started.status())) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen for validators on ", address,
                     ": the port is taken or the address is not this machine's; change "
                     "listen.peer or end the other process"));
  }
  if (!started.ok()) return Annotate(started.status(), "listen.peer");
  server->server_ = *std::move(started);
  return server;
}

int PeerServer::port() const { return server_->port(); }

void PeerServer::Stop() {
  if (server_ != nullptr) server_->Stop(kStopWait);
}

}  // namespace vigil::node
