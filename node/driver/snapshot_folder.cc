#include "node/driver/snapshot_folder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "node/driver/recovery.h"

namespace vigil::node {

using ledger::BlockInfo;
using ledger::BlockPlace;
using ledger::SnapshotFile;
using ledger::SnapshotMark;

SnapshotFolder::SnapshotFolder(ledger::FileSystem* files, std::string directory,
                               const ledger::Genesis* genesis, const JournalScan* scan,
                               const LogFunction* log)
    : files_(files), directory_(std::move(directory)), genesis_(genesis), scan_(*scan), log_(log) {}

absl::Status SnapshotFolder::CheckOnChain(const SnapshotFile& file) const {
  const ledger::Tip& tip = file.head().tip;
  if (file.manifest().chain_id != genesis_->chain_id) {
    return absl::DataLossError(absl::StrCat("it is of chain ", file.manifest().chain_id.ToHex()));
  }
  const ParentBlock* const block = scan_.Find(tip.height);
  if (block == nullptr || tip.height == Height(0) || block->id.hash != tip.block_hash) {
    return absl::DataLossError(absl::StrCat("its block ", tip.block_hash.ToHex(), " at height ",
                                            tip.height.value(), " is not on the journal's branch"));
  }
  // The base's own was proven when the validator joined. One that stands for archived segments
  // names none.
  if (tip.height == scan_.base.id.height && scan_.base_frame.has_value() &&
      scan_.base_frame->snapshot_digest != Hash() &&
      scan_.base_frame->snapshot_digest != file.manifest().digest) {
    return absl::DataLossError(absl::StrCat("the journal's base says that its digest is ",
                                            scan_.base_frame->snapshot_digest.ToHex(), ", it is ",
                                            file.manifest().digest.ToHex()));
  }
  const auto carried = scan_.snapshots.find(tip.height + genesis_->snapshot_interval_blocks);
  if (carried == scan_.snapshots.end() || carried->first > scan_.committed ||
      carried->second == file.manifest().mark()) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("block ", carried->first.value(), " says that its digest is ",
                   carried->second.digest.ToHex(), ", it is ", file.manifest().digest.ToHex()));
}

absl::StatusOr<SnapshotMark> SnapshotFolder::Judge(Height height) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<SnapshotFile> file,
                   SnapshotFile::Open(files_, ledger::SnapshotPath(directory_, height)));
  if (file->manifest().height != height) {
    return absl::DataLossError(absl::StrCat("it is of height ", file->manifest().height.value()));
  }
  RETURN_IF_ERROR(CheckOnChain(*file));
  RETURN_IF_ERROR(file->CheckAll());
  return file->manifest().mark();
}

absl::StatusOr<std::optional<SnapshotMark>> SnapshotFolder::Check(Height height) {
  const absl::StatusOr<SnapshotMark> mark = Judge(height);
  if (mark.ok()) return std::optional<SnapshotMark>(*mark);
  if (absl::IsNotFound(mark.status())) return std::optional<SnapshotMark>();
  if (!absl::IsDataLoss(mark.status())) return mark.status();
  const std::string path = ledger::SnapshotPath(directory_, height);
  (*log_)(LogLevel::kWarning, "recovery",
          absl::StrCat("refuses and removes the snapshot ", path, ": ", mark.status().message()));
  RETURN_IF_ERROR(files_->Remove(path));
  return std::optional<SnapshotMark>();
}

absl::StatusOr<std::optional<SnapshotMark>> SnapshotFolder::Newest() {
  ASSIGN_OR_RETURN(std::vector<Height> heights, ledger::ListSnapshots(*files_, directory_));
  std::reverse(heights.begin(), heights.end());
  for (const Height height : heights) {
    ASSIGN_OR_RETURN(const std::optional<SnapshotMark> mark, Check(height));
    if (mark.has_value()) return mark;
  }
  return std::optional<SnapshotMark>();
}

absl::StatusOr<BlockPlace> SnapshotFolder::PlaceOf(const BlockInfo& info) const {
  const ParentBlock* const block = scan_.Find(info.height);
  const bool is_below = info.height < scan_.base.id.height;
  if (!is_below && (block == nullptr || block->id.hash != info.hash)) {
    return absl::DataLossError(absl::StrCat("snapshot: its block ", info.hash.ToHex(),
                                            " at height ", info.height.value(),
                                            " is not on the journal's branch"));
  }
  if (info.height <= scan_.base.id.height) return BlockPlace();  // Its bytes are not here.
  const size_t index = scan_.IndexOf(info.height);
  return BlockPlace{.position = scan_.positions[index], .frame_bytes = scan_.sizes[index]};
}

absl::Status SnapshotFolder::Load(Height height, ledger::Store* store) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<SnapshotFile> file,
                   SnapshotFile::Open(files_, ledger::SnapshotPath(directory_, height)));
  return ledger::LoadSnapshot(*file, store, genesis_,
                              [this](const BlockInfo& info) { return PlaceOf(info); })
      .status();
}

}  // namespace vigil::node
