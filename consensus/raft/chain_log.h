// The names and sizes of the blocks of this validator's branch, from its base on: genesis, or the
// block of a snapshot.
//
// Pure; belongs to one thread. 56 bytes per block.
//
// Invariants:
//   (1) Entry i is the block of height base + i; entry 0 is the base, which is committed.
//   (2) Views never decrease with height.
#ifndef VIGIL_CONSENSUS_RAFT_CHAIN_LOG_H_
#define VIGIL_CONSENSUS_RAFT_CHAIN_LOG_H_

#include <cstdint>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/block.h"

namespace vigil::consensus {

class ChainLog {
 public:
  explicit ChainLog(const ledger::BlockId& base);

  // REQUIRES: `block` stands directly above last(), its view is not below last()'s.
  void Append(const ledger::BlockId& block, uint64_t size);
  // Forgets every block above `kept`. REQUIRES: committed <= kept <= last: what is committed is
  // never truncated (protocol.md, R12), whatever the caller believed.
  void TruncateAbove(Height kept, Height committed);

  // The branch begins at `base` from now on. REQUIRES: base().height <= base <= last().height, and
  // it is committed.
  void BeginAt(Height base);

  const ledger::BlockId& base() const { return entries_.front().block; }
  const ledger::BlockId& last() const { return entries_.back().block; }
  // REQUIRES: base().height <= height <= last().height.
  const ledger::BlockId& At(Height height) const;
  bool Contains(const ledger::BlockId& block) const;

  // Bytes of the frames at heights (after, to]. REQUIRES: base() <= after <= to <= last().
  uint64_t SizeBetween(Height after, Height to) const;
  // The highest height <= `limit` (and <= last) whose view is <= `view`; the base at
  // worst.
  Height HighestWithViewAtMost(Height limit, View view) const;
  uint64_t total_size() const { return entries_.back().size_up_to; }

 private:
  struct Entry {
    ledger::BlockId block;
    uint64_t size_up_to = 0;  // Bytes of this frame and all below, also of those forgotten.
  };
  std::vector<Entry> entries_;
};

}  // namespace vigil::consensus

#endif  // VIGIL_CONSENSUS_RAFT_CHAIN_LOG_H_
