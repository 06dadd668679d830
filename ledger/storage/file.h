// The file seam: everything that touches a disk goes through FileSystem.
//
// PosixFileSystem is production; FaultyFileSystem (ledger/storage/faulty_file_system.h) is a disk
// in memory that forgets unsynced data, tears writes, flips bits and fails on command.
#ifndef VIGIL_LEDGER_STORAGE_FILE_H_
#define VIGIL_LEDGER_STORAGE_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"

namespace vigil::ledger {

// A file that is only ever appended to. Belongs to one thread.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  virtual absl::Status Append(ByteSpan bytes) = 0;
  // fdatasync. After an error nothing is known about what is on disk.
  virtual absl::Status Sync() = 0;
  virtual uint64_t size() const = 0;
};

// Reads at any offset; thread-safe. A read that ends past the file returns fewer bytes.
class ReadFile {
 public:
  virtual ~ReadFile() = default;
  virtual absl::StatusOr<std::string> Read(uint64_t offset, size_t size) const = 0;
};

// Errors of all: kNotFound, kAlreadyExists, kPermissionDenied, kResourceExhausted (no space),
// kUnavailable (any other I/O error), each with the path and the system's text.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Opens for appending; creates the file when it is not there (its directory entry is durable only
  // after SyncDir). What a failed sync of an existing file lost is read as lost from then on, not
  // from the system's cache.
  virtual absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<ReadFile>> OpenRead(const std::string& path) const = 0;
  // Write to `path`.tmp, sync, rename, sync the directory. One thread at a time per path.
  virtual absl::Status WriteAtomically(const std::string& path, ByteSpan bytes) = 0;
  virtual absl::StatusOr<std::string> ReadAll(const std::string& path) const = 0;
  // Creates `path`, which only its owner may read, and syncs it; its name is durable after SyncDir.
  // Errors: kAlreadyExists.
  virtual absl::Status WriteSecret(const std::string& path, ByteSpan bytes) = 0;
  // ReadAll() of a file that nobody else may read. Errors: kPermissionDenied when others may.
  virtual absl::StatusOr<std::string> ReadSecret(const std::string& path) const = 0;
  // Overwrites what `path` holds with zeros, where it lies, and syncs it.
  virtual absl::Status Wipe(const std::string& path) = 0;
  virtual absl::StatusOr<uint64_t> Size(const std::string& path) const = 0;
  virtual absl::Status Truncate(const std::string& path, uint64_t size) = 0;  // And syncs it.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Makes missing directories, parents too, each durable when this returns.
  virtual absl::Status MakeDirs(const std::string& path) = 0;
  // Removes an empty directory; it may be back after a power loss.
  virtual absl::Status RemoveDir(const std::string& path) = 0;
  virtual absl::Status SyncDir(const std::string& path) = 0;
  // Names without the path, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) const = 0;
  virtual bool Exists(const std::string& path) const = 0;
  // Has synced bytes of `path` read from the device again, not from memory, as far as the system
  // lets itself be told: what a disk lost shows. Nothing to do where no memory lies in between.
  virtual absl::Status DropCached(const std::string& /*path*/) const { return absl::OkStatus(); }
  // Holds an exclusive lock on `path` until the returned object dies.
  // Errors: kAlreadyExists when another process or object holds it.
  virtual absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) = 0;
};

// The machine's files. Lives for the whole process; thread-safe.
FileSystem* PosixFileSystem();

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_FILE_H_
