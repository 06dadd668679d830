// The records of one stream that wait for their turn, by sequence number.
//
// A stream's record may enter a block only if it continues the head along the branch that the
// leader extends: sequence = head + 1 and previous = the head's leaf hash. Everything later is
// held.
//
// Pure; belongs to one thread.
//
// Invariants:
//   (1) At most one record per sequence number.
//   (2) executed().sequence <= branch().sequence, and no record at or below the executed head.
#ifndef VIGIL_NODE_MEMPOOL_STREAM_QUEUE_H_
#define VIGIL_NODE_MEMPOOL_STREAM_QUEUE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "ledger/base/bytes.h"

namespace vigil::node {

// Where a stream stands: the last record of it and what the next one must name as its previous.
struct StreamHeadAt {
  uint64_t sequence = 0;
  Hash leaf_hash;
  bool operator==(const StreamHeadAt&) const = default;
};

class StreamQueue {
 public:
  struct Item {
    uint64_t ticket = 0;  // The mempool's number of the record.
    Hash leaf_hash;
    Hash previous;
  };

  explicit StreamQueue(const StreamHeadAt& executed) : executed_(executed), branch_(executed) {}

  // False when another record with this sequence waits: nothing was added.
  // REQUIRES: sequence above executed().sequence.
  bool Add(uint64_t sequence, const Item& item);
  const Item* Find(uint64_t sequence) const;
  void Remove(uint64_t sequence) { items_.erase(sequence); }

  // The record that may enter the next block; nullptr while it is missing, does not name the
  // branch's head, or the queue is frozen.
  const Item* Next() const;
  // Next() goes into a block of the branch. REQUIRES: Next() != nullptr.
  void Advance();
  // The branch's blocks are given up: back to the executed head.
  void Rewind() {
    branch_ = executed_;
    frozen_ = false;
  }
  // A reset of the stream is in a block of the branch: what follows it is not known before it is
  // executed.
  void Freeze() { frozen_ = true; }

  // Execution moved the head to `head`. Removes and returns every record at or below it.
  std::vector<Item> OnExecuted(const StreamHeadAt& head);
  // A reset was executed: the head is `head`, whatever it was.
  void OnReset(const StreamHeadAt& head);

  const StreamHeadAt& executed() const { return executed_; }
  const StreamHeadAt& branch() const { return branch_; }
  const std::map<uint64_t, Item>& items() const { return items_; }

 private:
  StreamHeadAt executed_;
  StreamHeadAt branch_;
  bool frozen_ = false;
  std::map<uint64_t, Item> items_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_MEMPOOL_STREAM_QUEUE_H_
