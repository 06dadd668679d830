#include "ledger/storage/overlay_file_system.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

absl::Status Removed(absl::string_view path) {
  return absl::NotFoundError(absl::StrCat(path, ": was removed"));
}

}  // namespace

// The bytes of a changed file. Thread-safe.
struct OverlayFileSystem::Content {
  explicit Content(std::string initial) : bytes(std::move(initial)) {}

  std::string Read(uint64_t offset, size_t size) const {
    MutexLock lock(&mutex);
    if (offset >= bytes.size()) return "";
    return bytes.substr(offset, size);
  }
  uint64_t Size() const {
    MutexLock lock(&mutex);
    return bytes.size();
  }

  mutable Mutex mutex;
  std::string bytes VIGIL_GUARDED_BY(mutex);
};

struct OverlayFileSystem::LockTable {
  Mutex mutex;
  std::set<std::string> paths VIGIL_GUARDED_BY(mutex);
};

OverlayFileSystem::OverlayFileSystem(const FileSystem* base)
    : base_(base), locks_(std::make_shared<LockTable>()) {}

class OverlayFileSystem::MemoryAppendFile final : public AppendFile {
 public:
  explicit MemoryAppendFile(ContentPtr content) : content_(std::move(content)) {}
  absl::Status Append(ByteSpan bytes) override {
    MutexLock lock(&content_->mutex);
    content_->bytes.append(AsView(bytes).data(), bytes.size());
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  uint64_t size() const override { return content_->Size(); }

 private:
  const ContentPtr content_;
};

class OverlayFileSystem::MemoryReadFile final : public ReadFile {
 public:
  explicit MemoryReadFile(ContentPtr content) : content_(std::move(content)) {}
  absl::StatusOr<std::string> Read(uint64_t offset, size_t size) const override {
    return content_->Read(offset, size);
  }

 private:
  const ContentPtr content_;
};

std::optional<OverlayFileSystem::ContentPtr> OverlayFileSystem::Changed(
    const std::string& path) const {
  MutexLock lock(&mutex_);
  const auto found = changed_.find(path);
  if (found == changed_.end()) return std::nullopt;
  return found->second;
}

void OverlayFileSystem::Put(const std::string& path, ContentPtr content) {
  MutexLock lock(&mutex_);
  changed_[path] = std::move(content);
}

absl::StatusOr<std::unique_ptr<AppendFile>> OverlayFileSystem::OpenAppend(const std::string& path) {
  std::optional<ContentPtr> content = Changed(path);
  if (!content.has_value() || *content == nullptr) {
    std::string initial;
    if (!content.has_value() && base_->Exists(path)) {
      ASSIGN_OR_RETURN(initial, base_->ReadAll(path));
    }
    content = std::make_shared<Content>(std::move(initial));
    Put(path, *content);
  }
  return std::make_unique<MemoryAppendFile>(*std::move(content));
}

absl::StatusOr<std::unique_ptr<ReadFile>> OverlayFileSystem::OpenRead(
    const std::string& path) const {
  std::optional<ContentPtr> content = Changed(path);
  if (!content.has_value()) return base_->OpenRead(path);
  if (*content == nullptr) return Removed(path);
  return std::make_unique<MemoryReadFile>(*std::move(content));
}

absl::Status OverlayFileSystem::WriteAtomically(const std::string& path, ByteSpan bytes) {
  Put(path, std::make_shared<Content>(ToString(bytes)));
  return absl::OkStatus();
}

absl::StatusOr<std::string> OverlayFileSystem::ReadAll(const std::string& path) const {
  const std::optional<ContentPtr> content = Changed(path);
  if (!content.has_value()) return base_->ReadAll(path);
  if (*content == nullptr) return Removed(path);
  return (*content)->Read(0, std::string::npos);
}

absl::Status OverlayFileSystem::WriteSecret(const std::string& path, ByteSpan bytes) {
  if (Exists(path)) return absl::AlreadyExistsError(absl::StrCat(path, ": is there"));
  return WriteAtomically(path, bytes);
}

absl::StatusOr<std::string> OverlayFileSystem::ReadSecret(const std::string& path) const {
  if (!Changed(path).has_value()) return base_->ReadSecret(path);
  return ReadAll(path);
}

absl::Status OverlayFileSystem::Wipe(const std::string& path) {
  ASSIGN_OR_RETURN(const uint64_t size, Size(path));
  return WriteAtomically(path, AsBytes(std::string(size, '\0')));
}

absl::StatusOr<uint64_t> OverlayFileSystem::Size(const std::string& path) const {
  const std::optional<ContentPtr> content = Changed(path);
  if (!content.has_value()) return base_->Size(path);
  if (*content == nullptr) return Removed(path);
  return (*content)->Size();
}

absl::Status OverlayFileSystem::Truncate(const std::string& path, uint64_t size) {
  ASSIGN_OR_RETURN(std::string bytes, ReadAll(path));
  bytes.resize(size);
  Put(path, std::make_shared<Content>(std::move(bytes)));
  return absl::OkStatus();
}

absl::Status OverlayFileSystem::Rename(const std::string& from, const std::string& to) {
  std::optional<ContentPtr> content = Changed(from);
  if (!content.has_value()) {
    ASSIGN_OR_RETURN(std::string bytes, base_->ReadAll(from));
    content = std::make_shared<Content>(std::move(bytes));
  }
  if (*content == nullptr) return Removed(from);
  Put(to, *std::move(content));
  Put(from, nullptr);
  return absl::OkStatus();
}

absl::Status OverlayFileSystem::Remove(const std::string& path) {
  if (!Exists(path)) return absl::NotFoundError(absl::StrCat(path, ": not there"));
  Put(path, nullptr);
  return absl::OkStatus();
}

absl::Status OverlayFileSystem::MakeDirs(const std::string&) { return absl::OkStatus(); }

absl::Status OverlayFileSystem::RemoveDir(const std::string&) { return absl::OkStatus(); }

absl::Status OverlayFileSystem::SyncDir(const std::string&) { return absl::OkStatus(); }

absl::StatusOr<std::vector<std::string>> OverlayFileSystem::List(const std::string& path) const {
  std::set<std::string> names;
  const absl::StatusOr<std::vector<std::string>> below = base_->List(path);
  if (below.ok()) names.insert(below->begin(), below->end());
  const std::string prefix = path + "/";
  bool any_changed = false;
  MutexLock lock(&mutex_);
  for (auto file = changed_.lower_bound(prefix);
       file != changed_.end() && file->first.compare(0, prefix.size(), prefix) == 0; ++file) {
    const std::string name = file->first.substr(prefix.size());
    if (name.find('/') != std::string::npos) continue;
    any_changed = true;
    if (file->second == nullptr) {
      names.erase(name);
    } else {
      names.insert(name);
    }
  }
  if (!below.ok() && !any_changed) return below.status();
  return std::vector<std::string>(names.begin(), names.end());
}

bool OverlayFileSystem::Exists(const std::string& path) const {
  const std::optional<ContentPtr> content = Changed(path);
  return content.has_value() ? *content != nullptr : base_->Exists(path);
}

absl::StatusOr<std::shared_ptr<void>> OverlayFileSystem::Lock(const std::string& path) {
  {
    MutexLock lock(&locks_->mutex);
    if (!locks_->paths.insert(path).second) {
      return absl::AlreadyExistsError(absl::StrCat(path, ": is locked"));
    }
  }
  return std::shared_ptr<void>(nullptr, [locks = locks_, path](void*) {
    MutexLock lock(&locks->mutex);
    locks->paths.erase(path);
  });
}

}  // namespace vigil::ledger
