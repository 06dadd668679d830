// One journal whose segments lie in several folders, read as one: what was archived and what is
// left. Offsets that no folder has are passed over.
#ifndef VIGIL_LEDGER_STORAGE_JOINED_READER_H_
#define VIGIL_LEDGER_STORAGE_JOINED_READER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ledger/storage/journal.h"

namespace vigil::ledger {

// Offsets from `begin` up to `end`, without it.
struct OffsetRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool operator==(const OffsetRange&) const = default;
};

// The frames of `reader` in `range`, which begins and ends between frames.
struct JournalPiece {
  OffsetRange range;
  // Owned together with whoever opened it.
  std::shared_ptr<const JournalReader> reader;
};

// Of pieces that may overlap, those that cover each offset once: the first of `pieces` that has an
// offset keeps it. In the order of their offsets.
std::vector<JournalPiece> WithoutOverlap(const std::vector<JournalPiece>& pieces);

// What `pieces`, in order and without overlap, leave out below `end`.
std::vector<OffsetRange> GapsBetween(const std::vector<JournalPiece>& pieces, uint64_t end);

// As thread-safe as the pieces' readers.
class JoinedReader final : public JournalReader {
 public:
  // REQUIRES: at least one piece; in order, without overlap.
  explicit JoinedReader(std::vector<JournalPiece> pieces);

  absl::StatusOr<Frame> Read(JournalPosition position) const override;
  absl::Status ForEach(JournalPosition from,
                       const std::function<bool(const Frame&)>& visit) const override;
  JournalPosition begin() const override { return {.offset = pieces_.front().range.begin}; }
  JournalPosition end() const override { return {.offset = pieces_.back().range.end}; }

 private:
  const std::vector<JournalPiece> pieces_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STORAGE_JOINED_READER_H_
