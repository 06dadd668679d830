// One query: answered at once from what is executed here, or once that contains everything that was
// acknowledged before the call (protocol.md, R25).
#ifndef VIGIL_NODE_API_READ_CALL_H_
#define VIGIL_NODE_API_READ_CALL_H_

#include <grpcpp/grpcpp.h>

#include <functional>

#include "absl/status/status.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

// A linearizable read waits so long at most, and ends in time to say why before the caller gives
// up.
inline constexpr int64_t kReadWaitMillisMax = 5'000;

enum class ReadsFrom : uint8_t {
  kState,  // Executed state and blocks.
  kIndex,  // The search index too, which follows execution.
};

// Runs `fill`, which writes the response, when the time has come; on this or one of gRPC's threads.
// `services`, and all that `fill` works with, must live until the call is done.
grpc::ServerUnaryReactor* AnswerRead(NodeServices* services, grpc::CallbackServerContext* context,
                                     v1::Consistency consistency, ReadsFrom from,
                                     std::function<absl::Status()> fill);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_READ_CALL_H_
