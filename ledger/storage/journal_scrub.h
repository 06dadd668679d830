// Re-reads what is synced of a segment of the journal, from the disk and not from memory, says
// which of its bytes are damaged, and makes one that is not written any more whole again: by a copy
// that is synced and renamed into place, never in place.
//
// Belongs to one thread. Readers go on meanwhile; JournalReader::Refresh() tells them of the copy.
#ifndef VIGIL_LEDGER_STORAGE_JOURNAL_SCRUB_H_
#define VIGIL_LEDGER_STORAGE_JOURNAL_SCRUB_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_check.h"

namespace vigil::ledger {

// Bytes of the journal between two sound frames: [from, to).
struct JournalRange {
  uint64_t from = 0;
  uint64_t to = 0;
};

class SegmentScrub {
 public:
  // `end` is where the next segment starts or, in the last one, up to where it was synced. `files`
  // must outlive the object. Errors: of the disk.
  static absl::StatusOr<std::unique_ptr<SegmentScrub>> Open(const FileSystem* files,
                                                            const SegmentFile& segment,
                                                            uint64_t end, const JournalId& id);

  // Whether the segment's own header is what its name says.
  bool header_is_sound() const { return header_is_sound_; }
  // Whether it was compacted. Where the header is damaged, only frames that stand in such segments
  // alone tell.
  bool compacted() const { return compacted_; }
  bool done() const { return at_ >= end_; }
  // The next frame, or the damaged range up to the next sound one. REQUIRES: !done().
  struct Item {
    bool is_sound = false;
    JournalReader::Frame frame;  // When it is.
    JournalRange damage;         // When it is not.
  };
  // Errors: of the disk.
  absl::StatusOr<Item> Next();

 private:
  SegmentScrub(std::unique_ptr<ReadFile> file, const SegmentFile& segment, uint64_t end,
               const JournalId& id);
  uint64_t FileOffset(uint64_t at) const;
  // The frame at `at`, if a whole sound one lies there.
  absl::StatusOr<bool> FrameAt(uint64_t at, JournalReader::Frame* frame);
  absl::StatusOr<uint64_t> NextSound(uint64_t at);
  // In a compacted segment a frame itself says at which offset it lies. Takes over what lies before
  // it of skips.
  absl::StatusOr<uint64_t> NextSoundCompacted(uint64_t at);

  const std::unique_ptr<ReadFile> file_;
  const SegmentFile segment_;
  const uint64_t end_;
  const JournalId id_;
  FileWindow window_;
  bool header_is_sound_ = false;
  bool compacted_ = false;
  uint64_t skipped_ = 0;  // Offsets up to `at_` that take no bytes.
  uint64_t at_;
};

// A frame that is to lie at `offset`, where the old segment is damaged.
struct SegmentPatch {
  uint64_t offset = 0;
  JournalType type = JournalType::kHole;
  std::string body;
};

// Replaces the segment by a copy of its sound frames and, elsewhere, `patches`, which are in order
// and fill the damage exactly; pruned blocks and skips only in a compacted one. Errors: kDataLoss
// when they do not; of the disk. The old segment stands until the copy is durable.
absl::Status RewriteSegment(FileSystem* files, const SegmentFile& segment, uint64_t end,
                            const JournalId& id, const std::vector<SegmentPatch>& patches);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOURNAL_SCRUB_H_
