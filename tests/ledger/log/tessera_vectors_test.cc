// The log published with transparency-dev/tessera (testdata/log): checkpoints of sizes 0 to 15,
// and the tiles and entry bundles of each size.
#include "ledger/log/merkle.h"
#include "ledger/log/policy.h"
#include "ledger/log/tiles.h"
#include "tests/ledger/log/test_log.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"
#include "tests/support/vectors.h"

namespace vigil::ledger {
namespace {

constexpr const char* kFolder = "vectors/tessera-testlog/testdata/log/";
constexpr uint64_t kSizeMax = 15;

bool IsThere() {
  if (std::filesystem::exists(SharedPath(kFolder))) return true;
  WARN("skipped: " << kFolder << " is not there");
  return false;
}

std::string MustRead(const std::string& name) {
  const std::optional<std::string> bytes = ReadSharedFile(kFolder + name);
  INFO(name);
  REQUIRE(bytes.has_value());
  return *bytes;
}

class FolderTiles : public TileSource {
 public:
  absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override {
    const std::optional<std::string> bytes = ReadSharedFile(kFolder + TilePath(id));
    if (!bytes.has_value()) return absl::NotFoundError(TilePath(id));
    return DecodeTile(AsBytes(*bytes), id.width);
  }
};

// The published checkpoint of this size, with its signature checked.
Checkpoint CheckpointOf(uint64_t size) {
  const auto verdict =
      CheckCheckpoint(TesseraPolicy(), MustRead("checkpoint." + std::to_string(size)));
  REQUIRE(verdict.ok());
  CHECK(verdict->quorum);
  CHECK(verdict->checkpoint.size == size);
  return verdict->checkpoint;
}

TEST_CASE("tessera log: every checkpoint verifies and no flipped bit of one does",
          "[log][vectors]") {
  if (!IsThere()) return;
  for (uint64_t size = 0; size <= kSizeMax; ++size) {
    CheckpointOf(size);
    const std::string note = MustRead("checkpoint." + std::to_string(size));
    for (size_t bit = 0; bit < 8 * note.size(); ++bit) {
      std::string bad = note;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      CHECK_FALSE(CheckCheckpoint(TesseraPolicy(), bad).ok());
    }
  }
  CountVectors("tessera-testlog", "checkpoints", kSizeMax + 1);
}

TEST_CASE("tessera log: every root is that of the tiles", "[log][vectors]") {
  if (!IsThere()) return;
  for (uint64_t size = 0; size <= kSizeMax; ++size) {
    CHECK(*RootFromTiles(FolderTiles(), size) == CheckpointOf(size).root);
  }
}

TEST_CASE("tessera log: every bundle holds the leaves of its tile and comes back",
          "[log][vectors]") {
  if (!IsThere()) return;
  for (uint32_t width = 1; width <= kSizeMax; ++width) {
    const std::string bytes = MustRead(BundlePath({.index = 0, .width = width}));
    const absl::StatusOr<std::vector<ByteSpan>> leaves = DecodeBundle(AsBytes(bytes), width);
    REQUIRE(leaves.ok());
    CHECK(EncodeBundle(*leaves) == bytes);
    std::vector<Hash> hashes;
    for (const ByteSpan leaf : *leaves) hashes.push_back(LeafHash(leaf));
    CHECK(EncodeTile(hashes) == MustRead(TilePath({.level = 0, .index = 0, .width = width})));
  }
  CountVectors("tessera-testlog", "tiles and bundles", 2 * kSizeMax);
}

TEST_CASE("tessera log: tiles prove every leaf in every tree and every tree from every other",
          "[log][vectors]") {
  if (!IsThere()) return;
  const FolderTiles tiles;
  const std::vector<Hash> leaves = *tiles.ReadTile({.level = 0, .index = 0, .width = kSizeMax});
  for (uint64_t size = 1; size <= kSizeMax; ++size) {
    const Hash root = CheckpointOf(size).root;
    for (uint64_t index = 0; index < size; ++index) {
      const std::vector<Hash> path = *InclusionFromTiles(tiles, index, size);
      CHECK(VerifyInclusion(index, size, leaves[index], path, root).ok());
      const std::vector<Hash> consistency = *ConsistencyFromTiles(tiles, index + 1, size);
      CHECK(
          VerifyConsistency(index + 1, size, CheckpointOf(index + 1).root, root, consistency).ok());
    }
  }
}

TEST_CASE("tessera log: each growth by one leaf adds the files that are there", "[log][vectors]") {
  if (!IsThere()) return;
  for (uint64_t size = 1; size <= kSizeMax; ++size) {
    const std::vector<TileId> tiles = NewTiles(size - 1, size);
    REQUIRE(tiles.size() == 1);
    CHECK(std::filesystem::exists(SharedPath(kFolder + TilePath(tiles[0]))));
  }
}

}  // namespace
}  // namespace vigil::ledger
