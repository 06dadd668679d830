// Copies a finished segment of a journal with shorter frames, at unchanged offsets, and puts the
// copy in its place.
#ifndef VIGIL_LEDGER_STORAGE_JOURNAL_REWRITE_H_
#define VIGIL_LEDGER_STORAGE_JOURNAL_REWRITE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_check.h"

namespace vigil::ledger {

struct CompactOutcome {
  uint64_t frames_changed = 0;  // 0: the segment was left as it is.
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
};

// What a kBlock frame becomes: the body of the kPrunedBlock frame in its place, or nullopt: it
// stays.
using ShrinkFn =
    std::function<absl::StatusOr<std::optional<std::string>>(const JournalReader::Frame& frame)>;

// Whether the segment was compacted before. Errors: kDataLoss; of the file.
absl::StatusOr<bool> IsCompacted(const FileSystem& files, const SegmentFile& segment);

// Rewrites `segment`, which ends at `end`, where the next one starts. The copy is written beside
// it, synced, read back and checked, and only then takes its name; whatever happens, there is
// always one whole segment of that name. Frames whose shrinking saves less than a hole takes, and
// all others, are copied as they are. A running validator may be reading meanwhile: Refresh() its
// reader afterwards.
// Errors: kFailedPrecondition when it is compacted already; kDataLoss when it is damaged; those of
// `shrink` and the disk.
absl::StatusOr<CompactOutcome> CompactSegment(FileSystem* files, const JournalId& journal_id,
                                              const SegmentFile& segment, uint64_t end,
                                              const ShrinkFn& shrink);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOURNAL_REWRITE_H_
