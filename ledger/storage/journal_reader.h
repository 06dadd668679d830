// The reader that a Journal feeds: it learns of segments as they are begun and of the end as it is
// synced, and reads files that only grow.
//
// Thread-safe. The FileSystem must outlive it.
#ifndef VIGIL_LEDGER_STORAGE_JOURNAL_READER_H_
#define VIGIL_LEDGER_STORAGE_JOURNAL_READER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "ledger/base/mutex.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/segment_map.h"

namespace vigil::ledger {

class SegmentedReader final : public JournalReader {
 public:
  // Segments of a journal that CheckJournal() found sound from `begin` to `end`.
  SegmentedReader(const FileSystem* files, const JournalCheck& check);

  // Called by the one writer: a segment that starts at the end; the last base frame and the end,
  // after a sync.
  void AddSegment(const SegmentFile& segment);
  void SetBase(JournalPosition position);
  void SetEnd(uint64_t end) { end_.store(end, std::memory_order_release); }

  absl::StatusOr<Frame> Read(JournalPosition position) const override;
  absl::Status ForEach(JournalPosition from,
                       const std::function<bool(const Frame&)>& visit) const override;
  void Refresh(uint64_t segment_start) const override;
  void Forget(uint64_t before) const override;
  std::optional<JournalPosition> newest_base() const override;
  JournalPosition begin() const override;
  JournalPosition end() const override;

 private:
  // A file and where its frames lie: both of one moment, also while it is being replaced.
  struct Contents {
    std::unique_ptr<ReadFile> file;
    SegmentMap map;
  };
  using ContentsPtr = std::shared_ptr<const Contents>;  // Owned by the cache and running reads.
  struct OpenSegment {
    ContentsPtr contents;
    SegmentFile segment;

    const ReadFile& file() const { return *contents->file; }
    uint64_t PlaceOf(uint64_t offset) const { return contents->map.PlaceOf(offset); }
  };
  struct Slot {
    std::string path;
    ContentsPtr contents;  // Null while not open.
    uint64_t last_use = 0;
  };

  // The segment with the frame at `offset`. Errors: kOutOfRange outside [begin, end).
  absl::StatusOr<OpenSegment> Locate(uint64_t offset) const;
  void CloseLeastUsed() const VIGIL_REQUIRES(mutex_);
  // Reads the hole's body: where the next frame lies.
  absl::StatusOr<uint64_t> EndOfHole(const OpenSegment& open, const FrameHeader& header) const;

  const FileSystem* const files_;
  const JournalId journal_id_;
  std::atomic<uint64_t> end_;
  mutable Mutex mutex_;
  std::optional<JournalPosition> newest_base_ VIGIL_GUARDED_BY(mutex_);
  mutable std::map<uint64_t, Slot> slots_ VIGIL_GUARDED_BY(mutex_);  // By start.
  mutable uint64_t use_count_ VIGIL_GUARDED_BY(mutex_) = 0;
  mutable size_t open_count_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOURNAL_READER_H_
