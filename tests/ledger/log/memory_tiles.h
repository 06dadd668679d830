// A tree's tiles in memory, made by hashing level upon level: what tests read through TileSource.
#ifndef VIGIL_TESTS_LEDGER_LOG_MEMORY_TILES_H_
#define VIGIL_TESTS_LEDGER_LOG_MEMORY_TILES_H_

#include <map>
#include <utility>
#include <vector>

#include "ledger/log/merkle.h"
#include "ledger/log/tiles.h"

namespace vigil::ledger {

class MemoryTiles : public TileSource {
 public:
  explicit MemoryTiles(std::vector<Hash> leaves) {
    for (std::vector<Hash> level = std::move(leaves); !level.empty();) {
      std::vector<Hash> above;
      for (size_t end = kTileWidth; end <= level.size(); end += kTileWidth) {
        above.push_back(MerkleRoot(std::span(level).subspan(end - kTileWidth, kTileWidth)));
      }
      levels_.push_back(std::move(level));
      level = std::move(above);
    }
  }

  // Answers exactly `id.width` hashes, and notes that it was asked.
  absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override {
    ++reads[{id.level, id.index}];
    const uint64_t begin = id.index * kTileWidth;
    if (id.level >= levels_.size() || begin + id.width > levels_[id.level].size()) {
      return absl::NotFoundError(TilePath(id));
    }
    const std::span<const Hash> hashes = std::span(levels_[id.level]).subspan(begin, id.width);
    return std::vector<Hash>(hashes.begin(), hashes.end());
  }

  mutable std::map<std::pair<uint32_t, uint64_t>, int> reads;

 private:
  std::vector<std::vector<Hash>> levels_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_LOG_MEMORY_TILES_H_
