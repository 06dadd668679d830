// Reads a journal from end to end and says how far it is sound, and whether what follows may be the
// remains of a write that never finished.
//
// A frame says how far the journal was durable when it was appended. So damage at an offset was
// durable once if any sound frame header, before or after the damage, claims a durable end beyond
// it; and everything before a later segment was, because segments change only after a sync.
#ifndef VIGIL_LEDGER_STORAGE_JOURNAL_CHECK_H_
#define VIGIL_LEDGER_STORAGE_JOURNAL_CHECK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

struct SegmentFile {
  uint64_t start = 0;  // Journal offset of its first frame.
  std::string path;
};

// The segments in `directory` in order of their start; other names are passed over.
absl::StatusOr<std::vector<SegmentFile>> ListSegments(const FileSystem& files,
                                                      const std::string& directory);

// A view into a file through a buffer of its own, for reading on and on. Belongs to one thread.
class FileWindow {
 public:
  // `file` must outlive the window.
  explicit FileWindow(const ReadFile* file) : file_(file) {}
  // `size` bytes at `offset`, fewer at the end of the file. Valid until the next call.
  absl::StatusOr<ByteSpan> View(uint64_t offset, size_t size);

 private:
  const ReadFile* const file_;
  uint64_t begin_ = 0;
  std::string bytes_;
};

struct JournalCheck {
  JournalId journal_id;
  std::vector<SegmentFile> segments;  // Those up to `end`.
  uint64_t end = 0;                   // The journal is sound up to here.
  uint64_t proven_end = 0;  // Up to here it is known to be durable: a group ends there, at or
                            // before `end`. What follows may not have been synced yet.
  std::optional<uint64_t> newest_base;  // Offset of the last sound base frame.
  uint64_t torn_bytes = 0;              // What follows `end` when `damage` is kAborted.
  // OK: nothing follows. kAborted: an unfinished write, or damage to the last group: cannot be told
  // apart. kDataLoss: damage to what was durable, naming segment and offset.
  absl::Status damage;
};

// Up to which offset one segment alone is sound. Errors: kDataLoss for its header; of reading.
absl::StatusOr<uint64_t> SoundEndOfSegment(const FileSystem& files, const SegmentFile& segment,
                                           const JournalId& journal_id);

// As CheckJournal(), of these segments, which are in order of their start and not none.
// `known_end`: where the journal goes on elsewhere, so that the last of them must end there.
absl::StatusOr<JournalCheck> CheckSegments(const FileSystem& files,
                                           const std::vector<SegmentFile>& segments,
                                           const std::optional<JournalId>& expected_id,
                                           std::optional<uint64_t> known_end);

// Checks every header and body. With `expected_id`, a segment of another journal is kDataLoss.
// Errors: those of reading, and kNotFound when there is no segment.
absl::StatusOr<JournalCheck> CheckJournal(const FileSystem& files, const std::string& directory,
                                          const std::optional<JournalId>& expected_id);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOURNAL_CHECK_H_
