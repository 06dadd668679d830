#include "ledger/index/event_search.h"

#include <algorithm>
#include <utility>

#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {

class EventSearch::RunFinder {
 public:
  RunFinder(const SegmentStore& segments, const StoreReader& reader, uint64_t number)
      : segments_(&segments), reader_(&reader), number_(number) {}
  RunFinder(const OpenSegment& open, const OpenSegment::View& view) : open_(&open), view_(view) {}

  absl::StatusOr<IndexRun> Find(uint32_t doc) {
    if (open_ != nullptr) return open_->RunOf(view_, doc);
    if (page_.empty() || doc < page_.front().first_doc || doc >= page_.back().end_doc()) {
      ASSIGN_OR_RETURN(page_, segments_->ReadRuns(*reader_, number_, doc));
    }
    const auto after = std::upper_bound(
        page_.begin(), page_.end(), doc,
        [](uint32_t wanted, const IndexRun& run) { return wanted < run.first_doc; });
    return *std::prev(after);
  }

 private:
  const SegmentStore* segments_ = nullptr;
  const StoreReader* reader_ = nullptr;
  uint64_t number_ = 0;
  std::vector<IndexRun> page_;
  const OpenSegment* open_ = nullptr;
  OpenSegment::View view_;
};

EventSearch::EventSearch(const IndexSnapshot* snapshot, const SegmentStore* segments,
                         const EventQuery* query, std::vector<std::vector<uint64_t>> groups,
                         bool newest_first, std::optional<LogPosition> after, EventLoader* loader)
    : snapshot_(*snapshot),
      segments_(*segments),
      query_(*query),
      groups_(std::move(groups)),
      newest_first_(newest_first),
      loader_(loader),
      looked_to_(after) {}

std::optional<LogPosition> EventSearch::next_after() const {
  return stopped_ ? looked_to_ : std::nullopt;
}

absl::Status EventSearch::Run(uint32_t limit, const SearchBudget& budget) {
  limit_ = limit;
  candidates_left_ = budget.candidates_max;
  segments_left_ = budget.segments_max;
  if (newest_first_) RETURN_IF_ERROR(VisitOpen());
  const SegmentList& list = *snapshot_.segments;
  for (size_t i = 0; i < list.size() && !stopped_; ++i) {
    const SegmentSummary& segment = newest_first_ ? list[list.size() - 1 - i] : list[i];
    // A cursor must not step over events that are stored before their block is complete.
    if (!newest_first_ && segment.first.height > snapshot_.complete_height) return absl::OkStatus();
    RETURN_IF_ERROR(VisitFinished(segment));
  }
  if (!newest_first_ && !stopped_) RETURN_IF_ERROR(VisitOpen());
  return absl::OkStatus();
}

absl::Status EventSearch::VisitFinished(const SegmentSummary& segment) {
  const LogPosition end = newest_first_ ? segment.first.log() : segment.last.log();
  if (!IsBeyondCursor(end)) return absl::OkStatus();
  if (MayHoldTime(segment.time_min, segment.time_max)) {
    if (segments_left_ == 0) {
      stopped_ = true;
      return absl::OkStatus();
    }
    --segments_left_;
    ASSIGN_OR_RETURN(const DocSet docs, FinishedCandidates(segment.number));
    RunFinder runs(segments_, *snapshot_.reader, segment.number);
    RETURN_IF_ERROR(VisitDocs(docs, &runs));
  }
  if (!stopped_) looked_to_ = end;
  return absl::OkStatus();
}

absl::Status EventSearch::VisitOpen() {
  if (snapshot_.view.doc_count == 0) return absl::OkStatus();
  const DocSet docs = OpenCandidates();
  RunFinder runs(*snapshot_.open, snapshot_.view);
  return VisitDocs(docs, &runs);
}

// Steps over whole runs that cannot hold an answer.
absl::Status EventSearch::VisitDocs(const DocSet& docs, RunFinder* runs) {
  std::optional<uint32_t> doc =
      newest_first_ ? docs.AtOrBefore(kSegmentEvents - 1) : docs.AtOrAfter(0);
  while (doc.has_value() && !stopped_) {
    ASSIGN_OR_RETURN(const IndexRun run, runs->Find(*doc));
    const bool wanted = IsWanted(run);
    if (wanted && IsBeyondCursor(run.At(*doc).log())) RETURN_IF_ERROR(VisitEvent(run.At(*doc)));
    if (newest_first_) {
      const uint32_t seen = wanted ? *doc : run.first_doc;
      doc = seen == 0 ? std::nullopt : docs.AtOrBefore(seen - 1);
    } else {
      const uint32_t next = wanted ? *doc + 1 : run.end_doc();
      doc = next == kSegmentEvents ? std::nullopt : docs.AtOrAfter(next);
    }
  }
  return absl::OkStatus();
}

absl::Status EventSearch::VisitEvent(const EventPosition& position) {
  if (candidates_left_ == 0) {
    stopped_ = true;
    return absl::OkStatus();
  }
  --candidates_left_;
  ASSIGN_OR_RETURN(const bool present, loader_->Load(position, &view_));
  if (present && Matches(query_, view_)) {
    // The page is full, and now it is known that there is more.
    if (found_.size() == limit_) {
      stopped_ = true;
      return absl::OkStatus();
    }
    found_.push_back(position);
  }
  looked_to_ = position.log();
  return absl::OkStatus();
}

absl::StatusOr<DocSet> EventSearch::FinishedCandidates(uint64_t number) const {
  DocSet docs;
  docs.AddFirst(kSegmentEvents);
  for (const std::vector<uint64_t>& group : groups_) {
    DocSet of_group;
    for (uint64_t hash : group) {
      RETURN_IF_ERROR(segments_.CollectTerm(*snapshot_.reader, number, hash, &of_group));
    }
    docs.IntersectWith(of_group);
    if (docs.IsEmpty()) break;
  }
  return docs;
}

DocSet EventSearch::OpenCandidates() const {
  DocSet docs;
  docs.AddFirst(snapshot_.view.doc_count);
  for (const std::vector<uint64_t>& group : groups_) {
    DocSet of_group;
    snapshot_.open->CollectTerms(snapshot_.view, group, &of_group);
    docs.IntersectWith(of_group);
    if (docs.IsEmpty()) break;
  }
  return docs;
}

bool EventSearch::IsBeyondCursor(const LogPosition& position) const {
  if (!looked_to_.has_value()) return true;
  return newest_first_ ? position < *looked_to_ : position > *looked_to_;
}

bool EventSearch::MayHoldTime(uint64_t time_min, uint64_t time_max) const {
  if (time_max < query_.from_unix_nano) return false;
  return query_.to_unix_nano == 0 || time_min < query_.to_unix_nano;
}

bool EventSearch::IsWanted(const IndexRun& run) const {
  const EventPosition far_end = newest_first_ ? run.first : run.At(run.end_doc() - 1);
  return IsBeyondCursor(far_end.log()) && run.first.height >= snapshot_.first_height &&
         run.first.height <= snapshot_.complete_height && MayHoldTime(run.time_min, run.time_max);
}

}  // namespace vigil::ledger
