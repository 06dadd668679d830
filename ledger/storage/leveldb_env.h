// LevelDB's environment over our FileSystem, with the guards that LevelDB lacks.
//
//   - A log file is synced when it is closed. LevelDB switches logs without that, so a crash could
//     lose the end of the old log and keep the new one: a hole (leveldb issue 193).
//   - A file's name is synced with its first bytes, and a rename at once: LevelDB never syncs the
//     rename of CURRENT.
//   - Each block read from a table is checked here too, so that an error names file and offset.
//   - A missing table is corruption; LevelDB would report the keys in it as not found.
//
// Background work runs on one thread of the environment, or, in deterministic mode, only inside
// Drain(). The first failed write is kept in write_error() for good.
#ifndef VIGIL_LEDGER_STORAGE_LEVELDB_ENV_H_
#define VIGIL_LEDGER_STORAGE_LEVELDB_ENV_H_

#include <leveldb/env.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "ledger/base/mutex.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

class LevelDbEnv final : public leveldb::Env {
 public:
  struct Options {
    bool deterministic = false;
    bool sync_logs_on_close = true;  // False only in tests that show what it prevents.
  };

  // `files` must outlive the environment.
  LevelDbEnv(FileSystem* files, const Options& options);
  // REQUIRES: every database that uses it is gone.
  ~LevelDbEnv() override;

  // Runs scheduled work until none is left; for deterministic mode, after each call to LevelDB.
  void Drain();
  // The first error of a write, sync, rename or removal.
  absl::Status write_error() const;
  // The FileSystem's error behind `status`, or one of the same meaning.
  absl::Status FromLevelDb(const leveldb::Status& status) const;

  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** result) override;
  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** result) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** result) override;
  bool FileExists(const std::string& path) override;
  leveldb::Status GetChildren(const std::string& directory,
                              std::vector<std::string>* result) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& directory) override;
  leveldb::Status RemoveDir(const std::string& directory) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* size) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  void Schedule(void (*function)(void*), void* argument) override;
  void StartThread(void (*function)(void*), void* argument) override;
  leveldb::Status GetTestDirectory(std::string* path) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** result) override;
  uint64_t NowMicros() override;
  void SleepForMicroseconds(int micros) override;

 private:
  class LogOrTableWriter;
  struct Work {
    void (*function)(void*);
    void* argument;
  };

  // Keeps the first error and gives LevelDB its own kind.
  leveldb::Status FromWrite(const absl::Status& status);
  // Makes every name in `directory` durable, if one changed since the last time.
  absl::Status SyncNames(const std::string& directory);
  void NameChanged();
  void RunWorker();

  FileSystem* const files_;
  const Options options_;
  mutable Mutex mutex_;
  CondVar work_arrived_;
  std::deque<Work> work_ VIGIL_GUARDED_BY(mutex_);
  bool stopping_ VIGIL_GUARDED_BY(mutex_) = false;
  bool names_changed_ VIGIL_GUARDED_BY(mutex_) = true;
  uint64_t deterministic_micros_ VIGIL_GUARDED_BY(mutex_) = 0;
  absl::Status write_error_ VIGIL_GUARDED_BY(mutex_);
  std::thread worker_;  // Started by the first Schedule(), joined by the destructor.
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_LEVELDB_ENV_H_
