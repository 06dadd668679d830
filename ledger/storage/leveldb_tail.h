// Cuts what a crash tore at the end of LevelDB's logs and manifest, so that what opens is a clean
// prefix of the batches that were written; and refuses a database that lost more than that.
//
// LevelDB itself skips damaged batches and goes on behind them, or with paranoid checks refuses to
// open at all. REQUIRES of all: the database is closed and its lock is held.
#ifndef VIGIL_LEDGER_STORAGE_LEVELDB_TAIL_H_
#define VIGIL_LEDGER_STORAGE_LEVELDB_TAIL_H_

#include <string>

#include "absl/status/status.h"
#include "ledger/storage/file.h"

namespace vigil::ledger {

// Cuts the manifest, and each live log, at its first bad record. Batches carry consecutive sequence
// numbers: a log that is cut, or that does not continue the one before, takes all later logs with
// it. A directory without a database is left alone. Errors: kDataLoss naming the file when CURRENT
// or the manifest is missing or damaged, or a log is gone that the manifest says is still needed.
absl::Status CutLevelDbTails(FileSystem* files, const std::string& directory);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_LEVELDB_TAIL_H_
