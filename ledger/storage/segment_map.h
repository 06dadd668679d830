// Where the frames of one segment lie in its file.
//
// In a whole segment offset and place in the file go together; in a compacted one each hole takes
// fewer bytes than offsets (docs/formats/journal.md). Immutable once loaded.
#ifndef VIGIL_LEDGER_STORAGE_SEGMENT_MAP_H_
#define VIGIL_LEDGER_STORAGE_SEGMENT_MAP_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_format.h"

namespace vigil::ledger {

class SegmentMap {
 public:
  // Reads the segment's header and, when it is compacted, the header of every frame: a few bytes
  // of memory for each hole. Errors: kDataLoss naming segment and offset; of the file.
  static absl::StatusOr<SegmentMap> Load(const ReadFile& file, const SegmentFile& segment,
                                         const JournalId& journal_id);

  // Place in the file of the frame at `offset`. REQUIRES: the segment has a frame there; any other
  // offset gives a place where no sound header of that offset lies.
  uint64_t PlaceOf(uint64_t offset) const;
  bool compacted() const { return compacted_; }

 private:
  SegmentMap(uint64_t start, bool compacted) : start_(start), compacted_(compacted) {}
  absl::Status FindHoles(const ReadFile& file, const SegmentFile& segment,
                         const JournalId& journal_id);

  uint64_t start_;
  bool compacted_;
  // Offset behind a hole, and how many offsets up to there take no bytes.
  std::vector<std::pair<uint64_t, uint64_t>> holes_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_SEGMENT_MAP_H_
