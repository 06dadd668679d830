#include "node/keep/prune.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "node/driver/pruner.h"
#include "node/driver/recovery.h"
#include "node/keep/folder.h"

namespace vigil::node {
absl::StatusOr<PruneReport> PruneData(ledger::FileSystem* files, const PruneRequest& request) {
  ASSIGN_OR_RETURN(const std::shared_ptr<void> lock, LockFolder(files, request.data_dir));
  RETURN_IF_ERROR(CheckNoRestore(*files, request.data_dir));
  PrunePlace place{.files = files,
                   .directory = request.data_dir + "/journal",
                   .journal_id = {},
                   .reader = nullptr,
                   .rewriting = nullptr};
  absl::Status damage;
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const ledger::JournalReader> reader,
      ledger::OpenJournalForReading(files, place.directory, &damage, &place.journal_id));
  if (absl::IsDataLoss(damage)) return Annotate(damage, "nothing was changed");
  place.reader = reader.get();
  RETURN_IF_ERROR(OwnerOf(place.journal_id, *request.genesis).status());
  ASSIGN_OR_RETURN(const JournalScan scan, ScanJournal(*request.genesis, *reader));
  PruneReport report;
  report.height_max = scan.committed;
  // A validator that joined by a snapshot runs no detector.
  if (scan.base.id.height == Height(0)) {
    ASSIGN_OR_RETURN(const Height detector_from,
                     StoredDetectorRestart(files, request.data_dir, *request.genesis));
    report.height_max = std::min(report.height_max, detector_from.Previous());
  }
  const ParentBlock* const newest = scan.Find(scan.committed);
  if (newest == nullptr || scan.committed <= scan.base.id.height) return report;
  const PruneLimits limits{.before_unix_millis = static_cast<int64_t>(newest->time_unix_millis) -
                                                 static_cast<int64_t>(request.older_than_millis),
                           .height_max = report.height_max,
                           .base = scan.base.id.height};
  std::set<uint64_t> finished;
  for (;;) {
    ASSIGN_OR_RETURN(const std::optional<PrunedSegment> pruned,
                     PruneOneSegment(place, limits, &finished));
    if (!pruned.has_value()) return report;
    ++report.segments;
    report.blocks += pruned->outcome.frames_changed;
    report.bytes_freed += pruned->outcome.bytes_before - pruned->outcome.bytes_after;
  }
}

}  // namespace vigil::node
