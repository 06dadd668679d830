// GrpcTransport: frames to the other validators, one client stream per peer over mTLS.
//
// Threads: one sender thread per peer ("peer-<name>"), joined by Stop(). Send() is thread-safe and
// never blocks. A frame for a peer that is not connected, or whose queue is full, is dropped: the
// protocols retry.
#ifndef VIGIL_NODE_PEER_GRPC_TRANSPORT_H_
#define VIGIL_NODE_PEER_GRPC_TRANSPORT_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "node/driver/inbox.h"
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
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(GrpcTransportOptions options);
  ~GrpcTransport() override;

  // Begins to connect; `hello` is the first frame of every stream. Called once.
  void Start(std::string hello);
  void Stop();

  bool Send(ValidatorIndex to, OutFrame frame) override;
  bool IsConnected(ValidatorIndex peer) const override;

 private:
  struct Peer;
  void Run(Peer* peer);
  void RunStream(Peer* peer, const std::shared_ptr<grpc::Channel>& channel);

  const GrpcTransportOptions options_;
  std::string hello_;  // Constant once threads run.
  std::vector<std::unique_ptr<Peer>> peers_;
  std::atomic<bool> stopping_{false};
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_PEER_GRPC_TRANSPORT_H_
