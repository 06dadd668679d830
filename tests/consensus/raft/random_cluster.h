// A whole cluster of cores on one thread, hurt at random from one seed: lost, late, repeated and
// reordered messages, partitions, slow disks and clocks, crashes that lose what was not synced, and
// one validator at a time whose last synced group is lost, or that lacks what others have archived.
// Then it heals and must make progress.
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_CLUSTER_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_CLUSTER_H_

#include <cstdint>
#include <string>

#include "ledger/base/bytes.h"

namespace vigil::consensus {

struct ClusterReport {
  std::string failure;  // Empty: nothing was violated.
  Hash digest;          // Over every core's digest after every step.
  uint64_t committed = 0;
  uint64_t terms_led = 0;
  uint64_t crashes = 0;
  uint64_t lost_groups = 0;
  uint64_t transfers = 0;  // Begun.
  uint64_t reads_answered = 0;
  uint64_t reads_lost = 0;     // To be asked again.
  uint64_t lost_journals = 0;  // The log began anew above a committed block.
  uint64_t archived = 0;       // A running core's log began above a later block.
  uint64_t rejoined = 0;       // Somebody lacked that, was told, and joined anew.
};

ClusterReport RunRandomCluster(uint32_t validator_count, uint64_t seed, uint32_t stormy_ticks);

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_CLUSTER_H_
