#include "ledger/storage/leveldb_store.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/table.h>
#include <leveldb/write_batch.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/leveldb_env.h"
#include "ledger/storage/leveldb_tail.h"

namespace vigil::ledger {
namespace {

constexpr int kBloomBitsPerKey = 10;
constexpr char kLockName[] = "LOCK";

leveldb::Slice ToSlice(absl::string_view bytes) {
  return leveldb::Slice(bytes.data(), bytes.size());
}
absl::string_view ToView(const leveldb::Slice& bytes) {
  return absl::string_view(bytes.data(), bytes.size());
}

// An open database with all that must live as long. Members die in reverse order: `db` first.
struct Database {
  Database(FileSystem* files, const LevelDbOptions& options)
      : env(files, {.deterministic = options.deterministic,
                    .sync_logs_on_close = options.guards.sync_logs_on_close}),
        cache(leveldb::NewLRUCache(options.cache_bytes)),
        filter(leveldb::NewBloomFilterPolicy(kBloomBitsPerKey)) {
    env.NewLogger("", &logger);
    owned_logger.reset(logger);
  }
  ~Database() {
    env.Drain();  // LevelDB would wait for work that nobody runs.
  }

  std::shared_ptr<void> lock;
  LevelDbEnv env;
  const std::unique_ptr<leveldb::Cache> cache;
  const std::unique_ptr<const leveldb::FilterPolicy> filter;
  leveldb::Logger* logger = nullptr;
  std::unique_ptr<leveldb::Logger> owned_logger;
  std::unique_ptr<leveldb::DB> db;
};

leveldb::ReadOptions CheckedRead(const leveldb::Snapshot* snapshot) {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.snapshot = snapshot;
  return options;
}

absl::StatusOr<std::optional<std::string>> GetFrom(Database* database,
                                                   const leveldb::Snapshot* snapshot,
                                                   absl::string_view key) {
  std::string value;
  const leveldb::Status status = database->db->Get(CheckedRead(snapshot), ToSlice(key), &value);
  database->env.Drain();
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return database->env.FromLevelDb(status);
  return std::optional<std::string>(std::move(value));
}

using Visitor = std::function<bool(absl::string_view key, absl::string_view value)>;

void ScanUp(leveldb::Iterator* it, absl::string_view from, absl::string_view to,
            const Visitor& visit) {
  for (it->Seek(ToSlice(from)); it->Valid(); it->Next()) {
    const absl::string_view key = ToView(it->key());
    if (!to.empty() && key >= to) return;
    if (!visit(key, ToView(it->value()))) return;
  }
}

void ScanDown(leveldb::Iterator* it, absl::string_view from, absl::string_view to,
              const Visitor& visit) {
  if (to.empty()) {
    it->SeekToLast();
  } else {
    it->Seek(ToSlice(to));
    if (it->Valid()) {
      it->Prev();
    } else if (it->status().ok()) {
      it->SeekToLast();
    }
  }
  for (; it->Valid(); it->Prev()) {
    const absl::string_view key = ToView(it->key());
    if (key < from) return;
    if (!visit(key, ToView(it->value()))) return;
  }
}

absl::Status ScanFrom(Database* database, const leveldb::Snapshot* snapshot, absl::string_view from,
                      absl::string_view to, bool reverse, const Visitor& visit) {
  if (!to.empty() && to <= from) return absl::OkStatus();
  std::unique_ptr<leveldb::Iterator> it(database->db->NewIterator(CheckedRead(snapshot)));
  reverse ? ScanDown(it.get(), from, to, visit) : ScanUp(it.get(), from, to, visit);
  const leveldb::Status status = it->status();
  it.reset();
  database->env.Drain();
  return database->env.FromLevelDb(status);
}

class LevelDbSnapshot final : public StoreReader {
 public:
  explicit LevelDbSnapshot(std::shared_ptr<Database> database)
      : database_(std::move(database)), snapshot_(database_->db->GetSnapshot()) {}
  ~LevelDbSnapshot() override { database_->db->ReleaseSnapshot(snapshot_); }

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return GetFrom(database_.get(), snapshot_, key);
  }
  absl::Status Scan(absl::string_view from, absl::string_view to, bool reverse,
                    const Visitor& visit) const override {
    return ScanFrom(database_.get(), snapshot_, from, to, reverse, visit);
  }

 private:
  const std::shared_ptr<Database> database_;  // Owned by the store and its snapshots.
  const leveldb::Snapshot* const snapshot_;
};

class LevelDbStore final : public Store {
 public:
  explicit LevelDbStore(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return GetFrom(database_.get(), /*snapshot=*/nullptr, key);
  }
  absl::Status Scan(absl::string_view from, absl::string_view to, bool reverse,
                    const Visitor& visit) const override {
    return ScanFrom(database_.get(), /*snapshot=*/nullptr, from, to, reverse, visit);
  }

  absl::Status Write(const StoreBatch& batch) override {
    leveldb::WriteBatch writes;
    for (const StoreBatch::Operation& operation : batch.operations()) {
      if (operation.value.has_value()) {
        writes.Put(operation.key, *operation.value);
      } else {
        writes.Delete(operation.key);
      }
    }
    return WriteAll(&writes, /*sync=*/false);
  }

  // An empty batch, synced: it takes everything before it in the log along, and earlier logs were
  // synced when they were closed.
  absl::Status Sync() override {
    leveldb::WriteBatch nothing;
    return WriteAll(&nothing, /*sync=*/true);
  }

  std::unique_ptr<StoreReader> Snapshot() const override {
    return std::make_unique<LevelDbSnapshot>(database_);
  }

 private:
  absl::Status WriteAll(leveldb::WriteBatch* writes, bool sync) {
    RETURN_IF_ERROR(error_);
    // A log that could not be synced when it was closed, or a compaction, may have failed since.
    error_ = database_->env.write_error();
    RETURN_IF_ERROR(error_);
    leveldb::WriteOptions options;
    options.sync = sync;
    const leveldb::Status status = database_->db->Write(options, writes);
    database_->env.Drain();
    error_ = database_->env.write_error();
    if (error_.ok()) error_ = database_->env.FromLevelDb(status);
    return error_;
  }

  const std::shared_ptr<Database> database_;  // Owned by the store and its snapshots.
  absl::Status error_;
};

// Remembers the first failed read: LevelDB works on without a filter that it cannot read.
class RememberingFile final : public leveldb::RandomAccessFile {
 public:
  explicit RememberingFile(std::unique_ptr<leveldb::RandomAccessFile> file)
      : file_(std::move(file)) {}
  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* scratch) const override {
    const leveldb::Status status = file_->Read(offset, size, result, scratch);
    if (failure_.ok()) failure_ = status;
    return status;
  }
  const leveldb::Status& failure() const { return failure_; }

 private:
  const std::unique_ptr<leveldb::RandomAccessFile> file_;
  mutable leveldb::Status failure_;
};

leveldb::Status ReadWholeTable(LevelDbEnv* env, const std::string& path) {
  uint64_t size = 0;
  leveldb::Status status = env->GetFileSize(path, &size);
  if (!status.ok()) return status;
  leveldb::RandomAccessFile* opened = nullptr;
  status = env->NewRandomAccessFile(path, &opened);
  if (!status.ok()) return status;
  RememberingFile file{std::unique_ptr<leveldb::RandomAccessFile>(opened)};

  const std::unique_ptr<const leveldb::FilterPolicy> filter(
      leveldb::NewBloomFilterPolicy(kBloomBitsPerKey));
  leveldb::Options settings;
  settings.paranoid_checks = true;
  settings.env = env;
  settings.filter_policy = filter.get();
  leveldb::Table* table = nullptr;
  status = leveldb::Table::Open(settings, &file, size, &table);
  const std::unique_ptr<leveldb::Table> owned_table(table);
  if (status.ok()) {
    const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(CheckedRead(nullptr)));
    it->SeekToFirst();
    while (it->Valid()) it->Next();
    status = it->status();
  }
  return file.failure().ok() ? status : file.failure();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenLevelDbStore(FileSystem* files,
                                                        const std::string& directory,
                                                        const LevelDbOptions& options) {
  auto database = std::make_shared<Database>(files, options);
  RETURN_IF_ERROR(files->MakeDirs(directory));
  ASSIGN_OR_RETURN(database->lock, files->Lock(absl::StrCat(directory, "/", kLockName)));
  if (options.guards.cut_torn_tails) RETURN_IF_ERROR(CutLevelDbTails(files, directory));

  leveldb::Options settings;
  settings.create_if_missing = true;
  settings.paranoid_checks = options.guards.paranoid_checks;
  settings.env = &database->env;
  settings.info_log = database->logger;
  settings.write_buffer_size = options.write_buffer_bytes;
  settings.max_open_files = options.open_files_max;
  settings.block_cache = database->cache.get();
  settings.filter_policy = database->filter.get();
  leveldb::DB* db = nullptr;
  const leveldb::Status status = leveldb::DB::Open(settings, directory, &db);
  database->db.reset(db);
  database->env.Drain();
  if (!status.ok()) return Annotate(database->env.FromLevelDb(status), directory);
  RETURN_IF_ERROR(database->env.write_error());
  return std::make_unique<LevelDbStore>(std::move(database));
}

absl::Status RemoveLevelDbStore(FileSystem* files, const std::string& directory) {
  if (!files->Exists(directory)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::shared_ptr<void> lock,
                   files->Lock(absl::StrCat(directory, "/", kLockName)));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(directory));
  // A crash on the way leaves a store that is refused: CURRENT, or what it leads to, is missing.
  for (const std::string& name : names) {
    if (name != kLockName) RETURN_IF_ERROR(files->Remove(absl::StrCat(directory, "/", name)));
  }
  return files->SyncDir(directory);
}

absl::StatusOr<std::vector<absl::Status>> CheckLevelDbTables(FileSystem* files,
                                                             const std::string& directory) {
  LevelDbEnv env(files, {.deterministic = true});
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(directory));
  std::vector<absl::Status> damages;
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, ".ldb")) continue;
    const std::string path = absl::StrCat(directory, "/", name);
    const leveldb::Status status = ReadWholeTable(&env, path);
    if (!status.ok()) damages.push_back(Annotate(env.FromLevelDb(status), path));
  }
  return damages;
}

}  // namespace vigil::ledger
