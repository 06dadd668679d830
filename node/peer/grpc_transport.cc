#include "node/peer/grpc_transport.h"

#include <pthread.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/mutex.h"
#include "vigil/v1/peer.grpc.pb.h"

namespace vigil::node {
namespace {

constexpr auto kConnectWait = std::chrono::milliseconds(200);
constexpr auto kIdleWait = std::chrono::milliseconds(200);
constexpr auto kBackoff = std::chrono::milliseconds(100);
constexpr size_t kFramesPerTurn = 64;

grpc::ChannelArguments PeerChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kGrpcMessageBytesMax);
  arguments.SetMaxSendMessageSize(kGrpcMessageBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Also the time that a handshake may take, on a machine that is busy.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  // Each peer gets its own connection, also in tests that run several nodes in one process.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

std::string WireBytes(const OutFrame& frame) {
  std::string bytes;
  bytes.reserve(frame.bytes());
  bytes = frame.head;
  for (const ledger::BlockPtr& block : frame.blocks) ByteWriter(&bytes).Prefixed(block->frame());
  return bytes;
}

}  // namespace

struct GrpcTransport::Peer {
  Peer(PeerAddress where, size_t queue_bytes_max)
      : address(std::move(where)), queue({queue_bytes_max}) {}

  const PeerAddress address;
  Inbox<OutFrame> queue;
  std::atomic<bool> connected{false};
  std::thread thread;
  Mutex mutex;
  grpc::ClientContext* context VIGIL_GUARDED_BY(mutex) = nullptr;
};

GrpcTransport::GrpcTransport(GrpcTransportOptions options) : options_(std::move(options)) {
  for (const PeerAddress& validator : options_.validators) {
    peers_.push_back(std::make_unique<Peer>(validator, options_.queue_bytes_max));
  }
}

GrpcTransport::~GrpcTransport() { Stop(); }

void GrpcTransport::Start(std::string hello) {
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
    if (peer->context != nullptr) peer->context->TryCancel();
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
  return peer.queue.TryPush(std::move(frame), bytes);
}

bool GrpcTransport::IsConnected(ValidatorIndex peer) const {
  return peer == options_.self || (peer.value() < peers_.size() && peers_[peer.value()]->connected);
}

void GrpcTransport::Run(Peer* peer) {
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
      peer->address.address, ChannelTls(options_.tls, ValidatorSpiffeId(peer->address.identity)),
      PeerChannelArguments());
  while (!stopping_) {
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectWait)) continue;
    RunStream(peer, channel);
    // What waited for the broken stream is stale.
    peer->queue.TryPop(SIZE_MAX);
    if (!stopping_) peer->queue.PopFor(0, kBackoff);
  }
}

void GrpcTransport::RunStream(Peer* peer, const std::shared_ptr<grpc::Channel>& channel) {
  const std::unique_ptr<v1::Peer::Stub> stub = v1::Peer::NewStub(channel);
  grpc::ClientContext context;
  {
    MutexLock lock(&peer->mutex);
    peer->context = &context;
  }
  v1::PeerStreamEnd end;
  std::unique_ptr<grpc::ClientWriter<v1::PeerFrame>> writer = stub->Stream(&context, &end);
  v1::PeerFrame message;
  message.set_frame(hello_);
  bool healthy = !stopping_ && writer->Write(message);
  peer->connected = healthy;
  // Without writes a broken stream shows only in the channel's state.
  while (healthy && !stopping_ &&
         channel->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
    for (const OutFrame& frame : peer->queue.PopFor(kFramesPerTurn, kIdleWait)) {
      message.set_frame(WireBytes(frame));
      healthy = writer->Write(message);
      if (!healthy) break;
    }
  }
  peer->connected = false;
  context.TryCancel();
  writer->Finish();
  MutexLock lock(&peer->mutex);
  peer->context = nullptr;
}

}  // namespace vigil::node
