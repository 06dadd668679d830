// A cluster of machines whose validator set changes while it is hurt at random from one seed:
// blocks that seal an epoch at random moments, hosts that end a core early, late or not at all,
// machines that enter the next epoch with its base, without it, or with nothing. Then it heals; a
// sealed epoch that nobody has left must be committed up to its sealing block by everybody, and the
// newest epoch must make progress.
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_EPOCHS_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_EPOCHS_H_

#include <cstdint>
#include <string>

#include "ledger/base/bytes.h"

namespace vigil::consensus {

struct EpochsReport {
  std::string failure;  // Empty: nothing was violated.
  Hash digest;          // Over every core's digest after every step.
  uint64_t committed = 0;
  uint64_t epochs = 0;       // Begun.
  uint64_t seals_built = 0;  // Some are truncated.
  uint64_t closings_built = 0;
  uint64_t entered_with_base = 0;
  uint64_t entered_without = 0;
  uint64_t fetched = 0;       // What a host fetched before it entered.
  uint64_t sealed_waits = 0;  // A sealed epoch that nobody had left when the cluster healed.
  uint64_t crashes = 0;
  uint64_t lost_groups = 0;
  uint64_t reads_answered = 0;
};

// `set_size`: of epoch 1; later sets have random sizes and members.
EpochsReport RunRandomEpochs(uint32_t set_size, uint64_t seed, uint32_t stormy_ticks);

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_RANDOM_EPOCHS_H_
