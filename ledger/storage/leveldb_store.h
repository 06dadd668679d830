// The production store: LevelDB over a FileSystem, trusted only as far as it can be checked.
//
// Writes are not synced one by one. After a crash the store holds the first k batches for some k,
// all of those before the last Sync() among them; the caller replays the rest from the journal.
// Paranoid checks and checksum verification are on. The only user of LevelDB in Vigil.
//
// Thread rule as store.h; with `deterministic` everything belongs to one thread. After a failed
// write or sync every later one fails with the first error.
#ifndef VIGIL_LEDGER_STORAGE_LEVELDB_STORE_H_
#define VIGIL_LEDGER_STORAGE_LEVELDB_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/storage/file.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

// What stands between LevelDB and a hole in its batches. Off only in tests that show what each
// prevents.
struct LevelDbGuards {
  bool sync_logs_on_close = true;
  bool cut_torn_tails = true;
  bool paranoid_checks = true;
};

struct LevelDbOptions {
  // Background work runs inside the calls, on the caller's thread and always alike.
  bool deterministic = false;
  size_t cache_bytes = 32 * 1024 * 1024;        // Of uncompressed blocks.
  size_t write_buffer_bytes = 8 * 1024 * 1024;  // Twice this may be in memory. At least 64 KiB.
  int open_files_max = 500;
  LevelDbGuards guards = {};
};

// Opens the store in `directory`, creating it when there is none. `files` must outlive the store
// and its snapshots. Errors: kDataLoss naming the file when it is damaged: rebuild it from the
// journal or a snapshot. kAlreadyExists when it is open elsewhere.
absl::StatusOr<std::unique_ptr<Store>> OpenLevelDbStore(FileSystem* files,
                                                        const std::string& directory,
                                                        const LevelDbOptions& options);

// Removes every file of a closed store, so that it can be rebuilt.
absl::Status RemoveLevelDbStore(FileSystem* files, const std::string& directory);

// Reads every block of every table of a closed store and returns one kDataLoss, naming file and
// offset, for each table that is damaged. Errors: those of listing the directory.
absl::StatusOr<std::vector<absl::Status>> CheckLevelDbTables(FileSystem* files,
                                                             const std::string& directory);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_LEVELDB_STORE_H_
