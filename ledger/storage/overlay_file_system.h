// OverlayFileSystem: another file system as it is, with every change kept in memory.
//
// For looking at evidence: LevelDB writes files of its own when it opens a database, and a folder
// that is judged must stay as it was found, also on a medium that cannot be written. Files that are
// changed are held in memory as a whole. Thread-safe.
#ifndef VIGIL_LEDGER_STORAGE_OVERLAY_FILE_SYSTEM_H_
#define VIGIL_LEDGER_STORAGE_OVERLAY_FILE_SYSTEM_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ledger/base/mutex.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

class OverlayFileSystem final : public FileSystem {
 public:
  // `base` must outlive the object and is only ever read.
  explicit OverlayFileSystem(const FileSystem* base);

  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadFile>> OpenRead(const std::string& path) const override;
  absl::Status WriteAtomically(const std::string& path, ByteSpan bytes) override;
  absl::StatusOr<std::string> ReadAll(const std::string& path) const override;
  absl::Status WriteSecret(const std::string& path, ByteSpan bytes) override;
  absl::StatusOr<std::string> ReadSecret(const std::string& path) const override;
  absl::Status Wipe(const std::string& path) override;
  absl::StatusOr<uint64_t> Size(const std::string& path) const override;
  absl::Status Truncate(const std::string& path, uint64_t size) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status MakeDirs(const std::string& path) override;
  absl::Status RemoveDir(const std::string& path) override;
  absl::Status SyncDir(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const override;
  bool Exists(const std::string& path) const override;
  // Among the users of this object alone: nothing is locked in the base.
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override;

 private:
  struct Content;
  struct LockTable;
  class MemoryAppendFile;
  class MemoryReadFile;
  using ContentPtr = std::shared_ptr<Content>;  // Shared with open handles.

  // What became of a path: contents, null when it was removed; nullopt: as in the base.
  std::optional<ContentPtr> Changed(const std::string& path) const VIGIL_EXCLUDES(mutex_);
  void Put(const std::string& path, ContentPtr content) VIGIL_EXCLUDES(mutex_);

  const FileSystem* const base_;
  mutable Mutex mutex_;
  std::map<std::string, ContentPtr> changed_ VIGIL_GUARDED_BY(mutex_);
  const std::shared_ptr<LockTable> locks_;  // Shared with the locks that are held.
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_OVERLAY_FILE_SYSTEM_H_
