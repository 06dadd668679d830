// PeerServer: takes the other validators' streams and hands their frames to a FrameReceiver.
//
// The caller is who its certificate says; a stream of anybody else is refused. A stream whose hello
// is not accepted ends and touches no other; a new stream with a good hello takes the place of the
// peer's older one. Handlers run on gRPC's threads; frames of one stream arrive in order.
#ifndef VIGIL_NODE_PEER_PEER_SERVER_H_
#define VIGIL_NODE_PEER_PEER_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "node/driver/learner_stream.h"
#include "node/driver/transport.h"
#include "node/net/grpc_limits.h"
#include "node/peer/tls.h"

namespace vigil::node {

class PeerServer {
 public:
  // Listens on `address` ("host:port"; port 0 picks one). `genesis` and `receiver` must outlive it,
  // and so must `learners`, which may be null: then nobody learns here.
  // Errors: kAlreadyExists when the port is taken, naming the address and the remedy.
  static absl::StatusOr<std::unique_ptr<PeerServer>> Start(
      const std::string& address, const TlsFiles& tls, const ledger::Genesis* genesis,
      FrameReceiver* receiver, const ListenerOptions& listener = {.name = "peer"},
      LearnerReceiver* learners = nullptr);
  ~PeerServer();
  // Ends all streams; the receiver is not called after it returns.
  void Stop();
  int port() const;

 private:
  class Service;
  PeerServer();
  std::unique_ptr<Service> service_;
  std::unique_ptr<LimitedGrpcServer> server_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_PEER_PEER_SERVER_H_
