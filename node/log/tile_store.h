// TileStore: the log's tiles and entry bundles as files that any static server can mirror
// (C2SP tlog-tiles; docs/formats/transparency_log.md).
//
//   <directory>/tile/<level>/...      hashes
//   <directory>/tile/entries/...      leaves
//   <directory>/checkpoint            the newest final one
//   <directory>/progress              up to where the files are known to be on disk
//
// Full tiles and bundles are written when their last leaf comes and never change. What is partial
// is written by Publish() only, for sizes that get a checkpoint, and goes once the full one is
// there. Files are not synced one by one: everything can be made again from the journal, and
// `progress` says from which size a start does so.
//
// One thread writes; ReadTile(), ReadFile() and published() are for any thread. Every file appears
// whole or not at all, and only what a published tree covers is read.
//
// Invariants:
//   (1) tree() is the RFC 6962 tree over the leaves appended since size 0.
//   (2) Whatever lies below the size in `progress` was synced before `progress` said so.
#ifndef VIGIL_NODE_LOG_TILE_STORE_H_
#define VIGIL_NODE_LOG_TILE_STORE_H_

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tiles.h"
#include "ledger/storage/file.h"

namespace vigil::node {

// After so many leaves SaveProgress() is due: what a start after a crash has to make again.
inline constexpr uint64_t kUnsyncedLeavesMax = 65'536;

// A block end whose tree is in the files.
struct LogProgress {
  Height height;
  uint64_t size = 0;
  Hash root;
  bool operator==(const LogProgress&) const = default;
};

class TileStore final : public ledger::TileSource {
 public:
  // Opens the files below `directory`, which is made when it is not there. Starts at the saved
  // progress if the files bear it out, else at size 0; damage() then says why.
  // Errors: of the disk.
  static absl::StatusOr<std::unique_ptr<TileStore>> Open(ledger::FileSystem* files,
                                                         std::string directory);

  // What was wrong with the files when they were opened; empty: nothing.
  const std::string& damage() const { return damage_; }
  const ledger::MerkleFrontier& tree() const { return tree_; }
  // What `progress` says.
  const LogProgress& saved() const { return saved_; }
  bool save_is_due() const { return tree_.size() - saved_.size >= kUnsyncedLeavesMax; }

  // Adds a leaf of at most kTileLeafBytesMax bytes; `leaf_hash` is its RFC 6962 leaf hash.
  // Errors: of the disk; the store must then be opened anew.
  absl::Status Append(ByteSpan leaf, const Hash& leaf_hash);
  // Writes what the tree of `size` needs besides full tiles. What is full by now is not written in
  // part: readers fall back to the full one. REQUIRES: size <= tree().size(). Errors: as Append().
  absl::Status Publish(uint64_t size);
  // Replaces the served checkpoint, for whoever mirrors the files. Errors: as Append().
  absl::Status PutCheckpoint(absl::string_view note);
  // Errors: kNotFound; of the disk.
  absl::StatusOr<std::string> ReadCheckpoint() const;
  // Publishes the tree, syncs everything written since the last time and remembers it as of
  // `height`. Errors: as Append().
  absl::Status SaveProgress(Height height);
  // Back to size 0: what the files say is not what the chain says. Errors: as Append().
  absl::Status Reset();

  // The largest size that was published. Thread-safe, as are the next two.
  uint64_t published() const { return published_.load(std::memory_order_acquire); }
  // Errors: kNotFound when the published tree has no such tile; kDataLoss when the file is not one.
  absl::StatusOr<std::vector<Hash>> ReadTile(const ledger::TileId& id) const override;
  // A tile or bundle by its name ("tile/0/x001/234.p/5"), byte for byte.
  // Errors: kInvalidArgument when it is no name of one; kNotFound when the published tree has no
  // such file, or only the full one is kept; kDataLoss when the file is not what the rest of the
  // published tree says: a damaged one is not handed out.
  absl::StatusOr<std::string> ReadFile(absl::string_view path) const;
  // Puts `expected` in place of the full tile or bundle `name` unless that is what lies there: a
  // copy, synced and renamed. Returns whether it did. For files below published(); by one thread
  // besides the writer. Errors: of writing.
  absl::StatusOr<bool> Mend(const std::string& name, ByteSpan expected) const;

 private:
  TileStore(ledger::FileSystem* files, std::string directory);

  // Take over what the files say; damage_ says what is wrong with them. Errors: of the disk.
  absl::Status LoadProgress();
  absl::Status LoadEdges();
  absl::Status LoadOpenLeaves();
  void CheckLoaded();
  void Clear();

  std::string Full(absl::string_view name) const;
  absl::StatusOr<std::string> ReadWhole(absl::string_view name) const;
  // Reads a tile that is there according to `id`; kDataLoss when the file is not one.
  absl::StatusOr<std::vector<Hash>> ReadHashes(const ledger::TileId& id) const;
  // Holds a file against the hashes above it, as far as those are published.
  absl::Status CheckTile(const ledger::TileId& id, ByteSpan bytes) const;
  absl::Status CheckBundle(const ledger::BundleId& id, ByteSpan bytes) const;
  absl::Status Write(const std::string& name, ByteSpan bytes);
  absl::Status AddHash(uint32_t level, const Hash& hash);
  absl::Status FinishBundle();
  absl::Status WritePartial(const std::string& full_name, uint32_t width, absl::string_view bytes);
  // Makes the folder for the partial files of `full_name`, or empties it but for one width.
  absl::Status PreparePartials(const std::string& full_name, uint32_t keep_width);
  absl::Status RemovePartials(const std::string& full_name);
  absl::Status SyncWritten();
  bool IsSavedEdge(const std::string& full_name) const;

  ledger::FileSystem* const files_;
  const std::string directory_;
  std::string damage_;
  ledger::MerkleFrontier tree_;
  LogProgress saved_;
  // Hashes of the tile at the right edge of each level, while it is not full.
  std::array<std::vector<Hash>, ledger::kTileLevelMax + 1> edges_;
  std::vector<std::string> open_leaves_;  // Of the bundle that is not full yet.
  std::set<std::string> prepared_;        // Full names whose folder of partial files is in order.
  std::set<std::string> outlived_;        // Full names whose partial files progress still needs.
  std::set<std::string> unsynced_;        // Names of files written since progress was saved.
  std::string last_folder_;               // Known to be there.
  std::atomic<uint64_t> published_{0};
  std::atomic<uint64_t> written_{0};  // Full files below this size are there.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_TILE_STORE_H_
