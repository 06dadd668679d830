// CheckpointFolder: the files of detector checkpoints (docs/formats/detector_model.md).
//
//   <directory>/<height, 20 digits>.checkpoint
//
// Derived from the chain: what is lost or damaged is made again, or fetched. Thread-safe, with one
// writer.
#ifndef VIGIL_NODE_DRIVER_CHECKPOINT_FOLDER_H_
#define VIGIL_NODE_DRIVER_CHECKPOINT_FOLDER_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/storage/file.h"
#include "node/driver/fetch_frame.h"

namespace vigil::node {

class CheckpointFolder {
 public:
  // `files` must outlive the object.
  CheckpointFolder(ledger::FileSystem* files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  // Errors of all: of the disk, each with the path; kNotFound.
  absl::Status Save(Height height, ByteSpan bytes);
  // kDataLoss when the file is larger than a checkpoint can be. What it holds is not checked.
  absl::StatusOr<std::string> Load(Height height) const;
  // At most `size` bytes from `offset` on, and how many there are in all. kOutOfRange.
  absl::StatusOr<FilePart> LoadPart(Height height, uint64_t offset, size_t size) const;
  absl::Status Drop(Height height);

 private:
  std::string PathOf(Height height) const;

  ledger::FileSystem* const files_;
  const std::string directory_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_CHECKPOINT_FOLDER_H_
