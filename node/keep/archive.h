// Moves the oldest segments of a stopped validator's journal to an archive (node/driver/archive.h
// says how, and what stays).
#ifndef VIGIL_NODE_KEEP_ARCHIVE_H_
#define VIGIL_NODE_KEEP_ARCHIVE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"

namespace vigil::node {

struct ArchiveRequest {
  std::string data_dir;
  std::string guard_path;  // The journal is held against it before anything is done.
  std::string archive;
  const ledger::Genesis* genesis = nullptr;
  std::string genesis_file;        // The bytes that `genesis` was read from.
  uint64_t journal_bytes_max = 0;  // Until the journal's files take no more than this.
  ledger::JournalOptions journal;
};
struct ArchiveReport {
  uint64_t segments = 0;       // Archived now.
  uint64_t bytes = 0;          // That left the data folder.
  uint64_t journal_bytes = 0;  // That the journal's files take now.
  Height base;                 // The journal begins above this block; 0: at genesis.
  std::string held_back;       // Why it is still above the limit; empty: it is not.
};

// Errors: kNotFound when there is no journal; kAlreadyExists while a validator runs;
// kFailedPrecondition when the journal's end is torn, the validator has promised nothing yet, there
// is no final checkpoint, or those of ArchiveOldest(); kDataLoss when journal, state, log or
// archive are damaged; of the disk. What left before an error is whole in the archive.
absl::StatusOr<ArchiveReport> ArchiveData(ledger::FileSystem* files, const ArchiveRequest& request);

}  // namespace vigil::node

#endif  // VIGIL_NODE_KEEP_ARCHIVE_H_
