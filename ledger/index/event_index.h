// The search index: finds events by class, severity, source, actor, address, term and time.
//
// Built behind execution from the events' views, block by block, in segments of kSegmentEvents
// events (docs/formats/search_index.md). A finished segment lies in the store; the unfinished one is
// in memory and is fed again after a restart. The index is derived data of one node: it is never
// hashed or agreed on, never synced, and may be dropped and fed again at any time.
//
// Threads: one thread calls Add, FinishBlock, DropAfter and Prune; any number of others call the
// const methods at the same time. The store must outlive the index.
//
// Invariants:
//   (1) An event is found only if Matches() said so about its own bytes.
//   (2) Every matching event in first_height .. complete_height that still has its bytes is found,
//       once, in the order of the log.
//   (3) Pages follow each other by position in the log, so a cursor means the same while events
//       are added, after a restart and after a rebuild.
#ifndef VIGIL_LEDGER_INDEX_EVENT_INDEX_H_
#define VIGIL_LEDGER_INDEX_EVENT_INDEX_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/event_view.h"
#include "ledger/base/mutex.h"
#include "ledger/base/strong_id.h"
#include "ledger/index/event_query.h"
#include "ledger/index/open_segment.h"
#include "ledger/index/segment.h"
#include "ledger/index/term.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

inline constexpr uint32_t kSearchLimitMax = 1000;

// Fetches events for Search to look at.
class EventLoader {
 public:
  virtual ~EventLoader() = default;
  // Fills `view`, whose views stay valid until the next call. Returns false when the event's bytes
  // are gone (erased or pruned); it is then left out. An error ends the search with that error.
  virtual absl::StatusOr<bool> Load(RecordIndex record, ItemIndex item, EventView* view) = 0;
};

struct SearchPage {
  uint32_t limit = 50;  // 1 to kSearchLimitMax.
  std::string cursor;   // next_cursor of the page before; empty for the first page.
  bool newest_first = false;
};

struct SearchResult {
  std::vector<EventPosition> events;
  // Empty: no more. A page may be short and still have a cursor: one search looks at a bounded
  // number of candidates and segments.
  std::string next_cursor;
  // Every event of these heights was looked at or will be on a later page; both 0 when nothing is
  // indexed. Events below first_height were pruned or never fed.
  Height first_height;
  Height complete_height;
};

class EventIndex {
 public:
  struct Options {
    std::string key_prefix = "index/";
    // Bounds on the work of one search.
    uint32_t candidates_max = 20'000;
    uint32_t segments_max = 1'024;
    // Bits of a term's hash that count. Fewer only serve tests of collisions. Fixed when the index
    // is first made in a store.
    uint32_t term_hash_bits = 64;
  };

  // Errors: kDataLoss when what the store holds is not an index; drop its keys and feed again.
  static absl::StatusOr<std::unique_ptr<EventIndex>> Open(Store* store, const Options& options);
  static absl::StatusOr<std::unique_ptr<EventIndex>> Open(Store* store) {
    return Open(store, Options());
  }
  // Removes everything the index keeps in `store` under its prefix. No index may be open on it.
  static absl::Status Erase(Store* store, const Options& options);

  // The height whose events must be fed next, from its first event on. 0: the index is empty; feed
  // from any height, which becomes first_height. Events of this height that are already indexed
  // (a segment may end inside a block) are recognised and not counted twice.
  Height next_height() const;

  // Indexes the next `events` of batch record `record` in the block at `height`. Called in log
  // order; again with the same record to go on with its items.
  // Errors: kFailedPrecondition when height, record or item is not the next one; kDataLoss when the
  // chain is not the one that was indexed before; the store's errors. After an error the index
  // takes nothing more until it is opened again; searching goes on.
  absl::Status Add(Height height, RecordIndex record, std::span<const EventView> events);
  // All events of `height` were added; they are found from now on. Also for blocks without events.
  // Errors: as Add.
  absl::Status FinishBlock(Height height);

  // Forgets every event above `height`, and as many before it as lie in the same segment; feed again
  // from next_height().
  absl::Status DropAfter(Height height);
  // Drops the segments that lie wholly below `height`. first_height rises to the first whole height
  // that is left.
  absl::Status Prune(Height height);

  // Looks for a page of events.
  // Errors: kInvalidArgument for a bad query, limit or cursor (a cursor belongs to one query and one
  // direction); kDataLoss when a stored segment is damaged; the loader's errors.
  absl::StatusOr<SearchResult> Search(const EventQuery& query, const SearchPage& page,
                                      EventLoader* loader) const;

  Height complete_height() const;
  Height first_height() const;

 private:
  // What a search works on: immutable, or only ever appended to beyond what `view` counts.
  struct Snapshot {
    SegmentListPtr segments;
    std::shared_ptr<const OpenSegment> open;
    OpenSegment::View view;
    Height first_height;
    Height complete_height;
    std::unique_ptr<StoreReader> reader;
  };

  EventIndex(Store* store, const Options& options, const IndexMeta& meta);

  absl::Status CheckNext(Height height);
  absl::Status AddChunk(Height height, RecordIndex record, std::span<const EventView> events);
  absl::Status Skip(Height height, RecordIndex record, std::span<const EventView>* events);
  absl::Status CloseSegment();
  absl::Status DropSegments(const SegmentList& dropped, SegmentListPtr left, const IndexMeta& meta);
  Snapshot TakeSnapshot() const VIGIL_EXCLUDES(mutex_);

  Store* const store_;
  const Options options_;

  // Belong to the adding thread.
  IndexMeta meta_;
  absl::Status broken_;
  Height adding_height_;          // Block that is being added; 0 between blocks.
  EventPosition last_added_;      // Of this or an earlier run.
  bool any_added_ = false;        // Whether last_added_ means anything.
  EventPosition resume_after_;    // Events up to here are in stored segments already.
  bool resuming_ = false;
  uint32_t next_item_ = 0;        // Of the record that Add() was last called with.
  std::vector<uint64_t> scratch_hashes_;

  mutable Mutex mutex_;
  // Owners: the index and the searches that still run on it.
  std::shared_ptr<OpenSegment> open_ VIGIL_GUARDED_BY(mutex_);
  OpenSegment::View view_ VIGIL_GUARDED_BY(mutex_);
  SegmentListPtr segments_ VIGIL_GUARDED_BY(mutex_);
  Height first_height_ VIGIL_GUARDED_BY(mutex_);
  Height complete_height_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_EVENT_INDEX_H_
