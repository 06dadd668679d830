#include "node/driver/checkpoint_folder.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "detector/stream/checkpoint.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {

std::string CheckpointFolder::PathOf(Height height) const {
  return absl::StrFormat("%s/%020d.checkpoint", directory_, height.value());
}

absl::Status CheckpointFolder::Save(Height height, ByteSpan bytes) {
  RETURN_IF_ERROR(files_->MakeDirs(directory_));
  return files_->WriteAtomically(PathOf(height), bytes);
}

absl::StatusOr<std::string> CheckpointFolder::Load(Height height) const {
  const std::string path = PathOf(height);
  ASSIGN_OR_RETURN(const uint64_t size, files_->Size(path));
  if (size > detector::kCheckpointBytesMax) {
    return absl::DataLossError(absl::StrCat(path, ": ", size, " bytes, a checkpoint has at most ",
                                            detector::kCheckpointBytesMax));
  }
  return files_->ReadAll(path);
}

absl::StatusOr<FilePart> CheckpointFolder::LoadPart(Height height, uint64_t offset,
                                                    size_t size) const {
  const std::string path = PathOf(height);
  FilePart part;
  ASSIGN_OR_RETURN(part.file_bytes, files_->Size(path));
  if (offset > part.file_bytes) {
    return absl::OutOfRangeError(absl::StrCat(path, ": byte ", offset, " of ", part.file_bytes));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::ReadFile> file, files_->OpenRead(path));
  ASSIGN_OR_RETURN(part.bytes, file->Read(offset, size));
  return part;
}

absl::Status CheckpointFolder::Drop(Height height) { return files_->Remove(PathOf(height)); }

}  // namespace vigil::node
