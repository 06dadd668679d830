#include "node/log/tile_store.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/storage/crc32c.h"

namespace vigil::node {
namespace {

using ledger::BundleId;
using ledger::kTileLevelMax;
using ledger::kTileWidth;
using ledger::TileId;

constexpr absl::string_view kProgressMagic = "VigilLog";
constexpr uint32_t kProgressFormat = 1;
constexpr size_t kCrcBytes = 4;
constexpr uint32_t kLevelBits = 8;

// Hashes of a level in a tree of `size` leaves.
uint64_t CountAt(uint32_t level, uint64_t size) { return size >> (kLevelBits * level); }

TileId EdgeTile(uint32_t level, uint64_t size) {
  const uint64_t count = CountAt(level, size);
  return {.level = level,
          .index = count / kTileWidth,
          .width = static_cast<uint32_t>(count % kTileWidth)};
}

// How many hashes of tile `index` of `level` a tree of `size` has.
uint32_t WidthIn(uint64_t size, uint32_t level, uint64_t index) {
  const uint64_t count = CountAt(level, size);
  const uint64_t first = index * kTileWidth;
  return count <= first ? 0 : static_cast<uint32_t>(std::min<uint64_t>(count - first, kTileWidth));
}

absl::Status Damaged(absl::string_view name, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(name, " is damaged: ", what, "; the scrub makes it again from the journal"));
}

// The name of the tile that `id`, which is partial, will be.
std::string FullName(const TileId& id) {
  const std::string name = ledger::TilePath(id);
  return name.substr(0, name.rfind(".p/"));
}
std::string FullBundleName(uint64_t index) {
  return ledger::BundlePath({.index = index, .width = kTileWidth});
}

std::string EncodeProgress(const LogProgress& progress) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.Raw(kProgressMagic).U32(kProgressFormat);
  writer.U64(progress.height.value()).U64(progress.size).Fixed(progress.root);
  writer.U32(ledger::Crc32c(AsBytes(bytes)));
  return bytes;
}

absl::StatusOr<LogProgress> DecodeProgress(absl::string_view bytes) {
  ByteReader reader(bytes);
  const ByteSpan magic = reader.Raw(kProgressMagic.size());
  const uint32_t format = reader.U32();
  LogProgress progress;
  progress.height = Height(reader.U64());
  progress.size = reader.U64();
  progress.root = reader.ReadHash();
  const uint32_t crc = reader.U32();
  RETURN_IF_ERROR(reader.Finish("progress"));
  if (AsView(magic) != kProgressMagic || format != kProgressFormat ||
      progress.size > ledger::kTreeSizeMax ||
      crc != ledger::Crc32c(AsBytes(bytes.substr(0, bytes.size() - kCrcBytes)))) {
    return absl::InvalidArgumentError("progress: not the file that was written");
  }
  return progress;
}

// The tree whose tiles at the right edge hold these hashes.
template <typename Edges>
absl::StatusOr<ledger::MerkleFrontier> TreeOf(uint64_t size, const Edges& edges) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U64(size);
  for (int level = kTileLevelMax; level >= 0; --level) {
    std::span<const Hash> rest(edges[level]);
    for (uint32_t half = kTileWidth / 2; half > 0; half /= 2) {
      if (rest.size() < half) continue;
      writer.Fixed(ledger::MerkleRoot(rest.first(half)));
      rest = rest.subspan(half);
    }
  }
  return ledger::MerkleFrontier::Decode(AsBytes(bytes));
}

}  // namespace

TileStore::TileStore(ledger::FileSystem* files, std::string directory)
    : files_(files), directory_(std::move(directory)) {}

absl::StatusOr<std::unique_ptr<TileStore>> TileStore::Open(ledger::FileSystem* files,
                                                           std::string directory) {
  std::unique_ptr<TileStore> store(new TileStore(files, std::move(directory)));
  RETURN_IF_ERROR(files->MakeDirs(store->directory_));
  RETURN_IF_ERROR(store->LoadProgress());
  if (!store->damage_.empty()) {
    RETURN_IF_ERROR(store->Reset());
    return store;
  }
  // Whatever was written beyond may be torn.
  for (uint32_t level = 0; level <= kTileLevelMax; ++level) {
    const TileId edge = EdgeTile(level, store->saved_.size);
    if (edge.width == 0) continue;
    RETURN_IF_ERROR(store->PreparePartials(FullName(edge), edge.width));
    if (level > 0) continue;
    RETURN_IF_ERROR(store->PreparePartials(FullBundleName(edge.index), edge.width));
  }
  store->written_ = store->saved_.size;
  store->published_ = store->saved_.size;
  return store;
}

absl::Status TileStore::LoadProgress() {
  const absl::StatusOr<std::string> bytes = ReadWhole("progress");
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  RETURN_IF_ERROR(bytes.status());
  const absl::StatusOr<LogProgress> progress = DecodeProgress(*bytes);
  if (!progress.ok()) {
    damage_ = std::string(progress.status().message());
    return absl::OkStatus();
  }
  saved_ = *progress;
  RETURN_IF_ERROR(LoadEdges());
  if (damage_.empty()) RETURN_IF_ERROR(LoadOpenLeaves());
  if (damage_.empty()) CheckLoaded();
  return absl::OkStatus();
}

absl::Status TileStore::LoadEdges() {
  for (uint32_t level = 0; level <= kTileLevelMax; ++level) {
    const TileId edge = EdgeTile(level, saved_.size);
    if (edge.width == 0) continue;
    absl::StatusOr<std::vector<Hash>> hashes = ReadHashes(edge);
    if (absl::IsNotFound(hashes.status()) || absl::IsDataLoss(hashes.status())) {
      damage_ = std::string(hashes.status().message());
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(hashes.status());
    edges_[level] = *std::move(hashes);
  }
  return absl::OkStatus();
}

absl::Status TileStore::LoadOpenLeaves() {
  const TileId edge = EdgeTile(0, saved_.size);
  if (edge.width == 0) return absl::OkStatus();
  const std::string name = ledger::BundlePath({.index = edge.index, .width = edge.width});
  const absl::StatusOr<std::string> bytes = ReadWhole(name);
  if (!bytes.ok() && !absl::IsNotFound(bytes.status())) return bytes.status();
  absl::StatusOr<std::vector<ByteSpan>> leaves =
      bytes.ok() ? ledger::DecodeBundle(AsBytes(*bytes), edge.width) : bytes.status();
  if (!leaves.ok()) {
    damage_ = absl::StrCat(name, ": ", leaves.status().message());
    return absl::OkStatus();
  }
  for (size_t i = 0; i < leaves->size(); ++i) {
    if (ledger::LeafHash((*leaves)[i]) != edges_[0][i]) {
      damage_ = absl::StrCat(name, ": leaf ", i, " is not the one that the hash tile names");
      return absl::OkStatus();
    }
    open_leaves_.push_back(ToString((*leaves)[i]));
  }
  return absl::OkStatus();
}

void TileStore::CheckLoaded() {
  const absl::StatusOr<ledger::MerkleFrontier> tree = TreeOf(saved_.size, edges_);
  VIGIL_CHECK(tree.ok(), tree.status().message());
  if (tree->Root() != saved_.root) {
    damage_ = absl::StrCat("the tiles give root ", tree->Root().ToHex(), " at size ", saved_.size,
                           ", progress says ", saved_.root.ToHex());
    return;
  }
  tree_ = *tree;
}

void TileStore::Clear() {
  tree_ = ledger::MerkleFrontier();
  saved_ = LogProgress();
  for (std::vector<Hash>& edge : edges_) edge.clear();
  open_leaves_.clear();
  prepared_.clear();
  outlived_.clear();
  unsynced_.clear();
  last_folder_.clear();
  published_ = 0;
  written_ = 0;
}

absl::Status TileStore::Reset() {
  Clear();
  const absl::Status removed = files_->Remove(Full("progress"));
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  return files_->SyncDir(directory_);
}

std::string TileStore::Full(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name);
}

absl::StatusOr<std::string> TileStore::ReadWhole(absl::string_view name) const {
  return files_->ReadAll(Full(name));
}

absl::StatusOr<std::vector<Hash>> TileStore::ReadHashes(const TileId& id) const {
  const std::string name = ledger::TilePath(id);
  ASSIGN_OR_RETURN(const std::string bytes, ReadWhole(name));
  absl::StatusOr<std::vector<Hash>> hashes = ledger::DecodeTile(AsBytes(bytes), id.width);
  if (hashes.ok()) return hashes;
  return absl::DataLossError(absl::StrCat(Full(name), ": ", hashes.status().message()));
}

absl::Status TileStore::Write(const std::string& name, ByteSpan bytes) {
  const std::string path = Full(name);
  std::string folder = path.substr(0, path.rfind('/'));
  if (folder != last_folder_) {
    RETURN_IF_ERROR(files_->MakeDirs(folder));
    last_folder_ = std::move(folder);
  }
  // Renamed into place, so that a reader never meets half a file. Not synced: SaveProgress() does.
  const std::string temporary = path + ".tmp";
  if (files_->Exists(temporary)) RETURN_IF_ERROR(files_->Remove(temporary));
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<ledger::AppendFile> file, files_->OpenAppend(temporary));
    RETURN_IF_ERROR(file->Append(bytes));
  }
  RETURN_IF_ERROR(files_->Rename(temporary, path));
  unsynced_.insert(name);
  return absl::OkStatus();
}

absl::Status TileStore::Append(ByteSpan leaf, const Hash& leaf_hash) {
  tree_.Append(leaf_hash);
  open_leaves_.push_back(ToString(leaf));
  if (open_leaves_.size() == kTileWidth) RETURN_IF_ERROR(FinishBundle());
  RETURN_IF_ERROR(AddHash(0, leaf_hash));
  written_.store(tree_.size(), std::memory_order_release);
  return absl::OkStatus();
}

absl::Status TileStore::FinishBundle() {
  const std::vector<ByteSpan> leaves = [&] {
    std::vector<ByteSpan> spans;
    for (const std::string& one : open_leaves_) spans.push_back(AsBytes(one));
    return spans;
  }();
  const std::string name = FullBundleName((tree_.size() - 1) / kTileWidth);
  RETURN_IF_ERROR(Write(name, AsBytes(ledger::EncodeBundle(leaves))));
  open_leaves_.clear();
  return RemovePartials(name);
}

absl::Status TileStore::AddHash(uint32_t level, const Hash& hash) {
  std::vector<Hash>& edge = edges_[level];
  edge.push_back(hash);
  if (edge.size() < kTileWidth) return absl::OkStatus();
  const uint64_t index = CountAt(level, tree_.size()) / kTileWidth - 1;
  const std::string name = ledger::TilePath({.level = level, .index = index, .width = kTileWidth});
  RETURN_IF_ERROR(Write(name, AsBytes(ledger::EncodeTile(edge))));
  RETURN_IF_ERROR(RemovePartials(name));
  const Hash parent = ledger::MerkleRoot(edge);
  edge.clear();
  return level < kTileLevelMax ? AddHash(level + 1, parent) : absl::OkStatus();
}

absl::Status TileStore::Publish(uint64_t size) {
  VIGIL_CHECK(size <= tree_.size(), "publish size ", size, " of ", tree_.size());
  for (uint32_t level = 0; level <= kTileLevelMax; ++level) {
    const TileId id = EdgeTile(level, size);
    if (id.width == 0 || id.index != EdgeTile(level, tree_.size()).index) continue;
    const std::span<const Hash> hashes(edges_[level].data(), id.width);
    RETURN_IF_ERROR(WritePartial(FullName(id), id.width, ledger::EncodeTile(hashes)));
    if (level > 0) continue;
    std::vector<ByteSpan> leaves;
    for (uint32_t i = 0; i < id.width; ++i) leaves.push_back(AsBytes(open_leaves_[i]));
    RETURN_IF_ERROR(WritePartial(FullBundleName(id.index), id.width, ledger::EncodeBundle(leaves)));
  }
  if (size > published_) published_.store(size, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status TileStore::WritePartial(const std::string& full_name, uint32_t width,
                                     absl::string_view bytes) {
  RETURN_IF_ERROR(PreparePartials(full_name, /*keep_width=*/0));
  const std::string name = absl::StrCat(full_name, ".p/", width);
  if (files_->Exists(Full(name))) return absl::OkStatus();
  return Write(name, AsBytes(bytes));
}

absl::Status TileStore::PutCheckpoint(absl::string_view note) {
  return Write("checkpoint", AsBytes(note));
}

absl::StatusOr<std::string> TileStore::ReadCheckpoint() const { return ReadWhole("checkpoint"); }

absl::Status TileStore::PreparePartials(const std::string& full_name, uint32_t keep_width) {
  if (!prepared_.insert(full_name).second) return absl::OkStatus();
  const std::string folder = full_name + ".p";
  if (!files_->Exists(Full(folder))) return files_->MakeDirs(Full(folder));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(Full(folder)));
  for (const std::string& name : names) {
    if (name == absl::StrCat(keep_width)) continue;
    RETURN_IF_ERROR(files_->Remove(absl::StrCat(Full(folder), "/", name)));
  }
  return absl::OkStatus();
}

bool TileStore::IsSavedEdge(const std::string& full_name) const {
  for (uint32_t level = 0; level <= kTileLevelMax; ++level) {
    const TileId edge = EdgeTile(level, saved_.size);
    if (edge.width == 0) continue;
    if (full_name == FullName(edge)) return true;
    if (level == 0 && full_name == FullBundleName(edge.index)) return true;
  }
  return false;
}

absl::Status TileStore::RemovePartials(const std::string& full_name) {
  prepared_.erase(full_name);
  // A start reads them, until a later progress is saved.
  if (IsSavedEdge(full_name)) {
    outlived_.insert(full_name);
    return absl::OkStatus();
  }
  const std::string folder = full_name + ".p";
  if (!files_->Exists(Full(folder))) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(Full(folder)));
  for (const std::string& name : names) {
    RETURN_IF_ERROR(files_->Remove(absl::StrCat(Full(folder), "/", name)));
    unsynced_.erase(absl::StrCat(folder, "/", name));
  }
  last_folder_.clear();
  return files_->RemoveDir(Full(folder));
}

absl::Status TileStore::SyncWritten() {
  std::set<std::string> folders;
  for (const std::string& name : unsynced_) {
    const std::string path = Full(name);
    ASSIGN_OR_RETURN(const std::unique_ptr<ledger::AppendFile> file, files_->OpenAppend(path));
    RETURN_IF_ERROR(file->Sync());
    folders.insert(path.substr(0, path.rfind('/')));
  }
  for (const std::string& folder : folders) RETURN_IF_ERROR(files_->SyncDir(folder));
  unsynced_.clear();
  return absl::OkStatus();
}

absl::Status TileStore::SaveProgress(Height height) {
  const LogProgress progress{.height = height, .size = tree_.size(), .root = tree_.Root()};
  if (progress == saved_) return absl::OkStatus();
  RETURN_IF_ERROR(Publish(progress.size));
  RETURN_IF_ERROR(SyncWritten());
  RETURN_IF_ERROR(files_->WriteAtomically(Full("progress"), AsBytes(EncodeProgress(progress))));
  saved_ = progress;
  const std::set<std::string> outlived = std::exchange(outlived_, {});
  for (const std::string& full_name : outlived) RETURN_IF_ERROR(RemovePartials(full_name));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Hash>> TileStore::ReadTile(const TileId& id) const {
  if (!ledger::IsTileId(id)) return absl::NotFoundError("no tree has such a tile");
  const uint64_t size = published();
  const uint32_t width = WidthIn(size, id.level, id.index);
  if (id.width > width) {
    return absl::NotFoundError(absl::StrCat(ledger::TilePath(id), ": the published tree has ", size,
                                            " leaves, and ", width, " hashes of this tile"));
  }
  absl::StatusOr<std::vector<Hash>> hashes =
      ReadHashes({.level = id.level, .index = id.index, .width = width});
  // It became full meanwhile.
  if (absl::IsNotFound(hashes.status()) && width < kTileWidth) {
    hashes = ReadHashes({.level = id.level, .index = id.index, .width = kTileWidth});
  }
  return hashes;
}

absl::StatusOr<std::string> TileStore::ReadFile(absl::string_view path) const {
  ASSIGN_OR_RETURN(const auto id, ledger::ParseTilePath(path));
  const auto* tile = std::get_if<TileId>(&id);
  const auto* bundle = std::get_if<BundleId>(&id);
  const uint32_t level = tile != nullptr ? tile->level : 0;
  const uint64_t index = tile != nullptr ? tile->index : bundle->index;
  const uint32_t width = tile != nullptr ? tile->width : bundle->width;
  const uint64_t size =
      width == kTileWidth ? written_.load(std::memory_order_acquire) : published();
  const uint32_t there = WidthIn(size, level, index);
  if (width > there) {
    return absl::NotFoundError(absl::StrCat(path, ": the log has ", there, " of these ", width));
  }
  if (width < there && there == kTileWidth) {
    return absl::NotFoundError(absl::StrCat(path, ": ask for the full one"));
  }
  ASSIGN_OR_RETURN(std::string bytes, ReadWhole(path));
  RETURN_IF_ERROR(tile != nullptr ? CheckTile(*tile, AsBytes(bytes))
                                  : CheckBundle(*bundle, AsBytes(bytes)));
  return bytes;
}

absl::StatusOr<bool> TileStore::Mend(const std::string& name, ByteSpan expected) const {
  const absl::StatusOr<std::string> bytes = ReadWhole(name);
  // What cannot be read is as good as damaged: the copy lies elsewhere on the disk.
  if (bytes.ok() && *bytes == AsView(expected)) return false;
  const std::string path = Full(name);
  const std::string folder = path.substr(0, path.rfind('/'));
  const std::string copy = path + ".mend";
  RETURN_IF_ERROR(files_->MakeDirs(folder));
  if (files_->Exists(copy)) RETURN_IF_ERROR(files_->Remove(copy));
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<ledger::AppendFile> file, files_->OpenAppend(copy));
    RETURN_IF_ERROR(file->Append(expected));
    RETURN_IF_ERROR(file->Sync());
  }
  RETURN_IF_ERROR(files_->Rename(copy, path));
  RETURN_IF_ERROR(files_->SyncDir(folder));
  return true;
}

absl::Status TileStore::CheckTile(const TileId& id, ByteSpan bytes) const {
  const absl::StatusOr<std::vector<Hash>> hashes = ledger::DecodeTile(bytes, id.width);
  if (!hashes.ok()) return Damaged(ledger::TilePath(id), hashes.status().message());
  if (id.width < kTileWidth || id.level == kTileLevelMax) return absl::OkStatus();
  const auto place = static_cast<uint32_t>(id.index % kTileWidth);
  const absl::StatusOr<std::vector<Hash>> above =
      ReadTile({.level = id.level + 1, .index = id.index / kTileWidth, .width = place + 1});
  if (absl::IsNotFound(above.status())) return absl::OkStatus();  // Not published yet.
  RETURN_IF_ERROR(above.status());
  if (ledger::MerkleRoot(*hashes) == (*above)[place]) return absl::OkStatus();
  return Damaged(ledger::TilePath(id), "its hashes are not those of the tile above");
}

absl::Status TileStore::CheckBundle(const BundleId& id, ByteSpan bytes) const {
  const absl::StatusOr<std::vector<ByteSpan>> leaves = ledger::DecodeBundle(bytes, id.width);
  if (!leaves.ok()) return Damaged(ledger::BundlePath(id), leaves.status().message());
  const absl::StatusOr<std::vector<Hash>> hashes =
      ReadTile({.level = 0, .index = id.index, .width = id.width});
  if (absl::IsNotFound(hashes.status())) return absl::OkStatus();  // Not published yet.
  RETURN_IF_ERROR(hashes.status());
  for (size_t i = 0; i < leaves->size(); ++i) {
    if (ledger::LeafHash((*leaves)[i]) == (*hashes)[i]) continue;
    return Damaged(ledger::BundlePath(id),
                   absl::StrCat("leaf ", i, " is not the one that the hash tile names"));
  }
  return absl::OkStatus();
}

}  // namespace vigil::node
