// Rebuilds what a stopped validator derives from its journal: executed state, height and search
// index.
#ifndef VIGIL_NODE_KEEP_REINDEX_H_
#define VIGIL_NODE_KEEP_REINDEX_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/storage/file.h"
#include "node/driver/derived_stores.h"

namespace vigil::node {

struct ReindexRequest {
  std::string data_dir;
  const ledger::Genesis* genesis = nullptr;
  StoreFactory open_store;
};

struct ReindexReport {
  Height begun_at;  // Of the snapshot that state was begun with; 0: genesis.
  Height height;    // Everything that the journal knows to be committed.
  Hash state_digest;
  uint64_t records = 0;
  Height indexed_from;  // The index holds the events of these blocks, both included.
  Height indexed;
};

// Empties the stores "state" and "index" and executes the journal's committed blocks into them. Of
// a journal that begins above genesis state begins with the newest sound snapshot, the index with
// the journal's first block. Marks both first, so that a start after an interruption builds them
// anew. A torn end of the journal is left as it is. Errors: kNotFound when there is no journal;
// kAlreadyExists while a validator runs; kFailedPrecondition when the journal begins above genesis
// and no snapshot is sound: nothing was changed then; kDataLoss when the journal is damaged, or a
// header's state digest is not what execution gives; of the disk.
absl::StatusOr<ReindexReport> Reindex(
    ledger::FileSystem* files, const ReindexRequest& request,
    const std::function<void(Height done, Height last)>& progress);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_REINDEX_H_
