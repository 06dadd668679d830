// Computes a folder of tiles again from its own leaves.
#ifndef VIGIL_NODE_KEEP_TILE_CHECK_H_
#define VIGIL_NODE_KEEP_TILE_CHECK_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/storage/file.h"

namespace vigil::node {

struct TileVerdict {
  uint64_t size = 0;   // Leaves that the files are known to hold.
  std::string damage;  // Names the file; empty: none.
};

// Reads every full bundle and tile below the size in `progress`, hashes each leaf, and compares
// every hash of every level, and the root. Changes nothing when `files` is an overlay. Memory: one
// tile of each level. Errors: of the disk.
absl::StatusOr<TileVerdict> CheckTiles(ledger::FileSystem* files, const std::string& directory);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_TILE_CHECK_H_
