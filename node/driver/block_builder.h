// BlockBuilder: turns records into a signed block on a given parent (consensus.md section 5).
//
// Belongs to the replica's thread. Pure apart from reads of the given snapshot.
#ifndef VIGIL_NODE_DRIVER_BLOCK_BUILDER_H_
#define VIGIL_NODE_DRIVER_BLOCK_BUILDER_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/snapshot.h"
#include "node/driver/reveal_chain.h"

namespace vigil::node {

// What a child must know of its parent.
struct ParentBlock {
  ledger::BlockId id;
  Height executed_in_header;  // E of the parent's header; 0 for genesis.
  uint64_t time_unix_millis = 0;
};

// Bytes of a block frame without records, and what each record adds to its own.
inline constexpr size_t kEmptyBlockBytes = 2 + ledger::kHeaderBytes + 64 + 4;
inline constexpr size_t kBlockRecordOverheadBytes = 8;

class BlockBuilder {
 public:
  // All must outlive the object.
  BlockBuilder(const ledger::Genesis* genesis, ValidatorIndex self,
               const ledger::SigningKey* consensus_key, RevealChain* reveals);

  // A block in `view` whose header speaks of state at `executed`, which `reader` knows. Its time is
  // `now_unix_millis`, but never below the parent's.
  // `snapshot` is the mark that the header must carry, if it must carry one.
  // Where a next set of validators is approved at or below `executed` it seals the epoch.
  // REQUIRES: parent's E <= executed <= parent's height; the records fit into a block.
  // Errors: of the store.
  absl::StatusOr<ledger::BlockPtr> Build(
      const ParentBlock& parent, View view, Height executed, const ledger::ChainReader& reader,
      const std::optional<ledger::SnapshotMark>& snapshot, int64_t now_unix_millis,
      const std::vector<std::shared_ptr<const ledger::Record>>& records) const;

 private:
  const ledger::Genesis* const genesis_;
  const ValidatorIndex self_;
  const ledger::SigningKey* const consensus_key_;
  RevealChain* const reveals_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_BLOCK_BUILDER_H_
