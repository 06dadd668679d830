// The machine's files through POSIX calls. Every error carries the call, the path and the system's
// text.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kSecretMode = 0600;
constexpr mode_t kDirectoryMode = 0750;
constexpr size_t kWipeBytes = 4096;

absl::Status ErrnoStatus(absl::string_view call, absl::string_view path, int error) {
  const std::string message =
      absl::StrCat(call, " ", path, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(
          absl::StrCat(message, "; free space on its file system, then start again"));
    default:
      return absl::UnavailableError(message);
  }
}

// Repeats a call that a signal interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);  // Never repeated: on Linux the descriptor is gone even on EINTR.
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::StatusOr<Descriptor> OpenDescriptor(const std::string& path, int flags,
                                          mode_t mode = kFileMode) {
  const int fd = Uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return ErrnoStatus("open", path, errno);
  return Descriptor(fd);
}

absl::Status WriteAll(int fd, const std::string& path, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = Uninterrupted([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (written < 0) return ErrnoStatus("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncData(int fd, const std::string& path) {
  if (Uninterrupted([&] { return ::fdatasync(fd); }) != 0) {
    return ErrnoStatus("fdatasync", path, errno);
  }
  return absl::OkStatus();
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(Descriptor descriptor, std::string path, uint64_t size)
      : descriptor_(std::move(descriptor)), path_(std::move(path)), size_(size) {}

  absl::Status Append(ByteSpan bytes) override {
    RETURN_IF_ERROR(WriteAll(descriptor_.get(), path_, bytes));
    size_ += bytes.size();
    return absl::OkStatus();
  }
  absl::Status Sync() override { return SyncData(descriptor_.get(), path_); }
  uint64_t size() const override { return size_; }

 private:
  const Descriptor descriptor_;
  const std::string path_;
  uint64_t size_;
};

class PosixReadFile final : public ReadFile {
 public:
  PosixReadFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  absl::StatusOr<std::string> Read(uint64_t offset, size_t size) const override {
    std::string bytes(size, '\0');
    size_t done = 0;
    while (done < size) {
      const ssize_t got = Uninterrupted([&] {
        return ::pread(descriptor_.get(), bytes.data() + done, size - done,
                       static_cast<off_t>(offset + done));
      });
      if (got < 0) return ErrnoStatus("pread", path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    bytes.resize(done);
    return bytes;
  }

 private:
  const Descriptor descriptor_;
  const std::string path_;
};

class PosixFiles final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path) override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, O_WRONLY | O_CREAT | O_APPEND));
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("fstat", path, errno);
    // After a failed fdatasync the kernel keeps pages that never reached the disk and calls them
    // clean. Dropping them makes a restarted node read what is really there.
    if (info.st_size > 0) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    return std::make_unique<PosixAppendFile>(std::move(fd), path,
                                             static_cast<uint64_t>(info.st_size));
  }

  absl::StatusOr<std::unique_ptr<ReadFile>> OpenRead(const std::string& path) const override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, O_RDONLY));
    return std::make_unique<PosixReadFile>(std::move(fd), path);
  }

  absl::Status WriteAtomically(const std::string& path, ByteSpan bytes) override {
    const std::string temporary = absl::StrCat(path, ".tmp");
    {
      ASSIGN_OR_RETURN(const Descriptor fd,
                       OpenDescriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC));
      RETURN_IF_ERROR(WriteAll(fd.get(), temporary, bytes));
      RETURN_IF_ERROR(SyncData(fd.get(), temporary));
    }
    RETURN_IF_ERROR(Rename(temporary, path));
    return SyncDir(ParentOf(path));
  }

  absl::StatusOr<std::string> ReadAll(const std::string& path) const override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, O_RDONLY));
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("fstat", path, errno);
    return PosixReadFile(std::move(fd), path).Read(0, static_cast<size_t>(info.st_size));
  }

  absl::Status WriteSecret(const std::string& path, ByteSpan bytes) override {
    ASSIGN_OR_RETURN(const Descriptor fd,
                     OpenDescriptor(path, O_WRONLY | O_CREAT | O_EXCL, kSecretMode));
    // Whatever the umask.
    if (::fchmod(fd.get(), kSecretMode) != 0) return ErrnoStatus("fchmod", path, errno);
    RETURN_IF_ERROR(WriteAll(fd.get(), path, bytes));
    return SyncData(fd.get(), path);
  }

  absl::StatusOr<std::string> ReadSecret(const std::string& path) const override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, O_RDONLY | O_NONBLOCK));
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("fstat", path, errno);
    if (!S_ISREG(info.st_mode) || (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      return absl::PermissionDeniedError(
          absl::StrCat(path, ": others may read the secret in it; use chmod 600"));
    }
    return PosixReadFile(std::move(fd), path).Read(0, static_cast<size_t>(info.st_size));
  }

  absl::Status Wipe(const std::string& path) override {
    ASSIGN_OR_RETURN(const Descriptor fd, OpenDescriptor(path, O_WRONLY));
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("fstat", path, errno);
    const std::string zeros(kWipeBytes, '\0');
    for (uint64_t left = static_cast<uint64_t>(info.st_size); left > 0;) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(left, zeros.size()));
      RETURN_IF_ERROR(WriteAll(fd.get(), path, AsBytes(zeros).first(size)));
      left -= size;
    }
    return SyncData(fd.get(), path);
  }

  absl::StatusOr<uint64_t> Size(const std::string& path) const override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return ErrnoStatus("stat", path, errno);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::Status Truncate(const std::string& path, uint64_t size) override {
    ASSIGN_OR_RETURN(const Descriptor fd, OpenDescriptor(path, O_WRONLY));
    if (Uninterrupted([&] { return ::ftruncate(fd.get(), static_cast<off_t>(size)); }) != 0) {
      return ErrnoStatus("ftruncate", path, errno);
    }
    return SyncData(fd.get(), path);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return ErrnoStatus("rename", absl::StrCat(from, " to ", to), errno);
  }

  absl::Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0) return absl::OkStatus();
    return ErrnoStatus("unlink", path, errno);
  }

  absl::Status MakeDirs(const std::string& path) override {
    for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string prefix = path.substr(0, end);
      if (::mkdir(prefix.c_str(), kDirectoryMode) == 0) {
        RETURN_IF_ERROR(SyncDir(ParentOf(prefix)));
      } else if (const int error = errno; error != EEXIST) {
        return ErrnoStatus("mkdir", prefix, error);
      }
      if (end == std::string::npos) break;
    }
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return ErrnoStatus("stat", path, errno);
    return S_ISDIR(info.st_mode) ? absl::OkStatus() : ErrnoStatus("mkdir", path, EEXIST);
  }

  absl::Status RemoveDir(const std::string& path) override {
    if (::rmdir(path.c_str()) == 0) return absl::OkStatus();
    return ErrnoStatus("rmdir", path, errno);
  }

  absl::Status SyncDir(const std::string& path) override {
    ASSIGN_OR_RETURN(const Descriptor fd, OpenDescriptor(path, O_RDONLY | O_DIRECTORY));
    if (Uninterrupted([&] { return ::fsync(fd.get()); }) != 0) {
      return ErrnoStatus("fsync", path, errno);
    }
    return absl::OkStatus();
  }

  absl::Status DropCached(const std::string& path) const override {
    ASSIGN_OR_RETURN(const Descriptor fd, OpenDescriptor(path, O_RDONLY));
    const int error = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    return error == 0 ? absl::OkStatus() : ErrnoStatus("posix_fadvise", path, error);
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return ErrnoStatus("opendir", path, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(directory);
    if (error != 0) return ErrnoStatus("readdir", path, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool Exists(const std::string& path) const override {
    struct stat info;
    return ::stat(path.c_str(), &info) == 0;
  }

  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, O_RDWR | O_CREAT));
    if (Uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
      const int error = errno;
      if (error == EWOULDBLOCK) {
        return absl::AlreadyExistsError(absl::StrCat("flock ", path, ": another holds the lock"));
      }
      return ErrnoStatus("flock", path, error);
    }
    // Owned by the caller alone; closing the descriptor releases the lock.
    return std::shared_ptr<void>(std::make_shared<Descriptor>(std::move(fd)));
  }
};

}  // namespace

FileSystem* PosixFileSystem() {
  static FileSystem* const files = new PosixFiles;  // Never destroyed: threads may outlive main().
  return files;
}

}  // namespace vigil::ledger
