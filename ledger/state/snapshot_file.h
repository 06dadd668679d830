// Snapshots as files: written whole or not at all, read one checked chunk at a time.
//
//   <directory>/<height, 20 digits>.snapshot        (docs/formats/snapshot.md)
//   <directory>/<height, 20 digits>.snapshot.tmp    being written; left by a crash: of no use
#ifndef VIGIL_LEDGER_STATE_SNAPSHOT_FILE_H_
#define VIGIL_LEDGER_STATE_SNAPSHOT_FILE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/state/snapshot.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

std::string SnapshotPath(const std::string& directory, Height height);
// The height in a name that SnapshotPath() makes; nullopt for any other name.
std::optional<Height> SnapshotHeightOfName(absl::string_view name);
// Heights of the snapshots in `directory`, ascending; none when it is not there.
// Errors: of the disk.
absl::StatusOr<std::vector<Height>> ListSnapshots(const FileSystem& files,
                                                  const std::string& directory);

// Reads are thread-safe.
class SnapshotFile {
 public:
  // Checks the manifest, and the first chunk against it; reads nothing else. `files` must outlive
  // the file.
  // Errors: kNotFound; kDataLoss naming the file when it is not whole or altered; of the disk.
  static absl::StatusOr<std::unique_ptr<SnapshotFile>> Open(const FileSystem* files,
                                                            const std::string& path);

  const SnapshotManifest& manifest() const { return manifest_; }
  const SnapshotHead& head() const { return head_; }
  // REQUIRES: index < manifest().chunks.size().
  // Errors: kDataLoss when it is not the chunk of the manifest; of the disk.
  absl::StatusOr<std::string> ReadChunk(uint32_t index) const;
  // Reads all chunks. Errors: as ReadChunk().
  absl::Status CheckAll() const;

 private:
  SnapshotFile(std::unique_ptr<ReadFile> file, std::string path, SnapshotManifest manifest)
      : file_(std::move(file)), path_(std::move(path)), manifest_(std::move(manifest)) {}

  const std::unique_ptr<ReadFile> file_;
  const std::string path_;
  const SnapshotManifest manifest_;
  SnapshotHead head_;
};

// Belongs to one thread. One that is dropped before Finish() leaves its .tmp file behind.
class SnapshotFileWriter {
 public:
  // Begins `path`.tmp anew. `files` must outlive the writer. Errors: of the disk.
  static absl::StatusOr<std::unique_ptr<SnapshotFileWriter>> Create(FileSystem* files,
                                                                    const std::string& path);
  // Chunks come in order.
  absl::Status Append(ByteSpan chunk);
  // Writes the manifest, syncs, and gives the file its name; durable when this returns.
  // Errors: kFailedPrecondition when other bytes were appended than the manifest says; of the disk.
  absl::Status Finish(const SnapshotManifest& manifest);

 private:
  SnapshotFileWriter(FileSystem* files, std::string path, std::unique_ptr<AppendFile> file)
      : files_(files), path_(std::move(path)), file_(std::move(file)) {}

  FileSystem* const files_;
  const std::string path_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_SNAPSHOT_FILE_H_
