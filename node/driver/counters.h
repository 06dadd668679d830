// Counts of what a node did since it started; node/http turns them into metrics.
#ifndef VIGIL_NODE_DRIVER_COUNTERS_H_
#define VIGIL_NODE_DRIVER_COUNTERS_H_

#include <atomic>
#include <cstdint>

namespace vigil::node {

// Each is written by one actor or transport thread and read by any; relaxed, never decided upon.
struct NodeCounters {
  std::atomic<uint64_t> frames_received{0};
  std::atomic<uint64_t> frames_invalid{0};  // Malformed, or before a good hello.
  std::atomic<uint64_t> frames_dropped{0};  // No room in the inbox, or execution too far behind.
  std::atomic<uint64_t> frames_sent{0};
  std::atomic<uint64_t> frames_unsent{0};     // The transport had no room or no connection.
  std::atomic<uint64_t> fetches_answered{0};  // Of other validators; also with an error.
  std::atomic<uint64_t> fetches_refused{0};   // Too many of one validator were waiting.
  std::atomic<uint64_t> fetch_bytes{0};       // Of answers that were sent.
  std::atomic<uint64_t> submissions{0};
  std::atomic<uint64_t> submissions_refused{0};
  std::atomic<uint64_t> records_forwarded{0};
  std::atomic<uint64_t> blocks_built{0};
  std::atomic<uint64_t> records_built{0};
  std::atomic<uint64_t> journal_syncs{0};
  std::atomic<uint64_t> journal_bytes{0};
  std::atomic<uint64_t> blocks_executed{0};
  std::atomic<uint64_t> records_executed{0};
  std::atomic<uint64_t> fault_proofs{0};
  std::atomic<uint64_t> reads_answered{0};  // Linearizable ones; by several threads.
  std::atomic<uint64_t> reads_failed{0};    // As above: no leader, too late, or too many.
  std::atomic<uint64_t> pruned_bytes{0};    // That pruning freed since the start.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_COUNTERS_H_
