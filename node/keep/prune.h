// Drops the old payloads of a stopped validator (node/driver/pruner.h says what stays).
#ifndef VIGIL_NODE_KEEP_PRUNE_H_
#define VIGIL_NODE_KEEP_PRUNE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/storage/file.h"

namespace vigil::node {

struct PruneRequest {
  std::string data_dir;
  const ledger::Genesis* genesis = nullptr;
  uint64_t older_than_millis = 0;  // Before the newest committed block.
};
struct PruneReport {
  uint64_t segments = 0;
  uint64_t blocks = 0;
  uint64_t bytes_freed = 0;
  Height height_max;  // Up to which pruning was lawful, had everything been old enough.
};

// Errors: kNotFound when there is no journal; kAlreadyExists while a validator runs;
// kFailedPrecondition when the detector's bookkeeping is damaged or not there, so that a start
// would have to read every event again; kDataLoss when the journal is damaged; of the disk. What
// was pruned before an error stays pruned, and the journal is whole.
absl::StatusOr<PruneReport> PruneData(ledger::FileSystem* files, const PruneRequest& request);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_PRUNE_H_
