// One search over one moment of the index: candidates from the segments, then the events' own word.
#ifndef VIGIL_LEDGER_INDEX_EVENT_SEARCH_H_
#define VIGIL_LEDGER_INDEX_EVENT_SEARCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/event_view.h"
#include "ledger/base/strong_id.h"
#include "ledger/index/event_query.h"
#include "ledger/index/open_segment.h"
#include "ledger/index/segment.h"
#include "ledger/index/term.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

inline constexpr uint32_t kSearchLimitMax = 1000;

// Fetches events for a search to look at.
class EventLoader {
 public:
  virtual ~EventLoader() = default;
  // Fills `view`, whose views stay valid until the next call. Returns false when the event's bytes
  // are gone (erased or pruned); it is then left out. An error ends the search with that error.
  virtual absl::StatusOr<bool> Load(const EventPosition& position, EventView* view) = 0;
};

struct SearchPage {
  uint32_t limit = 50;  // 1 to kSearchLimitMax.
  std::string cursor;   // next_cursor of the page before; empty for the first page.
  bool newest_first = false;
};

struct SearchResult {
  std::vector<EventPosition> events;
  // Empty: no more. A page may be short, even empty, and still have a cursor: one search looks at a
  // bounded number of candidates and segments.
  std::string next_cursor;
  // Every event of these heights was looked at, or will be on a later page. Nothing is complete
  // while complete_height < first_height. Events below first_height were pruned or never fed.
  Height first_height;
  Height complete_height;
};

// Bounds on the work of one search. Both at least 1.
struct SearchBudget {
  uint32_t candidates_max = 20'000;  // Events loaded.
  uint32_t segments_max = 1'024;     // Finished segments looked into.
};

// Immutable, or only ever appended to beyond what `view` counts.
struct IndexSnapshot {
  SegmentListPtr segments;
  std::shared_ptr<const OpenSegment> open;  // Owners: the index and the searches that run on it.
  OpenSegment::View view;
  Height first_height;
  Height complete_height;
  std::unique_ptr<StoreReader> reader;
};

class EventSearch {
 public:
  // All pointers must outlive the search. `after` is where the page before ended.
  // REQUIRES: CheckQuery(query) is OK.
  EventSearch(const IndexSnapshot* snapshot, const SegmentStore* segments, const EventQuery* query,
              std::vector<std::vector<uint64_t>> groups, bool newest_first,
              std::optional<LogPosition> after, EventLoader* loader);

  // Finds the next `limit` events. Called once.
  // Errors: kDataLoss for a damaged segment; the loader's errors.
  absl::Status Run(uint32_t limit, const SearchBudget& budget);

  const std::vector<EventPosition>& found() const { return found_; }
  // Where the next page begins; nullopt when there is no more.
  std::optional<LogPosition> next_after() const;

 private:
  // Where documents of one segment lie in the log.
  class RunFinder;

  absl::Status VisitFinished(const SegmentSummary& segment);
  absl::Status VisitOpen();
  absl::Status VisitDocs(const DocSet& docs, RunFinder* runs);
  absl::Status VisitEvent(const EventPosition& position);
  absl::StatusOr<DocSet> FinishedCandidates(uint64_t number) const;
  DocSet OpenCandidates() const;
  bool IsBeyondCursor(const LogPosition& position) const;
  bool MayHoldTime(uint64_t time_min, uint64_t time_max) const;
  bool IsWanted(const IndexRun& run) const;

  const IndexSnapshot& snapshot_;
  const SegmentStore& segments_;
  const EventQuery& query_;
  const std::vector<std::vector<uint64_t>> groups_;
  const bool newest_first_;
  EventLoader* const loader_;

  uint32_t limit_ = 0;
  uint32_t candidates_left_ = 0;
  uint32_t segments_left_ = 0;
  bool stopped_ = false;  // More may follow, but not in this search.
  std::optional<LogPosition> looked_to_;
  std::vector<EventPosition> found_;
  EventView view_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_EVENT_SEARCH_H_
