// The search index: finds events by class, severity, source, actor, address, term and time.
//
// Built behind execution from the events' views, block by block, in segments of kSegmentEvents
// events (docs/formats/search_index.md). A finished segment lies in the store; the unfinished one
// is in memory and is fed again after a restart. The index is derived data of one node: it is never
// hashed or agreed on, never synced, and may be dropped and fed again at any time.
//
// Threads: one thread calls Add, FinishBlock, DropAfter and Prune; any number of others call the
// const methods at the same time. The store must outlive the index.
//
// Invariants:
//   (1) An event is found only if Matches() said so about its own bytes.
//   (2) Every matching event of first_height .. complete_height that still has its bytes is found,
//       once, in the order of the log.
//   (3) A cursor is a position in the log: it means the same while events are added, after a
//   restart
//       and after a rebuild, and on another node.
#ifndef VIGIL_LEDGER_INDEX_EVENT_INDEX_H_
#define VIGIL_LEDGER_INDEX_EVENT_INDEX_H_

#include <cstdint>
#include <memory>
#include <optional>
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
#include "ledger/index/event_search.h"
#include "ledger/index/open_segment.h"
#include "ledger/index/segment.h"
#include "ledger/index/term.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

struct EventIndexOptions {
  std::string key_prefix = "index/";  // Of every key in the store; not empty.
  SearchBudget budget;
  // Bits of a term's hash that count. Fewer only serve tests of collisions. An index that is in the
  // store already keeps its own number.
  uint32_t term_hash_bits = 64;
};

class EventIndex {
 public:
  // Errors: kDataLoss when what the store holds is damaged: Erase() it and feed again; the store's
  // errors.
  static absl::StatusOr<std::unique_ptr<EventIndex>> Open(Store* store,
                                                          const EventIndexOptions& options = {});
  // Removes all keys with `key_prefix`. REQUIRES: no index is open on it.
  static absl::Status Erase(Store* store, absl::string_view key_prefix = "index/");

  // The height to feed next, from its first event on. 0: the index is empty; start at any height,
  // which becomes first_height(). After Open() this may be a height that was fed before, in part or
  // as a whole: its events that are stored already are recognised and not counted twice, and those
  // whose bytes were erased since may be left out.
  Height next_height() const;

  // Indexes the next `events` of the batch at `record`, in the block at `height`. In log order;
  // again with the same record to go on with its items, so that a caller needs few views at a time.
  // Errors: kFailedPrecondition when height or record is not the next one, or the item number
  // overflows; the store's errors. After an error nothing more is taken before DropAfter() or
  // opening again; searching goes on.
  absl::Status Add(Height height, RecordIndex record, std::span<const EventView> events);
  // All events of `height` were added: from now on they are found. Also for blocks without events.
  // Errors: as Add().
  absl::Status FinishBlock(Height height);

  // Forgets every event above `height`, and as many before as lie in the same segment; Height(0)
  // forgets all. Then feed again from next_height(). Errors: the store's.
  absl::Status DropAfter(Height height);
  // Drops the finished segments that lie wholly below `height`; first_height() rises with them.
  // Errors: the store's.
  absl::Status Prune(Height height);

  // Looks for a page of events.
  // Errors: kInvalidArgument for a bad query or limit, or a cursor of another query or direction;
  // kDataLoss when a stored segment is damaged; the loader's errors.
  absl::StatusOr<SearchResult> Search(const EventQuery& query, const SearchPage& page,
                                      EventLoader* loader) const;

  // Every event from first_height() to complete_height() is found; none while complete < first.
  Height first_height() const;
  Height complete_height() const;

 private:
  EventIndex(Store* store, const EventIndexOptions& options, const IndexMeta& meta,
             SegmentList segments);

  // Takes up the work after the last stored event, or from nothing.
  void Restart(SegmentList segments) VIGIL_EXCLUDES(mutex_);
  absl::Status Broken(absl::Status status);
  absl::Status EnterBlock(Height height);
  absl::Status EnterRecord(RecordIndex record, size_t count);
  void SkipStored(std::span<const EventView>* events);
  absl::Status AddChunk(std::span<const EventView> events);
  absl::Status CloseSegment();
  absl::Status DropSegment(const SegmentSummary& segment, const IndexMeta& meta);
  SegmentListPtr segments() const VIGIL_EXCLUDES(mutex_);
  IndexSnapshot TakeSnapshot() const VIGIL_EXCLUDES(mutex_);

  Store* const store_;
  const EventIndexOptions options_;
  const SegmentStore segment_store_;
  const TermHasher hasher_;

  // These belong to the adding thread.
  IndexMeta meta_;
  absl::Status broken_;
  bool in_block_ = false;
  // The event that Add() expects next; its height is the block's.
  EventPosition next_;
  bool any_record_ = false;                   // Whether next_.record was fed since Restart().
  std::optional<EventPosition> stored_last_;  // Until its block has been fed again.
  std::shared_ptr<OpenSegment> adding_;
  std::vector<TermPosting> chunk_postings_;
  std::vector<uint64_t> event_hashes_;

  mutable Mutex mutex_;
  std::shared_ptr<const OpenSegment> open_ VIGIL_GUARDED_BY(mutex_);
  OpenSegment::View view_ VIGIL_GUARDED_BY(mutex_);
  SegmentListPtr segments_ VIGIL_GUARDED_BY(mutex_);
  Height first_height_ VIGIL_GUARDED_BY(mutex_);
  Height complete_height_ VIGIL_GUARDED_BY(mutex_);
  Height next_height_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_EVENT_INDEX_H_
