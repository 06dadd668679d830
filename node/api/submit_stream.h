// One SubmitStream call: requests in, answers out in the order of the requests.
#ifndef VIGIL_NODE_API_SUBMIT_STREAM_H_
#define VIGIL_NODE_API_SUBMIT_STREAM_H_

#include <functional>

#include "node/driver/services.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::node {

// Not OK for levels that this validator does not offer.
ServiceError CheckAckLevel(v1::AckLevel level);

// Submits and calls `done` once, when the record has come as far as `level` or failed to.
// REQUIRES: CheckAckLevel(level).ok().
void SubmitUntil(NodeServices* services, v1::AckLevel level, ledger::Record record,
                 std::function<void(const SubmitOutcome&, v1::AckLevel reached)> done);

// Deletes itself when the call is over and every submission was answered. At most 256 requests or
// 8 MiB of one stream are under way; beyond that the stream is not read, and HTTP/2 flow control
// holds the client.
grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitResponse>* NewSubmitStream(
    NodeServices* services);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_SUBMIT_STREAM_H_
