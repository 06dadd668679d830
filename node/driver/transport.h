// The transport seam: frames between validators. gRPC in production (node/peer), memory in tests.
#ifndef VIGIL_NODE_DRIVER_TRANSPORT_H_
#define VIGIL_NODE_DRIVER_TRANSPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"

namespace vigil::node {

// A frame to send: `head` (docs/formats.md, Peer frame) and then, per block, u32be size and the
// block frame. The transport puts the bytes together; blocks are shared, not copied, until then.
struct OutFrame {
  std::string head;
  std::vector<ledger::BlockPtr> blocks;
  size_t bytes() const {
    size_t total = head.size();
    for (const ledger::BlockPtr& block : blocks) total += 4 + block->frame().size();
    return total;
  }
};

// What is known of one stream of a peer. Made by the transport when the stream begins; belongs to
// the stream, so that what one stream says counts for no other.
struct PeerStream {
  ValidatorIndex from;    // Authenticated by the transport.
  Hash certificate_hash;  // SHA-256 of the sender's certificate; zero over a transport without.
  bool greeted = false;   // Its hello was right. Set by the receiver.
};

// Takes what peers said. Called on the transport's threads; the frames of one stream come in order,
// one at a time.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  // `frame` is exactly what the peer sent.
  // Errors: the stream is not believed and must end; the error says why and may be told to the
  // peer. Frames that are merely of no use are counted and are no error.
  virtual absl::Status OnFrame(PeerStream* stream, std::string frame) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Queues a frame; returns false, having dropped it, when `to` is not connected or its queue's
  // byte budget is used up. Agreement tolerates loss. Thread-safe.
  virtual bool Send(ValidatorIndex to, OutFrame frame) = 0;
  virtual bool IsConnected(ValidatorIndex peer) const = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_TRANSPORT_H_
