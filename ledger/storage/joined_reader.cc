#include "ledger/storage/joined_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {

std::vector<JournalPiece> WithoutOverlap(const std::vector<JournalPiece>& pieces) {
  std::vector<JournalPiece> taken;
  for (const JournalPiece& piece : pieces) {
    uint64_t begin = piece.range.begin;
    std::vector<JournalPiece> parts;
    for (const JournalPiece& other : taken) {  // In order.
      if (other.range.end <= begin) continue;
      if (other.range.begin >= piece.range.end) break;
      if (begin < other.range.begin) {
        parts.push_back(
            {.range = {.begin = begin, .end = other.range.begin}, .reader = piece.reader});
      }
      begin = other.range.end;
    }
    if (begin < piece.range.end) {
      parts.push_back({.range = {.begin = begin, .end = piece.range.end}, .reader = piece.reader});
    }
    taken.insert(taken.end(), parts.begin(), parts.end());
    std::sort(taken.begin(), taken.end(), [](const JournalPiece& a, const JournalPiece& b) {
      return a.range.begin < b.range.begin;
    });
  }
  return taken;
}

std::vector<OffsetRange> GapsBetween(const std::vector<JournalPiece>& pieces, uint64_t end) {
  std::vector<OffsetRange> gaps;
  uint64_t at = 0;
  for (const JournalPiece& piece : pieces) {
    if (piece.range.begin > at) gaps.push_back({.begin = at, .end = piece.range.begin});
    at = piece.range.end;
  }
  if (at < end) gaps.push_back({.begin = at, .end = end});
  return gaps;
}

JoinedReader::JoinedReader(std::vector<JournalPiece> pieces) : pieces_(std::move(pieces)) {
  VIGIL_CHECK(!pieces_.empty());
}

absl::StatusOr<JournalReader::Frame> JoinedReader::Read(JournalPosition position) const {
  for (const JournalPiece& piece : pieces_) {
    if (position.offset >= piece.range.end) continue;
    if (position.offset < piece.range.begin) break;
    return piece.reader->Read(position);
  }
  return absl::OutOfRangeError(
      absl::StrCat("journal offset ", position.offset, " is in none of the folders"));
}

absl::Status JoinedReader::ForEach(JournalPosition from,
                                   const std::function<bool(const Frame&)>& visit) const {
  bool goes_on = true;
  for (const JournalPiece& piece : pieces_) {
    if (from.offset >= piece.range.end) continue;
    const uint64_t begin = std::max(from.offset, piece.range.begin);
    RETURN_IF_ERROR(piece.reader->ForEach({.offset = begin}, [&](const Frame& frame) {
      if (frame.position.offset >= piece.range.end) return false;
      goes_on = visit(frame);
      return goes_on;
    }));
    if (!goes_on) break;
  }
  return absl::OkStatus();
}

}  // namespace vigil::ledger
