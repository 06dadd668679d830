#include "ledger/log/tiles.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kTileHeight = 8;
constexpr absl::string_view kTileFolder = "tile/";
constexpr absl::string_view kEntries = "entries";
constexpr absl::string_view kPartialMark = ".p/";

// Hashes that level `level` of a tree of `size` leaves has, in all its tiles.
uint64_t HashCount(uint64_t size, uint32_t level) { return size >> (kTileHeight * level); }

// The hashes of tile `index` when its level has `hash_count`. REQUIRES: it has at least one.
uint32_t WidthOf(uint64_t index, uint64_t hash_count) {
  return static_cast<uint32_t>(std::min<uint64_t>(kTileWidth, hash_count - index * kTileWidth));
}

bool IsWidth(uint64_t width) { return width >= 1 && width <= kTileWidth; }

TileId LeafTile(const BundleId& id) { return {.level = 0, .index = id.index, .width = id.width}; }

// Three digits to an element; all but the last begin with 'x', so that no file is also a folder.
std::string PathOf(absl::string_view folder, uint64_t index, uint32_t width) {
  std::string path = absl::StrCat(absl::Dec(index % 1000, absl::kZeroPad3));
  while (index >= 1000) {
    index /= 1000;
    path = absl::StrCat("x", absl::Dec(index % 1000, absl::kZeroPad3), "/", path);
  }
  path = absl::StrCat(kTileFolder, folder, "/", path);
  if (width != kTileWidth) absl::StrAppend(&path, kPartialMark, width);
  return path;
}

// Takes more than PathOf() writes, and may wrap round: its caller writes the path again and
// compares.
bool ReadIndex(absl::string_view text, uint64_t* index) {
  *index = 0;
  for (absl::string_view element : absl::StrSplit(text, '/')) {
    absl::ConsumePrefix(&element, "x");
    uint64_t digits = 0;
    if (!absl::SimpleAtoi(element, &digits)) return false;
    *index = *index * 1000 + digits;
  }
  return true;
}

// Reads the tiles of a tree of `size` leaves, each once, and hashes what lies between their levels.
class TileReader {
 public:
  TileReader(const TileSource& source, uint64_t size) : source_(source), size_(size) {}

  // REQUIRES: the range is one of InclusionRanges(), ConsistencyRanges(), or the whole tree, so
  // that each complete subtree in it begins at a multiple of its size.
  absl::StatusOr<Hash> RangeRoot(LeafRange range) {
    std::vector<Hash> edge;
    while (range.begin < range.end) {
      const int height = std::bit_width(range.end - range.begin) - 1;
      ASSIGN_OR_RETURN(const Hash root, SubtreeRoot(range.begin, static_cast<uint32_t>(height)));
      edge.push_back(root);
      range.begin += uint64_t{1} << height;
    }
    return EdgeRoot(edge);
  }

 private:
  // The root over the 2^height leaves from `begin` on: of one tile's hashes, at the highest level
  // that is not above the subtree.
  absl::StatusOr<Hash> SubtreeRoot(uint64_t begin, uint32_t height) {
    const uint32_t level = height / kTileHeight;
    const uint64_t first = HashCount(begin, level);
    ASSIGN_OR_RETURN(const std::span<const Hash> tile, Tile(level, first / kTileWidth));
    return MerkleRoot(tile.subspan(first % kTileWidth, size_t{1} << (height % kTileHeight)));
  }

  absl::StatusOr<std::span<const Hash>> Tile(uint32_t level, uint64_t index) {
    const TileId id{
        .level = level, .index = index, .width = WidthOf(index, HashCount(size_, level))};
    auto found = tiles_.find(id);
    if (found == tiles_.end()) {
      ASSIGN_OR_RETURN(std::vector<Hash> hashes, source_.ReadTile(id));
      if (hashes.size() < id.width) {
        return absl::DataLossError(absl::StrCat(TilePath(id), " has ", hashes.size(), " hashes"));
      }
      found = tiles_.emplace(id, std::move(hashes)).first;
    }
    return std::span<const Hash>(found->second).first(id.width);
  }

  const TileSource& source_;
  const uint64_t size_;
  std::map<TileId, std::vector<Hash>> tiles_;
};

absl::StatusOr<std::vector<Hash>> RangeRoots(const TileSource& source, uint64_t size,
                                             const std::vector<LeafRange>& ranges) {
  TileReader reader(source, size);
  std::vector<Hash> roots;
  for (const LeafRange& range : ranges) {
    ASSIGN_OR_RETURN(const Hash root, reader.RangeRoot(range));
    roots.push_back(root);
  }
  return roots;
}

absl::Status CheckSize(uint64_t size) {
  if (size <= kTreeSizeMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("tree of ", size, " leaves, at most ", kTreeSizeMax));
}

}  // namespace

bool IsTileId(const TileId& id) {
  if (id.level > kTileLevelMax || !IsWidth(id.width)) return false;
  const uint64_t hash_count = HashCount(kTreeSizeMax, id.level);
  // The first comparison keeps the second from wrapping round.
  return id.index <= hash_count / kTileWidth && id.index * kTileWidth + id.width <= hash_count;
}

std::string TilePath(const TileId& id) {
  VIGIL_CHECK(IsTileId(id), "tile ", id.index, " of level ", id.level, ", ", id.width, " wide");
  return PathOf(absl::StrCat(id.level), id.index, id.width);
}

std::string BundlePath(const BundleId& id) {
  VIGIL_CHECK(IsTileId(LeafTile(id)), "bundle ", id.index, ", ", id.width, " wide");
  return PathOf(kEntries, id.index, id.width);
}

absl::StatusOr<std::variant<TileId, BundleId>> ParseTilePath(absl::string_view path) {
  const absl::Status bad =
      absl::InvalidArgumentError(absl::StrCat(Quoted(path), " names no tile and no bundle"));
  absl::string_view rest = path;
  if (!absl::ConsumePrefix(&rest, kTileFolder)) return bad;
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, absl::MaxSplits('/', 1));
  if (parts.size() != 2) return bad;
  const std::vector<absl::string_view> name = absl::StrSplit(parts[1], kPartialMark);
  TileId id;
  if (!ReadIndex(name[0], &id.index)) return bad;
  if (name.size() > 1 && !absl::SimpleAtoi(name[1], &id.width)) return bad;
  const bool bundle = parts[0] == kEntries;
  if (!bundle && !absl::SimpleAtoi(parts[0], &id.level)) return bad;
  if (!IsTileId(id) ||
      PathOf(bundle ? kEntries : absl::StrCat(id.level), id.index, id.width) != path) {
    return bad;
  }
  if (bundle) return BundleId{.index = id.index, .width = id.width};
  return id;
}

std::vector<TileId> NewTiles(uint64_t old_size, uint64_t size) {
  VIGIL_CHECK(old_size <= size && size <= kTreeSizeMax, old_size, " to ", size, " leaves");
  std::vector<TileId> tiles;
  for (uint32_t level = 0; level <= kTileLevelMax; ++level) {
    const uint64_t old_count = HashCount(old_size, level);
    const uint64_t count = HashCount(size, level);
    if (old_count == count) break;
    for (uint64_t index = old_count / kTileWidth; index * kTileWidth < count; ++index) {
      tiles.push_back({.level = level, .index = index, .width = WidthOf(index, count)});
    }
  }
  return tiles;
}

std::string EncodeTile(std::span<const Hash> hashes) {
  VIGIL_CHECK(IsWidth(hashes.size()), "tile of ", hashes.size(), " hashes");
  std::string bytes;
  ByteWriter writer(&bytes);
  for (const Hash& hash : hashes) writer.Fixed(hash);
  return bytes;
}

absl::StatusOr<std::vector<Hash>> DecodeTile(ByteSpan bytes, uint32_t width) {
  if (!IsWidth(width) || bytes.size() != width * Hash::size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tile of width ", width, " has ", bytes.size(), " bytes"));
  }
  ByteReader reader(bytes);
  std::vector<Hash> hashes(width);
  for (Hash& hash : hashes) hash = reader.ReadHash();
  return hashes;
}

std::string EncodeBundle(std::span<const ByteSpan> leaves) {
  VIGIL_CHECK(IsWidth(leaves.size()), "bundle of ", leaves.size(), " leaves");
  std::string bytes;
  ByteWriter writer(&bytes);
  for (const ByteSpan leaf : leaves) {
    VIGIL_CHECK(leaf.size() <= kTileLeafBytesMax, "leaf of ", leaf.size(), " bytes");
    writer.U16(static_cast<uint16_t>(leaf.size())).Raw(leaf);
  }
  return bytes;
}

absl::StatusOr<std::vector<ByteSpan>> DecodeBundle(ByteSpan bytes, uint32_t width) {
  if (!IsWidth(width)) {
    return absl::InvalidArgumentError(absl::StrCat("bundle of width ", width));
  }
  ByteReader reader(bytes);
  std::vector<ByteSpan> leaves(width);
  for (ByteSpan& leaf : leaves) {
    const uint16_t size = reader.U16();
    leaf = reader.Raw(size);
  }
  RETURN_IF_ERROR(reader.Finish(absl::StrCat("bundle of width ", width)));
  return leaves;
}

absl::StatusOr<Hash> RootFromTiles(const TileSource& source, uint64_t size) {
  RETURN_IF_ERROR(CheckSize(size));
  return TileReader(source, size).RangeRoot({.begin = 0, .end = size});
}

absl::StatusOr<MerkleFrontier> FrontierFromTiles(const TileSource& source, uint64_t size) {
  RETURN_IF_ERROR(CheckSize(size));
  std::vector<LeafRange> subtrees;
  for (uint64_t begin = 0; begin < size;) {
    const uint64_t end = begin + std::bit_floor(size - begin);
    subtrees.push_back({.begin = begin, .end = end});
    begin = end;
  }
  ASSIGN_OR_RETURN(const std::vector<Hash> edge, RangeRoots(source, size, subtrees));
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U64(size);
  for (const Hash& hash : edge) writer.Fixed(hash);
  return MerkleFrontier::Decode(AsBytes(bytes));
}

absl::StatusOr<std::vector<Hash>> InclusionFromTiles(const TileSource& source, uint64_t index,
                                                     uint64_t size) {
  RETURN_IF_ERROR(CheckSize(size));
  if (index >= size) {
    return absl::InvalidArgumentError(absl::StrCat("leaf ", index, " of ", size));
  }
  return RangeRoots(source, size, InclusionRanges(index, size));
}

absl::StatusOr<std::vector<Hash>> ConsistencyFromTiles(const TileSource& source, uint64_t old_size,
                                                       uint64_t size) {
  RETURN_IF_ERROR(CheckSize(size));
  if (old_size == 0 || old_size > size) {
    return absl::InvalidArgumentError(
        absl::StrCat("consistency of ", old_size, " leaves with ", size));
  }
  return RangeRoots(source, size, ConsistencyRanges(old_size, size));
}

}  // namespace vigil::ledger
