#include "node/driver/pruner.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/state/journal_block.h"
#include "ledger/storage/journal_check.h"

namespace vigil::node {
namespace {

using ledger::JournalReader;
using ledger::SegmentFile;

bool MayPrune(const ledger::BlockHeader& header, const PruneLimits& limits) {
  return static_cast<int64_t>(header.time_unix_millis) < limits.before_unix_millis &&
         header.height <= limits.height_max && header.height > limits.base;
}

// The header of the first block at or behind `from`; nullopt: there is none.
absl::StatusOr<std::optional<ledger::BlockHeader>> FirstHeader(const JournalReader& reader,
                                                               uint64_t from) {
  std::optional<ledger::BlockHeader> header;
  absl::Status status;
  RETURN_IF_ERROR(reader.ForEach({.offset = from}, [&](const JournalReader::Frame& frame) {
    if (!ledger::IsBlockFrame(frame.type)) return true;
    absl::StatusOr<ledger::BlockPtr> block = ledger::DecodeJournalBlock(frame);
    status = block.status();
    if (block.ok()) header = (*block)->header();
    return false;
  }));
  RETURN_IF_ERROR(status);
  return header;
}

absl::StatusOr<std::optional<std::string>> Shrink(const JournalReader::Frame& frame,
                                                  const PruneLimits& limits) {
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, ledger::DecodeJournalBlock(frame));
  if (!MayPrune(block->header(), limits)) return std::nullopt;
  ASSIGN_OR_RETURN(std::string shorter, ledger::MakePrunedFrame(*block));
  return shorter;
}

absl::StatusOr<ledger::CompactOutcome> Compact(const PrunePlace& place, const PruneLimits& limits,
                                               const SegmentFile& segment, uint64_t end) {
  Mutex unshared;
  MutexLock lock(place.rewriting == nullptr ? &unshared : place.rewriting);
  ASSIGN_OR_RETURN(const ledger::CompactOutcome outcome,
                   ledger::CompactSegment(
                       place.files, place.journal_id, segment, end,
                       [&](const JournalReader::Frame& frame) { return Shrink(frame, limits); }));
  place.reader->Refresh(segment.start);
  return outcome;
}

}  // namespace

absl::StatusOr<std::optional<PrunedSegment>> PruneOneSegment(const PrunePlace& place,
                                                             const PruneLimits& limits,
                                                             std::set<uint64_t>* finished) {
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments,
                   ledger::ListSegments(*place.files, place.directory));
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    const SegmentFile& segment = segments[i];
    if (finished->contains(segment.start)) continue;
    // Times grow along the chain: what comes before an old block is old.
    ASSIGN_OR_RETURN(const std::optional<ledger::BlockHeader> next,
                     FirstHeader(*place.reader, segments[i + 1].start));
    if (!next.has_value() || !MayPrune(*next, limits)) return std::nullopt;
    ASSIGN_OR_RETURN(const bool compacted, ledger::IsCompacted(*place.files, segment));
    if (compacted) {
      finished->insert(segment.start);
      continue;
    }
    ASSIGN_OR_RETURN(const ledger::CompactOutcome outcome,
                     Compact(place, limits, segment, segments[i + 1].start));
    finished->insert(segment.start);
    if (outcome.frames_changed == 0) continue;
    return PrunedSegment{.start = segment.start, .outcome = outcome};
  }
  return std::nullopt;
}

std::optional<PruneLimits> Pruner::Limits() const {
  Height height_max = ports_.final_height();
  if (ports_.detector_from) {
    const std::optional<Height> from = ports_.detector_from();
    if (!from.has_value() || *from == Height(0)) return std::nullopt;
    height_max = std::min(height_max, from->Previous());
  }
  const auto now = static_cast<int64_t>(ports_.chain->CurrentView().tip.time_unix_millis);
  const auto age = static_cast<int64_t>(options_.payload_age_millis);
  if (now <= age) return std::nullopt;
  return PruneLimits{
      .before_unix_millis = now - age, .height_max = height_max, .base = options_.base};
}

bool Pruner::Step() {
  const int64_t now = ports_.clock->MonotonicMicros();
  if (now < next_micros_ || ports_.fatal->failed()) return false;
  next_micros_ = now + options_.pause_micros;
  const std::optional<PruneLimits> limits = Limits();
  if (!limits.has_value()) return false;
  const absl::StatusOr<std::optional<PrunedSegment>> pruned =
      PruneOneSegment(options_.place, *limits, &finished_);
  if (!pruned.ok()) {
    // The journal is as it was. It is tried again; what is wrong with a disk shows in its writer.
    (*ports_.log)(LogLevel::kError, "prune", pruned.status().message());
    return false;
  }
  if (!pruned->has_value()) return false;
  const ledger::CompactOutcome& outcome = (*pruned)->outcome;
  ports_.counters->pruned_bytes.fetch_add(outcome.bytes_before - outcome.bytes_after,
                                          std::memory_order_relaxed);
  (*ports_.log)(LogLevel::kInfo, "prune",
                absl::StrCat("payloads of ", outcome.frames_changed,
                             " blocks in the segment at offset ", (*pruned)->start, " are gone: ",
                             outcome.bytes_before, " bytes became ", outcome.bytes_after));
  next_micros_ = now;  // There may be more.
  return true;
}

}  // namespace vigil::node
