#include "ledger/log/tiles.h"

#include <algorithm>
#include <set>

#include "ledger/base/random.h"
#include "ledger/log/checkpoint.h"
#include "tests/ledger/log/memory_tiles.h"
#include "tests/ledger/log/merkle_reference.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

struct Leaves {
  std::vector<std::string> bytes;
  std::vector<Hash> hashes;
};

Leaves RandomLeaves(size_t count, SplitMix64* random) {
  Leaves leaves;
  for (size_t i = 0; i < count; ++i) {
    std::string leaf;
    ByteWriter(&leaf).U64(random->Next());
    leaves.hashes.push_back(LeafHash(AsBytes(leaf)));
    leaves.bytes.push_back(std::move(leaf));
  }
  return leaves;
}

// 0, size - 1, and what stands beside every multiple of a tile's span; and some others.
std::vector<uint64_t> BoundaryIndexes(uint64_t size, SplitMix64* random) {
  std::set<uint64_t> indexes = {0, size - 1, size / 2, random->Below(size), random->Below(size)};
  for (uint64_t span : {uint64_t{256}, uint64_t{65'536}}) {
    for (uint64_t edge : {span, size / span * span}) {
      for (uint64_t index : {edge - 1, edge, edge + 1}) {
        if (index < size) indexes.insert(index);
      }
    }
  }
  return std::vector<uint64_t>(indexes.begin(), indexes.end());
}

TEST_CASE("tiles: names are those of the specification", "[log]") {
  CHECK(TilePath({.level = 0, .index = 1'234'067}) == "tile/0/x001/x234/067");
  CHECK(TilePath({.level = 0, .index = 0, .width = 1}) == "tile/0/000.p/1");
  CHECK(TilePath({.level = 3, .index = 999, .width = 255}) == "tile/3/999.p/255");
  CHECK(TilePath({.level = 1, .index = 1'000}) == "tile/1/x001/000");
  CHECK(BundlePath({.index = 1'234'067, .width = 7}) == "tile/entries/x001/x234/067.p/7");
  CHECK(BundlePath({.index = 0}) == "tile/entries/000");
}

TEST_CASE("tiles: every name is read back", "[log]") {
  VIGIL_TEST_SEED(seed, 21);
  SplitMix64 random(seed);
  for (int round = 0; round < 2'000; ++round) {
    TileId id{.level = static_cast<uint32_t>(random.Below(kTileLevelMax + 1)), .index = 0};
    id.index = random.Next() >> (8 * id.level) >> 9 >> random.Below(40);
    id.width = static_cast<uint32_t>(1 + random.Below(kTileWidth));
    if (!IsTileId(id)) continue;
    const auto tile = ParseTilePath(TilePath(id));
    REQUIRE(tile.ok());
    CHECK(std::get<TileId>(*tile) == id);
    const BundleId bundle{.index = id.index, .width = id.width};
    const auto parsed = ParseTilePath(BundlePath(bundle));
    REQUIRE(parsed.ok());
    CHECK(std::get<BundleId>(*parsed) == bundle);
  }
}

TEST_CASE("tiles: any other name is refused", "[log]") {
  for (const char* bad : {"",
                          "tile",
                          "tile/",
                          "tile/0",
                          "tile/0/",
                          "/tile/0/000",
                          "tile/0/000/",
                          "til/0/000",
                          "tile//000",
                          "tile/00/000",
                          "tile/+0/000",
                          "tile/-0/000",
                          "tile/ 0/000",
                          "tile/8/000",
                          "tile/63/000",
                          "tile/64/000",
                          "tile/Entries/000",
                          "tile/entries",
                          "tile/entries/",
                          "tile/0/0",
                          "tile/0/00",
                          "tile/0/0000",
                          "tile/0/x000/000",
                          "tile/0/x00/000",
                          "tile/0/x001",
                          "tile/0/001/000",
                          "tile/0/x001/x000",
                          "tile/0/X001/000",
                          "tile/0/1234",
                          "tile/0/x1234/000",
                          "tile/0/+01",
                          "tile/0/ 01",
                          "tile/0/00a",
                          "tile/0/000.p",
                          "tile/0/000.p/",
                          "tile/0/000.p/0",
                          "tile/0/000.p/256",
                          "tile/0/000.p/257",
                          "tile/0/000.p/01",
                          "tile/0/000.p/+1",
                          "tile/0/000.p/1/",
                          "tile/0/000.p/1.p/1",
                          "tile/0/000.P/1",
                          "tile/0//000",
                          "tile/0/x001//000",
                          "tile/0/000\n",
                          "tile/0/..",
                          "tile/0/../0/000",
                          "tile/0/000?x",
                          "tile/0/x036/x028/x797/x018/x963/968",
                          "tile/0/x001/x000/x000/x000/x000/x000/000",
                          "tile/7/001",
                          "tile/7/000",
                          "tile/7/000.p/128",
                          "checkpoint"}) {
    INFO(bad);
    CHECK(absl::IsInvalidArgument(ParseTilePath(bad).status()));
  }
  CHECK(absl::IsInvalidArgument(ParseTilePath(std::string("tile/0/000\0", 11)).status()));
}

TEST_CASE("tiles: names reach to the largest tree and not beyond", "[log]") {
  // 2^63 - 1 leaves: 2^55 tiles of level 0, of which the last is 255 wide.
  const uint64_t last = (uint64_t{1} << 55) - 1;
  CHECK(IsTileId({.level = 0, .index = last, .width = 255}));
  CHECK_FALSE(IsTileId({.level = 0, .index = last, .width = 256}));
  CHECK_FALSE(IsTileId({.level = 0, .index = last + 1, .width = 1}));
  CHECK(IsTileId({.level = 7, .index = 0, .width = 127}));
  CHECK_FALSE(IsTileId({.level = 7, .index = 0, .width = 128}));
  CHECK_FALSE(IsTileId({.level = 8, .index = 0, .width = 1}));
  CHECK_FALSE(IsTileId({.level = 0, .index = ~uint64_t{0}, .width = 1}));
  CHECK_FALSE(IsTileId({.level = 0, .index = uint64_t{1} << 56, .width = 1}));
  CHECK_FALSE(IsTileId({.level = 0, .index = 0, .width = 0}));
  CHECK_FALSE(IsTileId({.level = 0, .index = 0, .width = 257}));
  CHECK(ParseTilePath("tile/0/x036/x028/x797/x018/x963/967.p/255").ok());
}

TEST_CASE("tiles: a tree of 70000 leaves has the tiles that the specification counts", "[log]") {
  std::vector<TileId> expected;
  for (uint64_t index = 0; index < 273; ++index) expected.push_back({.level = 0, .index = index});
  expected.push_back({.level = 0, .index = 273, .width = 112});
  expected.push_back({.level = 1, .index = 0});
  expected.push_back({.level = 1, .index = 1, .width = 17});
  expected.push_back({.level = 2, .index = 0, .width = 1});
  CHECK(NewTiles(0, 70'000) == expected);
  CHECK(NewTiles(0, 256) ==
        std::vector<TileId>{{.level = 0, .index = 0}, {.level = 1, .index = 0, .width = 1}});
  CHECK(NewTiles(0, 0).empty());
}

TEST_CASE("tiles: what a tree adds is what it has and the one before had not", "[log]") {
  VIGIL_TEST_SEED(seed, 22);
  SplitMix64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const uint64_t size = random.Below(round % 3 == 0 ? 200'000 : 1'000);
    const uint64_t old_size = round % 5 == 0 ? size : random.Below(size + 1);
    const std::vector<TileId> all = NewTiles(0, size);
    const std::vector<TileId> before = NewTiles(0, old_size);
    const std::set<TileId> had(before.begin(), before.end());
    std::vector<TileId> expected;
    std::copy_if(all.begin(), all.end(), std::back_inserter(expected),
                 [&](const TileId& id) { return had.count(id) == 0; });
    CHECK(NewTiles(old_size, size) == expected);
  }
  // Near the top nothing wraps round.
  CHECK(NewTiles(kTreeSizeMax - 1, kTreeSizeMax) ==
        std::vector<TileId>{{.level = 0, .index = (uint64_t{1} << 55) - 1, .width = 255}});
}

TEST_CASE("tiles: a tile is its hashes back to back", "[log]") {
  VIGIL_TEST_SEED(seed, 23);
  SplitMix64 random(seed);
  const std::vector<Hash> hashes = RandomLeaves(256, &random).hashes;
  for (uint32_t width : {1u, 2u, 255u, 256u}) {
    const std::string bytes = EncodeTile(std::span(hashes).first(width));
    CHECK(bytes.size() == 32 * width);
    CHECK(*DecodeTile(AsBytes(bytes), width) ==
          std::vector<Hash>(hashes.begin(), hashes.begin() + width));
    CHECK(absl::IsInvalidArgument(DecodeTile(AsBytes(bytes + "x"), width).status()));
    CHECK(absl::IsInvalidArgument(
        DecodeTile(AsBytes(bytes).first(bytes.size() - 1), width).status()));
    CHECK(absl::IsInvalidArgument(DecodeTile(AsBytes(bytes), width + 1).status()));
    CHECK(absl::IsInvalidArgument(DecodeTile(AsBytes(bytes), width - 1).status()));
  }
  CHECK(absl::IsInvalidArgument(DecodeTile(ByteSpan(), 0).status()));
  CHECK(absl::IsInvalidArgument(DecodeTile(AsBytes(std::string(257 * 32, 'x')), 257).status()));
}

TEST_CASE("tiles: a bundle is sizes of two bytes and leaves", "[log]") {
  const std::string longest(kTileLeafBytesMax, 'l');
  const std::vector<ByteSpan> leaves = {AsBytes("one"), ByteSpan(), AsBytes(longest)};
  const std::string bytes = EncodeBundle(leaves);
  CHECK(bytes == std::string("\0\3one\0\0\xff\xff", 9) + longest);
  const absl::StatusOr<std::vector<ByteSpan>> decoded = DecodeBundle(AsBytes(bytes), 3);
  REQUIRE(decoded.ok());
  REQUIRE(decoded->size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(AsView((*decoded)[i]) == AsView(leaves[i]));
}

TEST_CASE("tiles: a bundle that is cut or too long or of another width is refused", "[log]") {
  const std::string bytes = EncodeBundle(std::vector<ByteSpan>{AsBytes("one"), AsBytes("two")});
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(absl::IsInvalidArgument(DecodeBundle(AsBytes(bytes).first(size), 2).status()));
  }
  CHECK(absl::IsInvalidArgument(DecodeBundle(AsBytes(bytes + "x"), 2).status()));
  for (uint32_t width : {0u, 1u, 3u, 257u}) {
    CHECK(absl::IsInvalidArgument(DecodeBundle(AsBytes(bytes), width).status()));
  }
  CHECK(absl::IsInvalidArgument(DecodeBundle(ByteSpan(), 0).status()));
  CHECK(absl::IsInvalidArgument(DecodeBundle(AsBytes(std::string(514, '\0')), 257).status()));
}

TEST_CASE("tiles: roots and paths are the definition's at every boundary", "[log]") {
  VIGIL_TEST_SEED(seed, 24);
  SplitMix64 random(seed);
  const Leaves leaves = RandomLeaves(1'100, &random);
  for (uint64_t size : {uint64_t{1}, uint64_t{2}, uint64_t{7}, uint64_t{255}, uint64_t{256},
                        uint64_t{257}, uint64_t{511}, uint64_t{512}, uint64_t{513},
                        1 + random.Below(1'100), 1 + random.Below(1'100)}) {
    const std::span<const std::string> bytes = std::span(leaves.bytes).first(size);
    const MemoryTiles tiles({leaves.hashes.begin(), leaves.hashes.begin() + size});
    INFO("size " << size);
    CHECK(*RootFromTiles(tiles, size) == reference::Root(bytes));
    MerkleFrontier edge;
    for (const std::string& leaf : bytes) edge.Append(LeafHash(AsBytes(leaf)));
    CHECK(FrontierFromTiles(tiles, size)->Encode() == edge.Encode());
    for (uint64_t index : BoundaryIndexes(size, &random)) {
      INFO("index " << index);
      CHECK(*InclusionFromTiles(tiles, index, size) == reference::Path(index, bytes));
      CHECK(*ConsistencyFromTiles(tiles, index + 1, size) == reference::Proof(index + 1, bytes));
    }
  }
}

TEST_CASE("tiles: three levels give the definition's roots and paths", "[log]") {
  VIGIL_TEST_SEED(seed, 25);
  SplitMix64 random(seed);
  const Leaves leaves = RandomLeaves(70'000, &random);
  for (uint64_t size :
       {uint64_t{65'535}, uint64_t{65'536}, uint64_t{65'537}, 65'538 + random.Below(4'000)}) {
    const std::span<const std::string> bytes = std::span(leaves.bytes).first(size);
    const std::span<const Hash> hashes = std::span(leaves.hashes).first(size);
    const MemoryTiles tiles({hashes.begin(), hashes.end()});
    INFO("size " << size);
    const Hash root = reference::Root(bytes);
    CHECK(*RootFromTiles(tiles, size) == root);
    for (uint64_t index : BoundaryIndexes(size, &random)) {
      INFO("index " << index);
      const std::vector<Hash> path = *InclusionFromTiles(tiles, index, size);
      CHECK(VerifyInclusion(index, size, hashes[index], path, root).ok());
      CHECK(reference::AcceptsInclusion(index, size, hashes[index], path, root));
      const Hash old_root = MerkleRoot(hashes.first(index + 1));
      CHECK(reference::AcceptsSubtreeConsistency(0, index + 1, size, old_root, root,
                                                 *ConsistencyFromTiles(tiles, index + 1, size)));
    }
    CHECK(*InclusionFromTiles(tiles, size - 1, size) == reference::Path(size - 1, bytes));
    CHECK(*ConsistencyFromTiles(tiles, 65'535, size) == reference::Proof(65'535, bytes));
  }
}

TEST_CASE("tiles: a smaller tree is read from a larger one's wider tiles", "[log]") {
  VIGIL_TEST_SEED(seed, 26);
  SplitMix64 random(seed);
  const std::vector<Hash> hashes = RandomLeaves(600, &random).hashes;
  // Keeps only the widest tile there is, as a server may that drops partial ones.
  class Widest : public TileSource {
   public:
    explicit Widest(std::vector<Hash> leaves) : size_(leaves.size()), all_(std::move(leaves)) {}
    absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override {
      const uint64_t count = size_ >> (8 * id.level);
      TileId wide = id;
      wide.width = static_cast<uint32_t>(std::min<uint64_t>(256, count - id.index * 256));
      return all_.ReadTile(wide);
    }

   private:
    uint64_t size_;
    MemoryTiles all_;
  };
  const Widest tiles(hashes);
  for (uint64_t size = 1; size <= 600; size += 1 + random.Below(9)) {
    CHECK(*RootFromTiles(tiles, size) == MerkleRoot(std::span(hashes).first(size)));
  }
}

TEST_CASE("tiles: the empty tree needs none", "[log]") {
  CHECK(*RootFromTiles(MemoryTiles({}), 0) == MerkleRoot({}));
}

TEST_CASE("tiles: each tile is read once and at most two of a level", "[log]") {
  VIGIL_TEST_SEED(seed, 27);
  SplitMix64 random(seed);
  const std::vector<Hash> hashes = RandomLeaves(66'000, &random).hashes;
  MemoryTiles tiles(hashes);
  const auto check = [&] {
    std::map<uint32_t, int> tiles_of_level;
    for (const auto& [id, count] : tiles.reads) {
      CHECK(count == 1);
      ++tiles_of_level[id.first];
    }
    for (const auto& [level, count] : tiles_of_level) CHECK(count <= 2);
    tiles.reads.clear();
  };
  for (int round = 0; round < 40; ++round) {
    const uint64_t size = 1 + random.Below(66'000);
    const uint64_t index = random.Below(size);
    REQUIRE(RootFromTiles(tiles, size).ok());
    check();
    REQUIRE(InclusionFromTiles(tiles, index, size).ok());
    check();
    REQUIRE(ConsistencyFromTiles(tiles, index + 1, size).ok());
    check();
  }
}

TEST_CASE("tiles: what no tree has is refused before a tile is read", "[log]") {
  const MemoryTiles tiles(std::vector<Hash>(5));
  CHECK(absl::IsInvalidArgument(RootFromTiles(tiles, kTreeSizeMax + 1).status()));
  CHECK(absl::IsInvalidArgument(InclusionFromTiles(tiles, 0, kTreeSizeMax + 1).status()));
  CHECK(absl::IsInvalidArgument(ConsistencyFromTiles(tiles, 1, kTreeSizeMax + 1).status()));
  CHECK(absl::IsInvalidArgument(InclusionFromTiles(tiles, 5, 5).status()));
  CHECK(absl::IsInvalidArgument(InclusionFromTiles(tiles, 0, 0).status()));
  CHECK(absl::IsInvalidArgument(ConsistencyFromTiles(tiles, 0, 5).status()));
  CHECK(absl::IsInvalidArgument(ConsistencyFromTiles(tiles, 6, 5).status()));
  CHECK(tiles.reads.empty());
}

TEST_CASE("tiles: a missing or short tile is an error and never a root", "[log]") {
  const MemoryTiles tiles(std::vector<Hash>(300));
  CHECK(absl::IsNotFound(RootFromTiles(tiles, 600).status()));
  class Short : public TileSource {
   public:
    absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override {
      return std::vector<Hash>(id.width - 1);
    }
  };
  const absl::Status status = RootFromTiles(Short(), 12).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(status.message() == "tile/0/000.p/12 has 11 hashes");
  CHECK(absl::IsDataLoss(InclusionFromTiles(Short(), 3, 12).status()));
  CHECK(absl::IsDataLoss(ConsistencyFromTiles(Short(), 3, 12).status()));
}

TEST_CASE("tiles: a tree of the largest size is walked without wrapping round", "[log]") {
  // Every hash is the same, so that the whole tree is one hash per level.
  class Same : public TileSource {
   public:
    absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override {
      Hash hash;
      for (uint32_t height = 0; height < 8 * id.level; ++height) hash = NodeHash(hash, hash);
      return std::vector<Hash>(id.width, hash);
    }
  };
  const Hash leaf;
  const absl::StatusOr<Hash> root = RootFromTiles(Same(), kTreeSizeMax);
  REQUIRE(root.ok());
  for (uint64_t index : {uint64_t{0}, kTreeSizeMax / 2, kTreeSizeMax - 1}) {
    const absl::StatusOr<std::vector<Hash>> path = InclusionFromTiles(Same(), index, kTreeSizeMax);
    REQUIRE(path.ok());
    CHECK(path->size() <= 63);
    CHECK(VerifyInclusion(index, kTreeSizeMax, leaf, *path, *root).ok());
  }
  const uint64_t old_size = kTreeSizeMax / 3;
  CHECK(VerifyConsistency(old_size, kTreeSizeMax, *RootFromTiles(Same(), old_size), *root,
                          *ConsistencyFromTiles(Same(), old_size, kTreeSizeMax))
            .ok());
}

}  // namespace
}  // namespace vigil::ledger
