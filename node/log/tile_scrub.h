// Holds the log's tiles and entry bundles against leaves that were read from the journal again, and
// makes those anew that differ.
//
// Leaves come in the order of the log; a gap in them is lawful, and tiles that it touches are
// passed over. Belongs to one thread; the store's own writer may go on meanwhile.
#ifndef VIGIL_NODE_LOG_TILE_SCRUB_H_
#define VIGIL_NODE_LOG_TILE_SCRUB_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/log/tiles.h"
#include "node/log/tile_store.h"

namespace vigil::node {

class TileScrub {
 public:
  // `tiles` must outlive the object.
  explicit TileScrub(const TileStore* tiles) : tiles_(tiles) {}

  // From the first leaf on again.
  void Restart() { Forget(0); }
  // The leaf at `index`, whose hash the caller computed from these bytes. Returns the names of
  // files that were made anew. Errors: of writing.
  absl::StatusOr<std::vector<std::string>> Add(uint64_t index, ByteSpan leaf, const Hash& hash);
  // Bytes of files that were read.
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  void Forget(uint64_t next);
  absl::Status AddHash(uint32_t level, uint64_t index, const Hash& hash,
                       std::vector<std::string>* mended);
  absl::Status Hold(const std::string& name, const std::string& expected,
                    std::vector<std::string>* mended);

  const TileStore* const tiles_;
  uint64_t next_ = 0;                // Leaf that follows what was added.
  std::vector<std::string> leaves_;  // Of the open bundle, when it was begun at its beginning.
  std::array<std::vector<Hash>, ledger::kTileLevelMax + 1> open_;  // The same of each level.
  uint64_t bytes_read_ = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_TILE_SCRUB_H_
