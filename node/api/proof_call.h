// One GetProof call: answers at once, or waits for a checkpoint that reaches far enough.
#ifndef VIGIL_NODE_API_PROOF_CALL_H_
#define VIGIL_NODE_API_PROOF_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>

#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

// Calls that wait at a time; the next is told to come again.
inline constexpr uint32_t kProofsWaitingMax = 256;

// Deletes itself. `services` and `waiting`, the count of calls that wait, must outlive it.
grpc::ServerUnaryReactor* NewProofCall(NodeServices* services, grpc::CallbackServerContext* context,
                                       const v1::GetProofRequest* request, v1::Proof* response,
                                       std::atomic<uint32_t>* waiting);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_PROOF_CALL_H_
