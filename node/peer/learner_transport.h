// LearnerTransport: a newcomer's calls to the present validators, one each, over mTLS
// (docs/protocol.md, Learners).
//
// Threads: one per validator ("learn-<i>"), joined by Stop(). Send() is thread-safe and never
// blocks. A frame for a validator that is not connected, or whose queue is full, is dropped: it is
// asked for again. A call that was refused is tried again after a while.
#ifndef VIGIL_NODE_PEER_LEARNER_TRANSPORT_H_
#define VIGIL_NODE_PEER_LEARNER_TRANSPORT_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ledger/base/mutex.h"
#include "node/driver/learner.h"
#include "node/driver/transport.h"
#include "node/peer/grpc_transport.h"
#include "node/peer/tls.h"

namespace vigil::node {

class LearnerTransport final : public Transport {
 public:
  // `validators` in the order of the set; those without an address are not called.
  LearnerTransport(std::vector<PeerAddress> validators, TlsFiles tls);
  ~LearnerTransport() override;

  // Begins to connect. Called once; `client` must outlive the threads.
  void Start(LearnerClient* client);
  void Stop();

  bool Send(ValidatorIndex to, OutFrame frame) override;
  bool IsConnected(ValidatorIndex peer) const override;

 private:
  class Call;
  struct Peer;
  void Run(Peer* peer);
  void Wait();

  const TlsFiles tls_;
  LearnerClient* client_ = nullptr;  // Constant once threads run.
  std::vector<std::unique_ptr<Peer>> peers_;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  CondVar stopped_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_PEER_LEARNER_TRANSPORT_H_
