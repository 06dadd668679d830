#include "node/peer/learner_transport.h"

#include <grpcpp/grpcpp.h>
#include <pthread.h>

#include <chrono>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/peer/peer_channel.h"
#include "vigil/v1/peer.grpc.pb.h"

namespace vigil::node {
namespace {

constexpr auto kConnectWait = std::chrono::milliseconds(200);
constexpr auto kRetryPause = std::chrono::seconds(1);
constexpr size_t kFramesQueuedMax = 16;

}  // namespace

// One call. Frames that come are handed on, on gRPC's threads.
class LearnerTransport::Call final : public grpc::ClientBidiReactor<v1::PeerFrame, v1::PeerFrame> {
 public:
  Call(v1::Peer::Stub* stub, LearnerClient* client, ValidatorIndex peer)
      : client_(client), peer_(peer) {
    stub->async()->Learn(&context_, this);
    AddHold();  // For writes that begin outside of the reactor's own calls.
    StartRead(&read_);
    StartCall();
  }

  bool Send(std::string frame) VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (over_ || queue_.size() >= kFramesQueuedMax) return false;
    queue_.push_back(std::move(frame));
    if (queue_.size() == 1) WriteFirst();
    return true;
  }
  void Cancel() { context_.TryCancel(); }
  // Waits for the end of the call. Called once, last.
  grpc::Status Await() VIGIL_EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      while (!over_) changed_.Wait(&mutex_);
    }
    RemoveHold();
    MutexLock lock(&mutex_);
    while (!done_) changed_.Wait(&mutex_);
    return status_;
  }

  void OnReadDone(bool ok) override VIGIL_EXCLUDES(mutex_) {
    if (ok) {
      (void)client_->OnFrame(peer_, read_.frame());  // What is of no use is passed over.
      StartRead(&read_);
      return;
    }
    MutexLock lock(&mutex_);
    over_ = true;
    changed_.SignalAll();
  }
  void OnWriteDone(bool ok) override VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    queue_.pop_front();
    if (!ok || over_) {
      queue_.clear();
    } else if (!queue_.empty()) {
      WriteFirst();
    }
  }
  void OnDone(const grpc::Status& status) override VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    status_ = status;
    over_ = done_ = true;
    changed_.SignalAll();
  }

 private:
  void WriteFirst() VIGIL_REQUIRES(mutex_) {
    written_.set_frame(queue_.front());
    StartWrite(&written_);
  }

  LearnerClient* const client_;
  const ValidatorIndex peer_;
  grpc::ClientContext context_;
  v1::PeerFrame read_;
  v1::PeerFrame written_;  // gRPC's while a write is under way.
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> queue_ VIGIL_GUARDED_BY(mutex_);  // The first is being written.
  bool over_ VIGIL_GUARDED_BY(mutex_) = false;
  bool done_ VIGIL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ VIGIL_GUARDED_BY(mutex_);
};

struct LearnerTransport::Peer {
  Peer(ValidatorIndex which, PeerAddress where) : index(which), address(std::move(where)) {}

  const ValidatorIndex index;
  const PeerAddress address;
  std::thread thread;
  mutable Mutex mutex;
  Call* call VIGIL_GUARDED_BY(mutex) = nullptr;  // While it runs; its thread owns it.
};

LearnerTransport::LearnerTransport(std::vector<PeerAddress> validators, TlsFiles tls)
    : tls_(std::move(tls)) {
  for (PeerAddress& validator : validators) {
    const ValidatorIndex index(static_cast<uint32_t>(peers_.size()));
    peers_.push_back(std::make_unique<Peer>(index, std::move(validator)));
  }
}

LearnerTransport::~LearnerTransport() { Stop(); }

void LearnerTransport::Start(LearnerClient* client) {
  client_ = client;
  for (const std::unique_ptr<Peer>& one : peers_) {
    if (one->address.address.empty()) continue;
    Peer* const peer = one.get();
    peer->thread = std::thread([this, peer] { Run(peer); });
    pthread_setname_np(peer->thread.native_handle(),
                       absl::StrCat("learn-", peer->index.value()).c_str());
  }
}

void LearnerTransport::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    stopped_.SignalAll();
  }
  for (const std::unique_ptr<Peer>& peer : peers_) {
    MutexLock lock(&peer->mutex);
    if (peer->call != nullptr) peer->call->Cancel();
  }
  for (const std::unique_ptr<Peer>& peer : peers_) {
    if (peer->thread.joinable()) peer->thread.join();
  }
}

bool LearnerTransport::Send(ValidatorIndex to, OutFrame frame) {
  if (to.value() >= peers_.size()) return false;
  Peer& peer = *peers_[to.value()];
  MutexLock lock(&peer.mutex);
  return peer.call != nullptr && peer.call->Send(std::move(frame.head));
}

bool LearnerTransport::IsConnected(ValidatorIndex to) const {
  if (to.value() >= peers_.size()) return false;
  const Peer& peer = *peers_[to.value()];
  MutexLock lock(&peer.mutex);
  return peer.call != nullptr;
}

void LearnerTransport::Wait() {
  const auto until = std::chrono::steady_clock::now() + kRetryPause;
  MutexLock lock(&mutex_);
  for (auto now = std::chrono::steady_clock::now(); !stopping_ && now < until;
       now = std::chrono::steady_clock::now()) {
    stopped_.WaitFor(&mutex_, until - now);
  }
}

void LearnerTransport::Run(Peer* peer) {
  const std::shared_ptr<grpc::ChannelCredentials> credentials =
      ChannelTls(tls_, ValidatorSpiffeId(peer->address.identity));
  while (!stopping_) {
    // A new connection each time: the hello is bound to the certificate that it shows.
    const std::shared_ptr<grpc::Channel> channel =
        grpc::CreateCustomChannel(peer->address.address, credentials, PeerChannelArguments());
    while (!stopping_ &&
           !channel->WaitForConnected(std::chrono::system_clock::now() + kConnectWait)) {
    }
    if (stopping_) return;
    const std::unique_ptr<v1::Peer::Stub> stub = v1::Peer::NewStub(channel);
    Call call(stub.get(), client_, peer->index);
    (void)call.Send(client_->Hello(peer->index, CertificateHashOfFile(tls_.certificate)));
    {
      MutexLock lock(&peer->mutex);
      peer->call = &call;
      if (stopping_) call.Cancel();
    }
    const grpc::Status status = call.Await();
    {
      MutexLock lock(&peer->mutex);
      peer->call = nullptr;
    }
    client_->OnEnd(peer->index, absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                                             status.error_message()));
    Wait();
  }
}

}  // namespace vigil::node
