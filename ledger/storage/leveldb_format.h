// The little we read of LevelDB's own formats (its doc/log_format.md, doc/table_format.md and
// doc/impl.md): enough to check logs, manifests and blocks without it. Pure.
#ifndef VIGIL_LEDGER_STORAGE_LEVELDB_FORMAT_H_
#define VIGIL_LEDGER_STORAGE_LEVELDB_FORMAT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"

namespace vigil::ledger {

inline constexpr size_t kLevelDbFooterBytes = 48;

// Whether the last four bytes are the masked CRC32C of what precedes them.
bool IsSoundLevelDbBlock(ByteSpan block_and_trailer);

// Calls `visit` for each whole and sound record of a log file until it returns false. Returns where
// the last record that was accepted ends: less than the file's size when something follows it that
// is torn, damaged or refused. Padding at a block's end belongs to the next record.
uint64_t ScanLevelDbLog(ByteSpan file, const std::function<bool(ByteSpan record)>& visit);

// Numbers that a log record (a write batch) begins with.
struct LevelDbBatchHeader {
  uint64_t sequence = 0;
  uint32_t count = 0;
};
// Errors: kDataLoss when the record is shorter than the header.
absl::StatusOr<LevelDbBatchHeader> ParseLevelDbBatch(ByteSpan record);

// What a manifest says once all its edits are applied.
struct LevelDbManifest {
  uint64_t log_number = 0;  // Logs below it are obsolete; 0 before the first.
  uint64_t last_sequence = 0;
};
// Applies one record of a manifest. Errors: kDataLoss when it cannot be read.
absl::Status ApplyLevelDbEdit(ByteSpan record, LevelDbManifest* manifest);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_LEVELDB_FORMAT_H_
