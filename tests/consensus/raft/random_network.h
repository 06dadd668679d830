// The network between machines of a random cluster: it loses, delays, repeats and reorders
// messages, and cuts each direction of each link on its own, until it is healed. Belongs to one
// thread.
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_NETWORK_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_NETWORK_H_

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "consensus/core/core.h"
#include "ledger/base/random.h"
#include "ledger/base/strong_id.h"

namespace vigil::consensus {

class RandomNetwork {
 public:
  struct Envelope {
    uint64_t due = 0;
    uint32_t to = 0;  // A machine.
    Epoch epoch{1};   // Of the core that sent it.
    PeerMessage message;
  };

  // `random` outlives this.
  explicit RandomNetwork(SplitMix64* random) : random_(random) {}

  void Tick() { ++now_; }
  void CutAtRandom(uint32_t machine_count);
  void Mend() { cut_.clear(); }
  // From now on every message comes, and soon.
  void Heal();
  void Send(uint32_t from, uint32_t to, Epoch epoch, const PeerMessage& message);
  // What arrives now, in whatever order.
  std::vector<Envelope> TakeDue();

 private:
  SplitMix64* const random_;
  uint64_t now_ = 0;
  bool calm_ = false;
  std::vector<Envelope> under_way_;
  std::set<std::pair<uint32_t, uint32_t>> cut_;
};

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_NETWORK_H_
