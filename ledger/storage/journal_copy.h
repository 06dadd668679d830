// Copies a journal, also one that another process is writing.
//
// Segments only grow at the end of the last one, so what lies below an offset that was durable once
// is the same at every moment. A copy is judged like any journal, from its own bytes.
#ifndef VIGIL_LEDGER_STORAGE_JOURNAL_COPY_H_
#define VIGIL_LEDGER_STORAGE_JOURNAL_COPY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

// A file as it should be.
struct FileDigest {
  std::string name;  // Without the folder.
  uint64_t bytes = 0;
  Hash sha256;
  bool operator==(const FileDigest&) const = default;
};

// Copies `from` to `to`, which must not exist, in pieces, and syncs it; the name is durable only
// after SyncDir. Returns the digest of what was read. Errors: kAlreadyExists; of both files.
absl::StatusOr<FileDigest> CopyFile(FileSystem* files, const std::string& from,
                                    const std::string& to);
// The same from a file that is open, which may have lost its name meanwhile.
absl::StatusOr<FileDigest> CopyOpenFile(FileSystem* files, const ReadFile& from,
                                        const std::string& to);
// Reads `path` in pieces.
absl::StatusOr<FileDigest> DigestFile(const FileSystem& files, const std::string& path);

struct JournalCopy {
  JournalId journal_id;
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t left_out_bytes = 0;  // Behind `end`: torn, or not known to be synced.
  std::vector<FileDigest> segments;
};

// Copies the journal in `from` into the folder `to`, which must be there and hold no segment.
// `may_be_written`: a running validator may be writing it, so that only what its frames prove to
// have been synced is copied; otherwise all that is sound. The copy is durable when this returns.
// Errors: kDataLoss when the journal is damaged in what was durable; kAborted when a segment went
// away meanwhile: try again; kNotFound when there is none; kAlreadyExists; of the disk.
absl::StatusOr<JournalCopy> CopyJournal(FileSystem* files, const std::string& from,
                                        const std::string& to, bool may_be_written);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOURNAL_COPY_H_
