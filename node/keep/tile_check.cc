#include "node/keep/tile_check.h"

#include <array>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tiles.h"
#include "node/log/tile_store.h"

namespace vigil::node {
namespace {

using ledger::kTileWidth;

// Recomputes tiles from leaves, level by level, and compares each with its file.
class Recomputed {
 public:
  Recomputed(ledger::FileSystem* files, const std::string& directory)
      : files_(files), directory_(directory) {}

  // kDataLoss naming the file that differs.
  absl::Status AddBundle(uint64_t index) {
    const std::string name = ledger::BundlePath({.index = index});
    ASSIGN_OR_RETURN(const std::string bytes, Read(name));
    const absl::StatusOr<std::vector<ByteSpan>> leaves =
        ledger::DecodeBundle(AsBytes(bytes), kTileWidth);
    if (!leaves.ok()) return Damaged(name, leaves.status().message());
    for (const ByteSpan leaf : *leaves) RETURN_IF_ERROR(AddHash(0, ledger::LeafHash(leaf)));
    return absl::OkStatus();
  }

 private:
  absl::Status AddHash(uint32_t level, const Hash& hash) {
    std::vector<Hash>& tile = edges_[level];
    tile.push_back(hash);
    if (tile.size() < kTileWidth) return absl::OkStatus();
    const std::string name = ledger::TilePath({.level = level, .index = counts_[level]++});
    ASSIGN_OR_RETURN(const std::string bytes, Read(name));
    if (bytes != ledger::EncodeTile(tile)) {
      return Damaged(name, "not the hashes that the leaves give");
    }
    const Hash root = ledger::MerkleRoot(tile);
    tile.clear();
    return AddHash(level + 1, root);
  }

  absl::StatusOr<std::string> Read(const std::string& name) const {
    absl::StatusOr<std::string> bytes = files_->ReadAll(absl::StrCat(directory_, "/", name));
    if (absl::IsNotFound(bytes.status())) return Damaged(name, "not there");
    return bytes;
  }
  absl::Status Damaged(absl::string_view name, absl::string_view what) const {
    return absl::DataLossError(absl::StrCat(directory_, "/", name, ": ", what));
  }

  ledger::FileSystem* const files_;
  const std::string& directory_;
  std::array<std::vector<Hash>, ledger::kTileLevelMax + 2> edges_;
  std::array<uint64_t, ledger::kTileLevelMax + 2> counts_{};
};

}  // namespace

absl::StatusOr<TileVerdict> CheckTiles(ledger::FileSystem* files, const std::string& directory) {
  // The right edge, with what is partial, is judged by whoever goes on from there.
  ASSIGN_OR_RETURN(const std::unique_ptr<TileStore> store, TileStore::Open(files, directory));
  TileVerdict verdict{.size = store->saved().size, .damage = store->damage()};
  Recomputed recomputed(files, directory);
  for (uint64_t i = 0; i < verdict.size / kTileWidth && verdict.damage.empty(); ++i) {
    const absl::Status status = recomputed.AddBundle(i);
    if (!status.ok() && !absl::IsDataLoss(status)) return status;
    verdict.damage = std::string(status.message());
  }
  return verdict;
}

}  // namespace vigil::node
