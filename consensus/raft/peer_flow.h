// What the leader knows of one follower's log, and how much it may send it (protocol.md, R9, R14).
//
// Probe: the meeting point of the logs is not known; at most one message with one block is
// outstanding. Replicate: it is known; messages are pipelined within the budget. Heartbeats carry
// no block and are outside the budget.
//
// Pure; belongs to one thread.
//
// Invariants:
//   (1) match < next. match comes only from acknowledgements, never from the hint of a rejection.
//   (2) Unacknowledged bytes stay within the budget, except that one block may always travel.
#ifndef VIGIL_CONSENSUS_RAFT_PEER_FLOW_H_
#define VIGIL_CONSENSUS_RAFT_PEER_FLOW_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "consensus/raft/chain_log.h"
#include "consensus/raft/raft.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::consensus {

// Heights [first, last] to send in one message.
struct SendRange {
  Height first;
  Height last;
};

class PeerFlow {
 public:
  // Knows nothing of the follower; guesses that it has everything up to `last`. Nothing at or below
  // `base` can be sent: the leader's log begins above it.
  void Reset(Height last, Height base);

  // The leader's log begins above `base` from now on. A follower that needs what lies below is
  // guessed anew, so that its answer tells that it needs a snapshot.
  void RaiseBase(Height last, Height base);

  // The next message that may be sent now; counts it as sent. nullopt: nothing to send, or the
  // budget is used up.
  std::optional<SendRange> NextSend(const ChainLog& log, const RaftConfig& config);

  // The follower has everything up to `match` on disk. `before_probe`: it said so before the probe
  // that is outstanding can have reached it. Returns whether match() grew.
  bool OnMatched(Height match, bool before_probe);
  // The follower has no block that `rejected` names; the logs may meet at `meeting` or below.
  // Stale rejections are ignored. Returns whether this changed what to send next.
  bool OnMismatch(Height rejected, Height meeting);

  Height match() const { return match_; }
  // The block that heartbeats name: everything sent so far, or the guess while probing.
  Height previous() const { return next_.Previous(); }
  bool replicating() const { return replicating_; }
  uint64_t bytes_in_flight() const { return bytes_in_flight_; }
  void AppendTo(ByteWriter* out) const;  // For digests.

 private:
  struct InFlight {
    Height last;
    uint64_t size = 0;
  };
  void ForgetInFlight();

  Height base_;  // The leader's log begins above.
  Height match_;
  Height next_{1};
  bool replicating_ = false;
  bool probe_outstanding_ = false;  // Block next_ was sent and not answered.
  uint64_t probe_size_ = 0;
  std::deque<InFlight> in_flight_;
  uint64_t bytes_in_flight_ = 0;
};

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_RAFT_PEER_FLOW_H_
