#include "node/peer/grpc_transport.h"

#include <pthread.h>

#include <chrono>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ledger/base/mutex.h"
#include "node/driver/actor.h"
#include "node/peer/peer_channel.h"
#include "vigil/v1/peer.grpc.pb.h"

namespace vigil::node {
namespace {

constexpr auto kConnectWait = std::chrono::milliseconds(200);
constexpr auto kIdleWait = std::chrono::milliseconds(200);
constexpr auto kBackoff = std::chrono::milliseconds(100);
// Frames of at most so many bytes are handed to gRPC by whoever sends them; encrypting and sending
// more would hold that thread up.
constexpr size_t kInlineBytesMax = 16 * 1024;
constexpr auto kLastWordWait = std::chrono::milliseconds(500);
constexpr auto kTellPause = std::chrono::minutes(1);

std::string WireBytes(const OutFrame& frame) {
  std::string bytes;
  bytes.reserve(frame.bytes());
  bytes = frame.head;
  for (const ledger::BlockPtr& block : frame.blocks) ByteWriter(&bytes).Prefixed(block->frame());
  return bytes;
}

// One call. Frames go out one at a time, in the order of the queue: the next is handed to gRPC by
// whoever finds that none is under way.
class StreamCall final : public grpc::ClientWriteReactor<v1::PeerFrame> {
 public:
  // `queue` must outlive the call.
  StreamCall(v1::Peer::Stub* stub, Inbox<OutFrame>* queue) : queue_(queue) {
    stub->async()->Stream(&context_, &end_, this);
    AddHold();
    StartCall();
  }

  // Waits until gRPC has taken the hello, the first frame. False when the call is over.
  bool WriteHello(std::string frame) VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (over_) return false;
    StartWriting(std::move(frame));
    while (writing_ && !greeted_) changed_.Wait(&mutex_);
    return !over_;
  }

  // Writes what waits in the queue.
  void Pump() VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    WriteNext();
  }
  // Set for the thread of the call: there is something to pump, or the call is over.
  WakeSignal* signal() { return &signal_; }

  // The peer has ended the call; seen without writing too.
  bool over() const VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return over_;
  }
  void Cancel() { context_.TryCancel(); }

  // Waits for the peer's last word, and brings the end about when it does not come. Called once,
  // last.
  grpc::Status Finish() VIGIL_EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      over_ = true;  // Without the hold nobody may begin a write.
    }
    RemoveHold();
    {
      MutexLock lock(&mutex_);
      if (!done_) changed_.WaitFor(&mutex_, kLastWordWait);
    }
    context_.TryCancel();
    MutexLock lock(&mutex_);
    while (!done_) changed_.Wait(&mutex_);
    return status_;
  }

  // A server that takes frames says nothing before it ends the call, not even metadata.
  void OnReadInitialMetadataDone(bool /*ok*/) override {
    MutexLock lock(&mutex_);
    End();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) End();
    if (!greeted_) changed_.SignalAll();
    greeted_ = true;
    WriteNext();
  }
  void OnDone(const grpc::Status& status) override {
    MutexLock lock(&mutex_);
    status_ = status;
    done_ = true;
    End();
    changed_.SignalAll();
  }

 private:
  void StartWriting(std::string frame) VIGIL_REQUIRES(mutex_) {
    message_.set_frame(std::move(frame));
    writing_ = true;
    StartWrite(&message_);
  }
  void End() VIGIL_REQUIRES(mutex_) {
    over_ = true;
    signal_.Set();
  }
  // Nothing goes before the hello.
  void WriteNext() VIGIL_REQUIRES(mutex_) {
    if (writing_ || over_ || !greeted_) return;
    for (const OutFrame& frame : queue_->TryPop(1)) StartWriting(WireBytes(frame));
  }

  Inbox<OutFrame>* const queue_;
  grpc::ClientContext context_;
  v1::PeerStreamEnd end_;
  v1::PeerFrame message_;  // gRPC's while a write is under way.
  mutable Mutex mutex_;
  CondVar changed_;
  WakeSignal signal_;
  bool writing_ VIGIL_GUARDED_BY(mutex_) = false;
  bool greeted_ VIGIL_GUARDED_BY(mutex_) = false;  // The hello is written, or the call failed.
  bool over_ VIGIL_GUARDED_BY(mutex_) = false;
  bool done_ VIGIL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace

struct GrpcTransport::Peer {
  Peer(ValidatorIndex which, PeerAddress where, size_t queue_bytes_max)
      : index(which), address(std::move(where)), queue({queue_bytes_max}) {}

  const ValidatorIndex index;
  const PeerAddress address;
  Inbox<OutFrame> queue;
  std::atomic<bool> connected{false};
  std::thread thread;
  std::optional<std::chrono::steady_clock::time_point> told;  // Of the thread.
  Mutex mutex;                                                // Before the call's own.
  StreamCall* call VIGIL_GUARDED_BY(mutex) = nullptr;
};

GrpcTransport::GrpcTransport(GrpcTransportOptions options) : options_(std::move(options)) {
  for (const PeerAddress& validator : options_.validators) {
    const ValidatorIndex index(static_cast<uint32_t>(peers_.size()));
    peers_.push_back(std::make_unique<Peer>(index, validator, options_.queue_bytes_max));
  }
}

GrpcTransport::~GrpcTransport() { Stop(); }

void GrpcTransport::Start(HelloFunction hello) {
  hello_ = std::move(hello);
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (i == options_.self.value()) continue;
    Peer* peer = peers_[i].get();
    peer->thread = std::thread([this, peer] { Run(peer); });
    pthread_setname_np(peer->thread.native_handle(), absl::StrCat("peer-", i).c_str());
  }
}

void GrpcTransport::Stop() {
  stopping_ = true;
  for (const std::unique_ptr<Peer>& peer : peers_) {
    peer->queue.Close();
    MutexLock lock(&peer->mutex);
    if (peer->call != nullptr) peer->call->Cancel();
  }
  for (const std::unique_ptr<Peer>& peer : peers_) {
    if (peer->thread.joinable()) peer->thread.join();
  }
}

bool GrpcTransport::Send(ValidatorIndex to, OutFrame frame) {
  if (to.value() >= peers_.size() || to == options_.self) return false;
  Peer& peer = *peers_[to.value()];
  if (!peer.connected) return false;
  const size_t bytes = frame.bytes();
  if (!peer.queue.TryPush(std::move(frame), bytes)) return false;
  MutexLock lock(&peer.mutex);
  if (peer.call == nullptr) return true;
  if (bytes <= kInlineBytesMax) {
    peer.call->Pump();
  } else {
    peer.call->signal()->Set();
  }
  return true;
}

bool GrpcTransport::IsConnected(ValidatorIndex peer) const {
  return peer == options_.self || (peer.value() < peers_.size() && peers_[peer.value()]->connected);
}

void GrpcTransport::Run(Peer* peer) {
  const std::shared_ptr<grpc::ChannelCredentials> credentials =
      ChannelTls(options_.tls, ValidatorSpiffeId(peer->address.identity));
  std::shared_ptr<grpc::Channel> channel;
  while (!stopping_) {
    if (channel == nullptr) {
      channel =
          grpc::CreateCustomChannel(peer->address.address, credentials, PeerChannelArguments());
    }
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectWait)) continue;
    // The hello is bound to the certificate of the connection. Where the file has changed since,
    // only a new connection shows the new one.
    if (!RunStream(peer, channel)) channel = nullptr;
    // What waited for the broken stream is stale.
    peer->queue.TryPop(SIZE_MAX);
    if (!stopping_) peer->queue.PopFor(0, kBackoff);
  }
}

bool GrpcTransport::RunStream(Peer* peer, const std::shared_ptr<grpc::Channel>& channel) {
  const std::unique_ptr<v1::Peer::Stub> stub = v1::Peer::NewStub(channel);
  StreamCall call(stub.get(), &peer->queue);
  {
    MutexLock lock(&peer->mutex);
    peer->call = &call;
  }
  bool healthy = !stopping_ && call.WriteHello(hello_(
                                   peer->index, CertificateHashOfFile(options_.tls.certificate)));
  peer->connected = healthy;
  while (healthy && !stopping_ &&
         channel->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
    call.signal()->WaitFor(kIdleWait);
    call.Pump();
    healthy = !call.over();
  }
  peer->connected = false;
  if (healthy || stopping_) call.Cancel();  // A call that the peer ended says why.
  const grpc::Status status = call.Finish();
  if (!healthy && !stopping_) Tell(peer, status);
  MutexLock lock(&peer->mutex);
  peer->call = nullptr;
  return healthy;
}

void GrpcTransport::Tell(Peer* peer, const grpc::Status& end) {
  const auto now = std::chrono::steady_clock::now();
  if (!options_.log || end.ok() || end.error_code() == grpc::StatusCode::CANCELLED) return;
  if (peer->told.has_value() && now - *peer->told < kTellPause) return;
  peer->told = now;
  options_.log(LogLevel::kWarning, "peer",
               absl::StrCat(peer->address.identity, " ended the stream: ", end.error_message()));
}

}  // namespace vigil::node
