// Knows up to which height this validator's own branch is on disk.
//
// The host reports durability by output sequence (DurableUpTo); blocks are counted by height. A
// truncation between an append and its sync must not let the sync vouch for blocks that took their
// place. Pure; belongs to one thread.
#ifndef VIGIL_CONSENSUS_RAFT_DURABILITY_H_
#define VIGIL_CONSENSUS_RAFT_DURABILITY_H_

#include <cstdint>
#include <deque>

#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::consensus {

class Durability {
 public:
  // `height`: what was read back from disk at the start.
  explicit Durability(Height height) : height_(height) {}

  // Blocks up to `height` are appended by output `sequence`. REQUIRES: sequences never decrease.
  void Appended(uint64_t sequence, Height height);
  void TruncatedAbove(Height kept);
  void DurableUpTo(uint64_t sequence);

  // Every block of the branch up to here is on disk.
  Height height() const { return height_; }
  void AppendTo(ByteWriter* out) const;  // For digests.

 private:
  struct Pending {
    uint64_t sequence = 0;
    Height height;
  };
  Height height_;
  std::deque<Pending> pending_;  // One per output that is not on disk yet.
};

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_RAFT_DURABILITY_H_
