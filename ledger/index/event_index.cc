#include "ledger/index/event_index.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/keys.h"
#include "ledger/index/cursor.h"

namespace vigil::ledger {
namespace {

// Small, so that a run's time range is narrow and a searching thread sees little memory at once.
constexpr size_t kChunkEvents = 256;
constexpr size_t kEraseKeysPerBatch = 1000;

IndexMeta NewMeta(uint32_t term_hash_bits) {
  IndexMeta meta;
  const std::string key = RandomBytes(ShortHashKey::size());
  std::copy(key.begin(), key.end(), meta.hash_key.bytes.begin());
  meta.term_hash_bits = term_hash_bits;
  return meta;
}

std::optional<EventPosition> LastStored(const SegmentList& segments, const IndexMeta& meta) {
  if (!segments.empty()) return segments.back().last;
  if (meta.pruned_to.height != Height(0)) return meta.pruned_to;
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventIndex>> EventIndex::Open(Store* store,
                                                             const EventIndexOptions& options) {
  VIGIL_CHECK(!options.key_prefix.empty(), "search index without a key prefix");
  ASSIGN_OR_RETURN(const std::optional<IndexMeta> stored,
                   SegmentStore::ReadMeta(*store, options.key_prefix));
  const IndexMeta meta = stored.has_value() ? *stored : NewMeta(options.term_hash_bits);
  ASSIGN_OR_RETURN(SegmentList segments,
                   SegmentStore(options.key_prefix, meta).ReadSummaries(*store));
  if (!segments.empty() && segments.front().number != meta.first_segment) {
    return absl::DataLossError(absl::StrCat("search index: begins with segment ",
                                            segments.front().number, " instead of ",
                                            meta.first_segment, "; rebuild the index"));
  }
  return std::unique_ptr<EventIndex>(new EventIndex(store, options, meta, std::move(segments)));
}

absl::Status EventIndex::Erase(Store* store, absl::string_view key_prefix) {
  VIGIL_CHECK(!key_prefix.empty() && key_prefix.back() != '\xff', "prefix to erase");
  std::string end(key_prefix);
  ++end.back();
  for (;;) {
    StoreBatch batch;
    RETURN_IF_ERROR(store->Scan(key_prefix, end, /*reverse=*/true,
                                [&](absl::string_view key, absl::string_view) {
                                  batch.Delete(key);
                                  return batch.operations().size() < kEraseKeysPerBatch;
                                }));
    if (batch.operations().empty()) return absl::OkStatus();
    RETURN_IF_ERROR(store->Write(batch));
  }
}

EventIndex::EventIndex(Store* store, const EventIndexOptions& options, const IndexMeta& meta,
                       SegmentList segments)
    : store_(store),
      options_(options),
      segment_store_(options.key_prefix, meta),
      hasher_(meta.hash_key, meta.term_hash_bits),
      meta_(meta) {
  VIGIL_CHECK(options.budget.candidates_max > 0 && options.budget.segments_max > 0,
              "search without a budget");
  Restart(std::move(segments));
}

void EventIndex::Restart(SegmentList segments) {
  const std::optional<EventPosition> last = LastStored(segments, meta_);
  in_block_ = false;
  any_record_ = false;
  stored_last_ = last;
  broken_ = absl::OkStatus();
  adding_ = std::make_shared<OpenSegment>();
  MutexLock lock(&mutex_);
  segments_ = std::make_shared<const SegmentList>(std::move(segments));
  open_ = adding_;
  view_ = adding_->view();
  first_height_ = meta_.first_height;
  // The block of the last stored event may go on, so it is complete only when it was fed again.
  next_height_ = last.has_value() ? last->height : Height(0);
  complete_height_ = last.has_value() ? last->height.Previous() : Height(0);
}

absl::Status EventIndex::Broken(absl::Status status) {
  if (!status.ok() && broken_.ok()) {
    broken_ =
        Annotate(absl::FailedPreconditionError(status.message()), "search index stopped earlier");
  }
  return status;
}

absl::Status EventIndex::EnterBlock(Height height) {
  RETURN_IF_ERROR(broken_);
  const Height expected = next_height();
  if (height == Height(0) || (expected != Height(0) && height != expected)) {
    return absl::FailedPreconditionError(absl::StrCat("search index: block ", height.value(),
                                                      " where ", expected.value(), " belongs"));
  }
  if (in_block_) return absl::OkStatus();
  if (expected == Height(0)) {
    meta_.first_height = height;
    MutexLock lock(&mutex_);
    first_height_ = height;
    next_height_ = height;
    complete_height_ = height.Previous();
  }
  in_block_ = true;
  next_.height = height;
  return absl::OkStatus();
}

absl::Status EventIndex::EnterRecord(RecordIndex record, size_t count) {
  if (any_record_ && record < next_.record) {
    return absl::FailedPreconditionError(
        absl::StrCat("search index: record ", record.value(), " after ", next_.record.value()));
  }
  if (!any_record_ || record != next_.record) {
    next_.record = record;
    next_.item = ItemIndex(0);
    any_record_ = true;
  }
  if (count > std::numeric_limits<uint32_t>::max() - next_.item.value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("search index: ", count, " more items after ", next_.item.value()));
  }
  return absl::OkStatus();
}

// Takes the events off the front of `events` that are in stored segments already. Positions alone
// decide, because the bytes of some stored events may have been erased since.
void EventIndex::SkipStored(std::span<const EventView>* events) {
  if (!stored_last_.has_value() || next_.log() > stored_last_->log()) return;
  size_t stored = events->size();
  if (next_.record == stored_last_->record) {
    stored = std::min<size_t>(stored, stored_last_->item - next_.item + 1);
  }
  next_.item = next_.item + static_cast<uint32_t>(stored);
  *events = events->subspan(stored);
}

absl::Status EventIndex::Add(Height height, RecordIndex record, std::span<const EventView> events) {
  RETURN_IF_ERROR(Broken(EnterBlock(height)));
  RETURN_IF_ERROR(Broken(EnterRecord(record, events.size())));
  SkipStored(&events);
  while (!events.empty()) {
    const size_t room = kSegmentEvents - adding_->doc_count();
    const size_t count = std::min({events.size(), room, kChunkEvents});
    RETURN_IF_ERROR(Broken(AddChunk(events.first(count))));
    events = events.subspan(count);
  }
  return absl::OkStatus();
}

absl::Status EventIndex::AddChunk(std::span<const EventView> events) {
  chunk_postings_.clear();
  for (size_t i = 0; i < events.size(); ++i) {
    event_hashes_.clear();
    hasher_.AppendEventTerms(events[i], &event_hashes_);
    for (uint64_t hash : event_hashes_) {
      chunk_postings_.push_back({.hash = hash, .doc = static_cast<uint16_t>(i)});
    }
  }
  adding_->Append(next_, events, chunk_postings_);
  next_.item = next_.item + static_cast<uint32_t>(events.size());
  return adding_->doc_count() == kSegmentEvents ? CloseSegment() : absl::OkStatus();
}

absl::Status EventIndex::FinishBlock(Height height) {
  RETURN_IF_ERROR(Broken(EnterBlock(height)));
  in_block_ = false;
  stored_last_.reset();
  MutexLock lock(&mutex_);
  view_ = adding_->view();
  complete_height_ = height;
  next_height_ = height.Next();
  return absl::OkStatus();
}

absl::Status EventIndex::CloseSegment() {
  const std::vector<IndexRun> runs = adding_->Runs();
  const SegmentListPtr before = segments();
  SegmentSummary summary{
      .number = before->empty() ? meta_.first_segment : before->back().number + 1,
      .first = runs.front().first,
      .last = runs.back().At(kSegmentEvents - 1),
      .time_min = runs.front().time_min,
      .time_max = runs.front().time_max};
  for (const IndexRun& run : runs) {
    summary.time_min = std::min(summary.time_min, run.time_min);
    summary.time_max = std::max(summary.time_max, run.time_max);
  }
  StoreBatch batch;
  segment_store_.PutSegment(summary, adding_->Postings(), runs, &batch);
  segment_store_.PutMeta(meta_, &batch);
  RETURN_IF_ERROR(store_->Write(batch));
  SegmentList list = *before;
  list.push_back(summary);
  adding_ = std::make_shared<OpenSegment>();
  MutexLock lock(&mutex_);
  segments_ = std::make_shared<const SegmentList>(std::move(list));
  open_ = adding_;
  view_ = adding_->view();
  return absl::OkStatus();
}

absl::Status EventIndex::DropSegment(const SegmentSummary& segment, const IndexMeta& meta) {
  StoreBatch batch;
  RETURN_IF_ERROR(segment_store_.DeleteSegment(*store_, segment.number, &batch));
  segment_store_.PutMeta(meta, &batch);
  return store_->Write(batch);
}

// Searches learn first that segments are gone, then the store does: see TakeSnapshot(). Each batch
// leaves an index that is whole, so a crash in between costs nothing.
absl::Status EventIndex::DropAfter(Height height) {
  const SegmentListPtr before = segments();
  SegmentList left = *before;
  while (!left.empty() && left.back().last.height > height) left.pop_back();
  const size_t left_count = left.size();
  const IndexMeta meta_before = meta_;
  if (left.empty() && meta_.pruned_to.height > height) meta_.pruned_to = EventPosition();
  if (!LastStored(left, meta_).has_value()) meta_.first_height = Height(0);
  Restart(std::move(left));
  for (size_t i = before->size(); i > left_count + 1; --i) {
    RETURN_IF_ERROR(Broken(DropSegment((*before)[i - 1], meta_before)));
  }
  if (before->size() > left_count) return Broken(DropSegment((*before)[left_count], meta_));
  if (meta_ == meta_before) return absl::OkStatus();
  StoreBatch batch;
  segment_store_.PutMeta(meta_, &batch);
  return Broken(store_->Write(batch));
}

absl::Status EventIndex::Prune(Height height) {
  RETURN_IF_ERROR(broken_);
  const SegmentListPtr before = segments();
  size_t dropped = 0;
  while (dropped < before->size() && (*before)[dropped].last.height < height) ++dropped;
  if (dropped == 0) return absl::OkStatus();
  {
    MutexLock lock(&mutex_);
    segments_ = std::make_shared<const SegmentList>(
        before->begin() + static_cast<std::ptrdiff_t>(dropped), before->end());
    first_height_ = (*before)[dropped - 1].last.height.Next();
  }
  for (size_t i = 0; i < dropped; ++i) {
    meta_.first_segment = (*before)[i].number + 1;
    meta_.pruned_to = (*before)[i].last;
    meta_.first_height = meta_.pruned_to.height.Next();
    RETURN_IF_ERROR(Broken(DropSegment((*before)[i], meta_)));
  }
  return absl::OkStatus();
}

SegmentListPtr EventIndex::segments() const {
  MutexLock lock(&mutex_);
  return segments_;
}

// A segment's data is in the store before the list names it and until after the list does not. So a
// reader taken between two looks at one and the same list holds all that the list names.
IndexSnapshot EventIndex::TakeSnapshot() const {
  for (;;) {
    const SegmentListPtr named = segments();
    std::unique_ptr<StoreReader> reader = store_->Snapshot();
    MutexLock lock(&mutex_);
    if (segments_ != named) continue;
    return IndexSnapshot{.segments = named,
                         .open = open_,
                         .view = view_,
                         .first_height = first_height_,
                         .complete_height = complete_height_,
                         .reader = std::move(reader)};
  }
}

absl::StatusOr<SearchResult> EventIndex::Search(const EventQuery& query, const SearchPage& page,
                                                EventLoader* loader) const {
  RETURN_IF_ERROR(CheckQuery(query));
  if (page.limit < 1 || page.limit > kSearchLimitMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("search: limit ", page.limit, ", 1 to ", kSearchLimitMax, " belong there"));
  }
  std::optional<LogPosition> after;
  if (!page.cursor.empty()) {
    ASSIGN_OR_RETURN(after, DecodeCursor(query, page.newest_first, page.cursor));
  }
  const IndexSnapshot snapshot = TakeSnapshot();
  EventSearch search(&snapshot, &segment_store_, &query, hasher_.QueryGroups(query),
                     page.newest_first, after, loader);
  RETURN_IF_ERROR(search.Run(page.limit, options_.budget));
  SearchResult result{.events = search.found(),
                      .next_cursor = "",
                      .first_height = snapshot.first_height,
                      .complete_height = snapshot.complete_height};
  if (search.next_after().has_value()) {
    result.next_cursor = EncodeCursor(query, page.newest_first, *search.next_after());
  }
  return result;
}

Height EventIndex::first_height() const {
  MutexLock lock(&mutex_);
  return first_height_;
}

Height EventIndex::complete_height() const {
  MutexLock lock(&mutex_);
  return complete_height_;
}

Height EventIndex::next_height() const {
  MutexLock lock(&mutex_);
  return next_height_;
}

}  // namespace vigil::ledger
