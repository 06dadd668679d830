// LearnCalls: the calls of newcomers that learn, on the validator's side (docs/protocol.md,
// Learners).
//
// Thread-safe. Handlers run on gRPC's threads; frames of one call arrive in order.
#ifndef VIGIL_NODE_PEER_LEARN_CALL_H_
#define VIGIL_NODE_PEER_LEARN_CALL_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "ledger/base/bytes.h"
#include "ledger/base/mutex.h"
#include "node/driver/learner_stream.h"
#include "vigil/v1/peer.grpc.pb.h"

namespace vigil::node {

// Calls of one certificate, and of all, at a time.
inline constexpr size_t kLearnCallsPerIdentityMax = 4;
inline constexpr size_t kLearnCallsMax = 32;

class LearnCalls {
 public:
  using Reactor = grpc::ServerBidiReactor<v1::PeerFrame, v1::PeerFrame>;
  // `receiver` must outlive the calls; null: every call is refused.
  explicit LearnCalls(LearnerReceiver* receiver) : receiver_(receiver) {}
  // Takes a call of whoever the certificate names; empty: it names no validator. Owned by gRPC.
  Reactor* Begin(const std::string& identity, const Hash& certificate_hash) VIGIL_EXCLUDES(mutex_);

 private:
  class Call;
  void Remove(const std::string& identity) VIGIL_EXCLUDES(mutex_);

  LearnerReceiver* const receiver_;
  Mutex mutex_;
  std::map<std::string, size_t> counts_ VIGIL_GUARDED_BY(mutex_);
  size_t count_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_PEER_LEARN_CALL_H_
