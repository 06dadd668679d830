// Tiles (C2SP tlog-tiles): the log as files that any static server can mirror. A tile holds up to
// 256 hashes of one level, a bundle the leaves under a tile of level 0. Names, contents, and what
// can be computed from them; docs/formats.md, Tiles.
//
// Pure. Nothing here decides what to trust: whoever computes from tiles of others compares the root
// with that of a checkpoint, or verifies the path that comes out.
#ifndef VIGIL_LEDGER_LOG_TILES_H_
#define VIGIL_LEDGER_LOG_TILES_H_

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/log/merkle.h"

namespace vigil::ledger {

inline constexpr uint32_t kTileWidth = 256;          // Hashes of a full tile: 8 levels of the tree.
inline constexpr uint32_t kTileLevelMax = 7;         // 256^8 = 2^64 leaves.
inline constexpr size_t kTileLeafBytesMax = 0xffff;  // A bundle gives each leaf's size 16 bits.

// Names the hashes [index * 256, index * 256 + width) of a level, each the root over 256^level
// leaves.
struct TileId {
  uint32_t level = 0;
  uint64_t index = 0;
  uint32_t width = kTileWidth;  // 1 to 256; below 256 the tile is partial.

  auto operator<=>(const TileId&) const = default;
};

// Names the leaves [index * 256, index * 256 + width).
struct BundleId {
  uint64_t index = 0;
  uint32_t width = kTileWidth;

  auto operator<=>(const BundleId&) const = default;
};

// Whether some tree of at most kTreeSizeMax leaves has this tile.
bool IsTileId(const TileId& id);

// "tile/0/x001/x234/067", and ".p/112" behind a partial one of width 112. REQUIRES: IsTileId(id).
std::string TilePath(const TileId& id);
// "tile/entries/x001/x234/067", likewise. REQUIRES: the tile of level 0 is one.
std::string BundlePath(const BundleId& id);
// Errors: kInvalidArgument on anything but what one of the two above writes.
absl::StatusOr<std::variant<TileId, BundleId>> ParseTilePath(absl::string_view path);

// The tiles that a tree of `size` leaves has and one of `old_size` has not, partial ones included,
// by level, then index. Those of level 0 name the new bundles too.
// REQUIRES: old_size <= size <= kTreeSizeMax.
std::vector<TileId> NewTiles(uint64_t old_size, uint64_t size);

// The hashes back to back. REQUIRES: 1 to 256 of them.
std::string EncodeTile(std::span<const Hash> hashes);
// Errors: kInvalidArgument when it is not exactly `width` hashes, or no tile has that width.
absl::StatusOr<std::vector<Hash>> DecodeTile(ByteSpan bytes, uint32_t width);

// u16be size and bytes of each leaf. REQUIRES: 1 to 256 leaves of at most kTileLeafBytesMax.
std::string EncodeBundle(std::span<const ByteSpan> leaves);
// Views into `bytes`.
// Errors: kInvalidArgument when it is not exactly `width` leaves, or no bundle has that width.
absl::StatusOr<std::vector<ByteSpan>> DecodeBundle(ByteSpan bytes, uint32_t width);

// Where tiles come from: files, HTTP or memory.
class TileSource {
 public:
  virtual ~TileSource() = default;

  // The first `id.width` hashes of the tile, or more: a source that kept only a wider one, as
  // servers may, answers from that.
  // Errors: kNotFound; kDataLoss when what is there is no tile; others as the source defines.
  virtual absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const = 0;
};

// What a tree of `size` leaves, whose tiles `source` holds, says. Each reads a tile at most once,
// and at most two of a level.
//
// Errors:
//   kInvalidArgument: size over kTreeSizeMax, index not below size, or old_size not 1 to size.
//   kDataLoss:        the source answered a tile with too few hashes.
//   the source's own.
absl::StatusOr<Hash> RootFromTiles(const TileSource& source, uint64_t size);
// The tree's right edge, to append to.
absl::StatusOr<MerkleFrontier> FrontierFromTiles(const TileSource& source, uint64_t size);
// RFC 6962 section 2.1.1.
absl::StatusOr<std::vector<Hash>> InclusionFromTiles(const TileSource& source, uint64_t index,
                                                     uint64_t size);
// RFC 6962 section 2.1.2.
absl::StatusOr<std::vector<Hash>> ConsistencyFromTiles(const TileSource& source, uint64_t old_size,
                                                       uint64_t size);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_TILES_H_
