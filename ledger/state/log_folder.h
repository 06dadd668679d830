// The files of a log (docs/formats/transparency_log.md), for reading alone: a data folder's log/ or
// a mirror of it, which nobody writes meanwhile. Believes nothing: whoever reads compares what
// comes out with a root.
//
// Thread-safe. Holds no file open.
#ifndef VIGIL_LEDGER_STATE_LOG_FOLDER_H_
#define VIGIL_LEDGER_STATE_LOG_FOLDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/log/tiles.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

class LogFolder final : public TileSource {
 public:
  // `files` must outlive the object.
  LogFolder(const FileSystem* files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  // Errors of all: kNotFound; kDataLoss naming the file when it is not what its name says; of the
  // disk.
  absl::StatusOr<std::vector<Hash>> ReadTile(const TileId& id) const override;
  absl::StatusOr<std::string> ReadLeaf(uint64_t index) const;
  // The first `id.width` leaves of the bundle.
  absl::StatusOr<std::vector<std::string>> ReadLeaves(const BundleId& id) const;
  // The signed note.
  absl::StatusOr<std::string> ReadCheckpoint() const;

  const std::string& directory() const { return directory_; }

 private:
  struct Found {
    std::string path;
    uint32_t width = 0;
    std::string bytes;
  };
  // The full file, else the widest partial one of at least `width`.
  absl::StatusOr<Found> Read(const std::string& full_name, uint32_t width) const;

  const FileSystem* const files_;
  const std::string directory_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_LOG_FOLDER_H_
