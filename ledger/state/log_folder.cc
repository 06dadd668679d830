#include "ledger/state/log_folder.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {

absl::StatusOr<LogFolder::Found> LogFolder::Read(const std::string& full_name,
                                                 uint32_t width) const {
  Found found{.path = absl::StrCat(directory_, "/", full_name), .width = kTileWidth, .bytes = ""};
  if (!files_->Exists(found.path)) {
    const std::string folder = absl::StrCat(found.path, ".p");
    const absl::StatusOr<std::vector<std::string>> names = files_->List(folder);
    if (!names.ok() && !absl::IsNotFound(names.status())) return names.status();
    found.width = 0;
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
      uint32_t there = 0;
      if (absl::SimpleAtoi(name, &there)) found.width = std::max(found.width, there);
    }
    if (found.width < width || found.width >= kTileWidth) {
      return absl::NotFoundError(
          absl::StrCat(found.path, ": neither it nor ", width, " entries of it in part are there"));
    }
    found.path = absl::StrCat(folder, "/", found.width);
  }
  ASSIGN_OR_RETURN(found.bytes, files_->ReadAll(found.path));
  return found;
}

absl::StatusOr<std::vector<Hash>> LogFolder::ReadTile(const TileId& id) const {
  if (!IsTileId(id)) return absl::NotFoundError("no tree has such a tile");
  ASSIGN_OR_RETURN(const Found found,
                   Read(TilePath({.level = id.level, .index = id.index}), id.width));
  absl::StatusOr<std::vector<Hash>> hashes = DecodeTile(AsBytes(found.bytes), found.width);
  if (hashes.ok()) return hashes;
  return absl::DataLossError(absl::StrCat(found.path, ": ", hashes.status().message()));
}

absl::StatusOr<std::string> LogFolder::ReadLeaf(uint64_t index) const {
  const uint32_t place = static_cast<uint32_t>(index % kTileWidth);
  ASSIGN_OR_RETURN(std::vector<std::string> leaves,
                   ReadLeaves({.index = index / kTileWidth, .width = place + 1}));
  return std::move(leaves.back());
}

absl::StatusOr<std::vector<std::string>> LogFolder::ReadLeaves(const BundleId& id) const {
  ASSIGN_OR_RETURN(const Found found, Read(BundlePath({.index = id.index}), id.width));
  const absl::StatusOr<std::vector<ByteSpan>> leaves =
      DecodeBundle(AsBytes(found.bytes), found.width);
  if (!leaves.ok()) {
    return absl::DataLossError(absl::StrCat(found.path, ": ", leaves.status().message()));
  }
  std::vector<std::string> wanted;
  for (uint32_t i = 0; i < id.width; ++i) wanted.push_back(ToString((*leaves)[i]));
  return wanted;
}

absl::StatusOr<std::string> LogFolder::ReadCheckpoint() const {
  return files_->ReadAll(absl::StrCat(directory_, "/checkpoint"));
}

}  // namespace vigil::ledger
