// GrpcTransport: frames to the other validators, one client stream per peer over mTLS.
//
// Threads: one sender thread per peer ("peer-<name>"), joined by Stop(). Send() is thread-safe and
// never blocks. A frame for a peer that is not connected, or whose queue is full, is dropped: the
// protocols retry.
#ifndef VIGIL_NODE_PEER_GRPC_TRANSPORT_H_
#define VIGIL_NODE_PEER_GRPC_TRANSPORT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "node/driver/inbox.h"
#include "node/driver/log.h"
#include "node/driver/transport.h"
#include "node/peer/tls.h"

namespace vigil::node {

struct PeerAddress {
  std::string identity;  // "org/name"
  std::string address;   // "host:port"; empty for this validator itself.
};

struct GrpcTransportOptions {
  std::vector<PeerAddress> validators;  // In the order of the validator set.
  ValidatorIndex self;
  TlsFiles tls;
  size_t queue_bytes_max = 32 * 1024 * 1024;
  LogFunction log;  // May be empty. Told, at most once a minute, why a peer ends streams.
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(GrpcTransportOptions options);
  ~GrpcTransport() override;

  // The first frame of a stream to `to`, over a connection whose certificate has this hash.
  using HelloFunction = std::function<std::string(ValidatorIndex to, const Hash& certificate_hash)>;

  // Begins to connect. Called once.
  void Start(HelloFunction hello);
  void Stop();

  bool Send(ValidatorIndex to, OutFrame frame) override;
  bool IsConnected(ValidatorIndex peer) const override;

 private:
  struct Peer;
  void Run(Peer* peer);
  // Returns false when the stream was refused or broke; then the next needs a new connection.
  bool RunStream(Peer* peer, const std::shared_ptr<grpc::Channel>& channel);
  void Tell(Peer* peer, const grpc::Status& end);

  const GrpcTransportOptions options_;
  HelloFunction hello_;  // Constant once threads run.
  std::vector<std::unique_ptr<Peer>> peers_;
  std::atomic<bool> stopping_{false};
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_PEER_GRPC_TRANSPORT_H_
