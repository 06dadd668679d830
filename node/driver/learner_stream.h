// The seam between a validator and the transport of those who learn: one stream in both directions
// for each newcomer (docs/protocol.md, Learners). gRPC in production, memory in tests.
#ifndef VIGIL_NODE_DRIVER_LEARNER_STREAM_H_
#define VIGIL_NODE_DRIVER_LEARNER_STREAM_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::node {

// Thread-safe.
class LearnerStream {
 public:
  virtual ~LearnerStream() = default;
  // "org/name" of the sender's certificate, and its SHA-256; zero over a transport without.
  virtual const std::string& identity() const = 0;
  virtual Hash certificate_hash() const = 0;
  // Queues a frame; false, having dropped it, when the queue's bytes are used up or it has ended.
  virtual bool Send(std::string frame) = 0;
  // Ends the stream and tells why. Nothing happens when it has ended.
  virtual void End(const absl::Status& why) = 0;
};

class LearnerReceiver {
 public:
  virtual ~LearnerReceiver() = default;
  // What came on `stream`, in order, one at a time. The receiver keeps hold of the stream once its
  // hello is good, until OnLearnerEnd(). Errors: the stream must end, and the error be told.
  virtual absl::Status OnLearnerFrame(const std::shared_ptr<LearnerStream>& stream,
                                      absl::string_view frame) = 0;
  virtual void OnLearnerEnd(const LearnerStream* stream) = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_LEARNER_STREAM_H_
