#include "ledger/storage/leveldb_env.h"

#include <pthread.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/leveldb_format.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {
namespace {

constexpr size_t kWriteBufferBytes = 64 * 1024;

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

leveldb::Status ToLevelDb(const absl::Status& status) {
  if (status.ok()) return leveldb::Status::OK();
  const std::string message(status.message());
  if (absl::IsNotFound(status)) return leveldb::Status::NotFound(message);
  if (absl::IsDataLoss(status)) return leveldb::Status::Corruption(message);
  return leveldb::Status::IOError(message);
}

// Reads on from the start: logs, manifests and CURRENT while a database opens.
class SequentialReader final : public leveldb::SequentialFile {
 public:
  explicit SequentialReader(std::unique_ptr<ReadFile> file) : file_(std::move(file)) {}
  leveldb::Status Read(size_t size, leveldb::Slice* result, char* scratch) override {
    absl::StatusOr<std::string> bytes = file_->Read(offset_, size);
    if (!bytes.ok()) return ToLevelDb(bytes.status());
    std::memcpy(scratch, bytes->data(), bytes->size());
    offset_ += bytes->size();
    *result = leveldb::Slice(scratch, bytes->size());
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(uint64_t size) override {
    offset_ += size;
    return leveldb::Status::OK();
  }

 private:
  const std::unique_ptr<ReadFile> file_;
  uint64_t offset_ = 0;
};

// Reads blocks of a table. Every read but that of the footer is a block with its trailer.
class TableReader final : public leveldb::RandomAccessFile {
 public:
  TableReader(std::unique_ptr<ReadFile> file, std::string path, uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}
  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* scratch) const override {
    absl::StatusOr<std::string> bytes = file_->Read(offset, size);
    if (!bytes.ok()) return ToLevelDb(bytes.status());
    const bool is_footer = size == kLevelDbFooterBytes && offset + size == size_;
    if (!is_footer && (bytes->size() != size || !IsSoundLevelDbBlock(AsBytes(*bytes)))) {
      return leveldb::Status::Corruption(
          absl::StrCat(path_, ": block at offset ", offset, " is damaged"));
    }
    std::memcpy(scratch, bytes->data(), bytes->size());
    *result = leveldb::Slice(scratch, bytes->size());
    return leveldb::Status::OK();
  }

 private:
  const std::unique_ptr<ReadFile> file_;
  const std::string path_;
  const uint64_t size_;
};

struct NoLock final : leveldb::FileLock {};

struct NoLogger final : leveldb::Logger {
  void Logv(const char*, std::va_list) override {}
};

}  // namespace

// A log, table or manifest being written. LevelDB may delete it without closing it.
class LevelDbEnv::LogOrTableWriter final : public leveldb::WritableFile {
 public:
  LogOrTableWriter(LevelDbEnv* env, std::unique_ptr<AppendFile> file, std::string path)
      : env_(env), file_(std::move(file)), path_(std::move(path)) {}
  ~LogOrTableWriter() override { Close(); }

  leveldb::Status Append(const leveldb::Slice& data) override {
    if (buffer_.size() + data.size() > kWriteBufferBytes) {
      leveldb::Status status = Flush();
      if (!status.ok()) return status;
    }
    buffer_.append(data.data(), data.size());
    return leveldb::Status::OK();
  }

  leveldb::Status Flush() override {
    if (buffer_.empty()) return leveldb::Status::OK();
    leveldb::Status status = env_->FromWrite(file_->Append(AsBytes(buffer_)));
    if (status.ok()) buffer_.clear();
    return status;
  }

  leveldb::Status Sync() override {
    leveldb::Status status = Flush();
    if (!status.ok()) return status;
    // Names first: a manifest must not be durable before the tables that it names.
    status = env_->FromWrite(env_->SyncNames(ParentOf(path_)));
    if (!status.ok()) return status;
    return env_->FromWrite(file_->Sync());
  }

  leveldb::Status Close() override {
    if (file_ == nullptr) return leveldb::Status::OK();
    const bool must_sync = env_->options_.sync_logs_on_close && absl::EndsWith(path_, ".log");
    const leveldb::Status status = must_sync ? Sync() : Flush();
    file_ = nullptr;
    return status;
  }

 private:
  LevelDbEnv* const env_;
  std::unique_ptr<AppendFile> file_;  // Null once closed.
  const std::string path_;
  std::string buffer_;
};

LevelDbEnv::LevelDbEnv(FileSystem* files, const Options& options)
    : files_(files), options_(options) {}

LevelDbEnv::~LevelDbEnv() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  work_arrived_.SignalAll();
  if (worker_.joinable()) worker_.join();
}

// --- Errors.

absl::Status LevelDbEnv::write_error() const {
  MutexLock lock(&mutex_);
  return write_error_;
}

leveldb::Status LevelDbEnv::FromWrite(const absl::Status& status) {
  if (!status.ok()) {
    MutexLock lock(&mutex_);
    if (write_error_.ok()) write_error_ = status;
  }
  return ToLevelDb(status);
}

absl::Status LevelDbEnv::FromLevelDb(const leveldb::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  if (status.IsCorruption()) return StoreDamage(status.ToString());
  const absl::Status write_error = this->write_error();
  if (!write_error.ok()) return write_error;
  if (status.IsNotFound()) return StoreDamage(status.ToString());
  return absl::UnavailableError(status.ToString());
}

// --- Files.

leveldb::Status LevelDbEnv::NewSequentialFile(const std::string& path,
                                              leveldb::SequentialFile** result) {
  *result = nullptr;
  absl::StatusOr<std::unique_ptr<ReadFile>> file = files_->OpenRead(path);
  if (!file.ok()) return ToLevelDb(file.status());
  *result = new SequentialReader(std::move(*file));
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::NewRandomAccessFile(const std::string& path,
                                                leveldb::RandomAccessFile** result) {
  *result = nullptr;
  absl::StatusOr<std::unique_ptr<ReadFile>> file = files_->OpenRead(path);
  absl::StatusOr<uint64_t> size = files_->Size(path);
  if (absl::IsNotFound(file.status()) || absl::IsNotFound(size.status())) {
    return leveldb::Status::Corruption(absl::StrCat(path, ": table is missing"));
  }
  if (!file.ok()) return ToLevelDb(file.status());
  if (!size.ok()) return ToLevelDb(size.status());
  *result = new TableReader(std::move(*file), path, *size);
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::NewWritableFile(const std::string& path,
                                            leveldb::WritableFile** result) {
  *result = nullptr;
  NameChanged();
  if (files_->Exists(path)) {
    leveldb::Status status = FromWrite(files_->Remove(path));
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::unique_ptr<AppendFile>> file = files_->OpenAppend(path);
  if (!file.ok()) return FromWrite(file.status());
  *result = new LogOrTableWriter(this, std::move(*file), path);
  return leveldb::Status::OK();
}

bool LevelDbEnv::FileExists(const std::string& path) { return files_->Exists(path); }

leveldb::Status LevelDbEnv::GetChildren(const std::string& directory,
                                        std::vector<std::string>* result) {
  result->clear();
  absl::StatusOr<std::vector<std::string>> names = files_->List(directory);
  if (!names.ok()) return ToLevelDb(names.status());
  *result = std::move(*names);
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::RemoveFile(const std::string& path) {
  NameChanged();
  const absl::Status status = files_->Remove(path);
  return absl::IsNotFound(status) ? ToLevelDb(status) : FromWrite(status);
}

leveldb::Status LevelDbEnv::CreateDir(const std::string& directory) {
  return FromWrite(files_->MakeDirs(directory));
}

leveldb::Status LevelDbEnv::RemoveDir(const std::string& directory) {
  return leveldb::Status::NotSupported(directory, "directories are not removed");
}

leveldb::Status LevelDbEnv::GetFileSize(const std::string& path, uint64_t* size) {
  absl::StatusOr<uint64_t> found = files_->Size(path);
  *size = found.ok() ? *found : 0;
  return ToLevelDb(found.status());
}

leveldb::Status LevelDbEnv::RenameFile(const std::string& from, const std::string& to) {
  NameChanged();
  leveldb::Status status = FromWrite(files_->Rename(from, to));
  if (status.ok()) status = FromWrite(SyncNames(ParentOf(to)));
  return status;
}

void LevelDbEnv::NameChanged() {
  MutexLock lock(&mutex_);
  names_changed_ = true;
}

absl::Status LevelDbEnv::SyncNames(const std::string& directory) {
  {
    MutexLock lock(&mutex_);
    if (!names_changed_) return absl::OkStatus();
    names_changed_ = false;
  }
  return files_->SyncDir(directory);
}

// LevelDbStore holds the directory's lock before it touches a file, so LevelDB's is not needed.
leveldb::Status LevelDbEnv::LockFile(const std::string&, leveldb::FileLock** lock) {
  *lock = new NoLock;
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

// --- Work and time.

void LevelDbEnv::Schedule(void (*function)(void*), void* argument) {
  {
    MutexLock lock(&mutex_);
    work_.push_back(Work{.function = function, .argument = argument});
    if (!options_.deterministic && !worker_.joinable()) {
      worker_ = std::thread([this] { RunWorker(); });
    }
  }
  work_arrived_.SignalOne();
}

void LevelDbEnv::StartThread(void (*function)(void*), void* argument) {
  Schedule(function, argument);  // One thread serves all; LevelDB's database code never calls this.
}

void LevelDbEnv::Drain() {
  if (!options_.deterministic) return;
  for (;;) {
    Work work;
    {
      MutexLock lock(&mutex_);
      if (work_.empty()) return;
      work = work_.front();
      work_.pop_front();
    }
    work.function(work.argument);
  }
}

void LevelDbEnv::RunWorker() {
  pthread_setname_np(pthread_self(), "leveldb");
  for (;;) {
    Work work;
    {
      MutexLock lock(&mutex_);
      while (work_.empty() && !stopping_) work_arrived_.Wait(&mutex_);
      if (work_.empty()) return;
      work = work_.front();
      work_.pop_front();
    }
    work.function(work.argument);
  }
}

leveldb::Status LevelDbEnv::GetTestDirectory(std::string* path) {
  path->clear();
  return leveldb::Status::NotSupported("test directory");
}

leveldb::Status LevelDbEnv::NewLogger(const std::string&, leveldb::Logger** result) {
  *result = new NoLogger;
  return leveldb::Status::OK();
}

uint64_t LevelDbEnv::NowMicros() {
  if (options_.deterministic) {
    MutexLock lock(&mutex_);
    return ++deterministic_micros_;
  }
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

void LevelDbEnv::SleepForMicroseconds(int micros) {
  if (!options_.deterministic) std::this_thread::sleep_for(std::chrono::microseconds(micros));
}

}  // namespace vigil::ledger
