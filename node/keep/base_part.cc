#include "node/keep/base_part.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tiles.h"
#include "ledger/state/log_folder.h"
#include "ledger/state/snapshot_file.h"
#include "node/log/tile_store.h"

namespace vigil::node {
namespace {

using ledger::BaseFrame;
using ledger::FileSystem;
using ledger::SnapshotFile;

void AddReason(absl::string_view reason, std::string* reasons) {
  absl::StrAppend(reasons, reasons->empty() ? "" : "; ", reason);
}

}  // namespace

absl::StatusOr<std::optional<BaseFrame>> ReadBase(const ledger::JournalReader& journal) {
  const std::optional<ledger::JournalPosition> position = journal.newest_base();
  if (!position.has_value()) return std::optional<BaseFrame>();
  ASSIGN_OR_RETURN(const ledger::JournalReader::Frame frame, journal.Read(*position));
  ASSIGN_OR_RETURN(BaseFrame base, ledger::DecodeBaseFrame(frame.body));
  return std::optional<BaseFrame>(std::move(base));
}

absl::StatusOr<HeldSnapshots> HeldSnapshots::Open(const FileSystem& files,
                                                  const std::string& directory) {
  HeldSnapshots held;
  ASSIGN_OR_RETURN(const std::vector<Height> heights, ledger::ListSnapshots(files, directory));
  for (const Height height : heights) {
    absl::StatusOr<std::unique_ptr<ledger::ReadFile>> file =
        files.OpenRead(ledger::SnapshotPath(directory, height));
    if (absl::IsNotFound(file.status())) continue;  // A newer one took its place just now.
    RETURN_IF_ERROR(file.status());
    held.open_.emplace_back(height, *std::move(file));
  }
  return held;
}

absl::StatusOr<std::string> HeldSnapshots::CopyTo(FileSystem* files, const std::string& to,
                                                  Height from) const {
  std::string wrong;
  RETURN_IF_ERROR(files->MakeDirs(to));
  for (const auto& [height, file] : open_) {
    if (height < from) continue;
    const std::string path = ledger::SnapshotPath(to, height);
    RETURN_IF_ERROR(ledger::CopyOpenFile(files, *file, path).status());
    const absl::StatusOr<std::unique_ptr<SnapshotFile>> copy = SnapshotFile::Open(files, path);
    const absl::Status sound = copy.ok() ? (*copy)->CheckAll() : copy.status();
    if (sound.ok()) continue;
    if (!absl::IsDataLoss(sound)) return sound;
    AddReason(sound.message(), &wrong);
    RETURN_IF_ERROR(files->Remove(path));
  }
  RETURN_IF_ERROR(files->SyncDir(to));
  return wrong;
}

absl::Status CopyLog(FileSystem* files, const std::string& from, const std::string& to,
                     const BaseFrame& base) {
  const ledger::LogFolder source(files, from);
  RETURN_IF_ERROR(files->MakeDirs(to));
  ASSIGN_OR_RETURN(const std::unique_ptr<TileStore> log, TileStore::Open(files, to));
  if (log->tree().size() > 0) RETURN_IF_ERROR(log->Reset());
  while (log->tree().size() < base.tree_size) {
    const uint64_t index = log->tree().size() / ledger::kTileWidth;
    const uint64_t wanted =
        std::min<uint64_t>(ledger::kTileWidth, base.tree_size - index * ledger::kTileWidth);
    absl::StatusOr<std::vector<std::string>> leaves =
        source.ReadLeaves({.index = index, .width = static_cast<uint32_t>(wanted)});
    if (absl::IsNotFound(leaves.status())) {
      return absl::FailedPreconditionError(absl::StrCat(
          leaves.status().message(), "; the journal begins above block ", base.block.height.value(),
          ", so that the log below cannot be made from it"));
    }
    RETURN_IF_ERROR(leaves.status());
    for (const std::string& leaf : *leaves) {
      RETURN_IF_ERROR(log->Append(AsBytes(leaf), ledger::LeafHash(AsBytes(leaf))));
    }
    if (log->save_is_due()) RETURN_IF_ERROR(log->SaveProgress(Height(0)));
  }
  if (log->tree().Root() != base.tree_root) {
    return absl::DataLossError(absl::StrCat(from, ": the root of its first ", base.tree_size,
                                            " leaves is ", log->tree().Root().ToHex(),
                                            ", the journal's base says ", base.tree_root.ToHex()));
  }
  return log->SaveProgress(base.block.height);
}

absl::StatusOr<ledger::SnapshotMark> NewestSound(const FileSystem& files,
                                                 const std::string& directory,
                                                 const SnapshotFolder& folder) {
  ASSIGN_OR_RETURN(std::vector<Height> heights, ledger::ListSnapshots(files, directory));
  std::reverse(heights.begin(), heights.end());
  std::string wrong;
  for (const Height height : heights) {
    const absl::StatusOr<ledger::SnapshotMark> mark = folder.Judge(height);
    if (mark.ok()) return mark;
    if (!absl::IsDataLoss(mark.status()) && !absl::IsNotFound(mark.status())) return mark.status();
    AddReason(absl::StrCat(ledger::SnapshotPath(directory, height), ": ", mark.status().message()),
              &wrong);
  }
  if (wrong.empty()) wrong = absl::StrCat(directory, " holds none");
  return absl::FailedPreconditionError(
      absl::StrCat("no sound snapshot: ", wrong,
                   "; without one this validator joins anew: vigild "
                   "rejoin --even-if-sound"));
}

}  // namespace vigil::node
