// The transport seam: frames between validators. gRPC in production (node/peer), memory in tests.
#ifndef VIGIL_NODE_DRIVER_TRANSPORT_H_
#define VIGIL_NODE_DRIVER_TRANSPORT_H_

#include <string>
#include <vector>

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

// Takes what peers said. Called on the transport's threads, in order per peer.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  // `frame` is exactly what `from` sent, authenticated as that validator.
  virtual void OnFrame(ValidatorIndex from, std::string frame) = 0;
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
