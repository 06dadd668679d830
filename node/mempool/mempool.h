// Mempool: the records that wait for a block, by lane and by stream (consensus.md section 7).
//
// Belongs to the replica. Each lane has its own byte budget, so that a flood of events cannot
// starve an alert, nor the other way round; a full lane refuses, nothing that was taken is dropped
// silently. A record leaves when it is executed, when execution has passed it, or when it waited
// too long for its predecessor.
//
// Pure: no clock, I/O, lock or randomness, and the same calls give the same answers. Belongs to one
// thread.
//
// Invariants:
//   (1) A leaf hash is held at most once.
//   (2) A lane's bytes never exceed its budget.
//   (3) TakeForBlock gives a stream's records in order and without a gap along the branch.
#ifndef VIGIL_NODE_MEMPOOL_MEMPOOL_H_
#define VIGIL_NODE_MEMPOOL_MEMPOOL_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/kinds.h"
#include "ledger/chain/record.h"
#include "node/mempool/stream_queue.h"

namespace vigil::node {

struct MempoolLimits {
  // Governance, alerts, events.
  std::array<size_t, ledger::kLaneCount> lane_bytes_max = {4u << 20, 16u << 20, 64u << 20};
  // How far beyond the executed head a stream's record may be.
  uint64_t stream_ahead_max = 4096;
  // How long a record waits for its predecessor.
  int64_t hold_micros_max = 10'000'000;
  // Forwarded again after this, doubled each time up to 16-fold.
  int64_t forward_retry_micros = 2'000'000;
};

// Names a stream: identity 00 stream (neither contains a zero byte).
std::string StreamName(absl::string_view identity, absl::string_view stream);

struct StreamPlace {
  std::string name;  // StreamName()
  uint64_t sequence = 0;
  Hash previous;
};

// A record as it comes in.
struct PoolRecord {
  // Owned by the pool, block builds and forward frames together.
  std::shared_ptr<const ledger::Record> record;
  Hash leaf_hash;
  ledger::Lane lane = ledger::Lane::kEvents;
  std::optional<StreamPlace> place;  // Records of a stream only.
  std::string resets;                // Stream resets only: the stream's name.
  bool local = true;                 // Submitted here, not forwarded by a peer.
};

enum class AddOutcome : uint8_t {
  kAdded,
  kDuplicate,  // The pool holds the very same record.
  kPassed,     // Sequence at or below the executed head: ask the chain.
  kConflict,   // Another record with this sequence waits.
  kTooFar,     // Beyond what is held for a stream.
  kLaneFull,
};

// What execution said of one record.
struct ExecutedRecord {
  Hash leaf_hash;
  std::optional<StreamPlace> place;  // Set when the record took its place in the stream (OK).
  std::string resets;                // Set when it reset this stream (OK).
};

// A record that left without being executed.
struct EvictedRecord {
  enum class Why : uint8_t {
    kConflict,  // Execution passed its sequence with another record.
    kGap,       // Its predecessor did not come in time.
  } why = Why::kConflict;
  Hash leaf_hash;
  uint64_t sequence = 0;
  bool local = true;
  StreamHeadAt head;  // Of its stream.
};

class Mempool {
 public:
  // `executed_head` tells where a stream stands in executed state; it is asked for streams of which
  // the pool holds nothing, and after a reset.
  using HeadSource = std::function<StreamHeadAt(const std::string& stream)>;
  Mempool(const MempoolLimits& limits, HeadSource executed_head);

  AddOutcome Add(PoolRecord record, int64_t now_micros);

  // Whether TakeForBlock would give anything.
  bool has_ready() const;
  // Of the records that are in no block yet, those that wait for a predecessor included.
  size_t waiting_bytes() const { return waiting_bytes_; }
  // Records for the next block of the branch, highest lane first, each lane with a reserved share
  // of `bytes_max` and what the others leave over. They count as in flight until executed or
  // ResetInFlight(). A record counts its leaf, payload and `overhead_bytes`.
  std::vector<std::shared_ptr<const ledger::Record>> TakeForBlock(size_t bytes_max,
                                                                  size_t count_max,
                                                                  size_t overhead_bytes);
  // The branch is given up (view change): everything in flight waits again.
  void ResetInFlight();
  // A block was executed. Returns the records that it made impossible.
  std::vector<EvictedRecord> OnExecuted(const std::vector<ExecutedRecord>& records);
  // Forgets what peers forwarded: they keep it, and tell the next leader.
  void DropForeign();
  // Takes out a record that the leader refused. False when it is not here.
  bool Remove(const Hash& leaf_hash);
  // Takes out and returns the records that waited for a predecessor since before
  // `now - hold_micros_max`.
  std::vector<EvictedRecord> ExpireHeld(int64_t now_micros);

  // Local records that were not forwarded yet, in order of arrival, up to `bytes_max` (at least
  // one).
  std::vector<std::shared_ptr<const ledger::Record>> PeekForwards(size_t bytes_max,
                                                                  size_t count_max) const;
  // The first `count` of PeekForwards() were sent.
  void MarkForwarded(size_t count, int64_t now_micros);
  // Forwards that had no answer in time wait to be forwarded again.
  void ExpireForwards(int64_t now_micros);
  // Another leader: everything local waits to be forwarded.
  void ResetForwards();

  size_t lane_bytes(ledger::Lane lane) const { return lane_bytes_[static_cast<size_t>(lane)]; }
  size_t size() const { return entries_.size(); }
  bool Contains(const Hash& leaf_hash) const { return tickets_.contains(leaf_hash); }
  // Monotonic time of the next forward to expire; nullopt when none is out.
  std::optional<int64_t> NextForwardExpiry() const;

 private:
  struct Entry {
    PoolRecord pooled;
    size_t bytes = 0;
    int64_t arrived_micros = 0;
    bool in_flight = false;
    int64_t forward_expires_micros = 0;  // 0: not forwarded.
    uint32_t forward_count = 0;
  };
  using Entries = std::map<uint64_t, Entry>;  // By ticket: in order of arrival.

  StreamQueue* QueueOf(const std::string& stream);
  AddOutcome AddToStream(const PoolRecord& record, uint64_t ticket);
  // Brings the ready set in line with the queue of `stream`; drops the queue when it is empty.
  void RefreshReady(const std::string& stream);
  void Erase(Entries::iterator entry);
  // Moves ready records of `lane` into `taken` while they fit.
  void TakeLane(size_t lane, size_t lane_bytes_max, size_t overhead_bytes, size_t count_max,
                size_t* bytes_left, std::vector<std::shared_ptr<const ledger::Record>>* taken);
  void MarkInFlight(Entry* entry);
  // Execution says that `stream` stands at `head`; `reset`: whatever it was before.
  void MoveHead(const std::string& stream, const StreamHeadAt& head, bool reset,
                std::vector<EvictedRecord>* evicted);
  void Evict(const std::vector<StreamQueue::Item>& items, const StreamHeadAt& head,
             std::vector<EvictedRecord>* evicted);

  const MempoolLimits limits_;
  const HeadSource executed_head_;
  uint64_t next_ticket_ = 1;
  Entries entries_;
  absl::flat_hash_map<Hash, uint64_t> tickets_;  // Never walked.
  std::array<size_t, ledger::kLaneCount> lane_bytes_{};
  size_t waiting_bytes_ = 0;
  std::array<std::set<uint64_t>, ledger::kLaneCount> ready_;
  std::map<std::string, StreamQueue> streams_;
  std::map<std::string, uint64_t> ready_of_stream_;  // Ticket of a stream's record in ready_.
  std::set<uint64_t> unsent_;                        // Local, to be forwarded.
  std::set<std::pair<int64_t, uint64_t>> sent_;      // Forwarded: expiry and ticket.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_MEMPOOL_MEMPOOL_H_
