// A finished index segment in the store: kSegmentEvents events in a row, never changed again.
//
// The bytes are drawn in docs/formats/search_index.md. Reading is thread-safe.
#ifndef VIGIL_LEDGER_INDEX_SEGMENT_H_
#define VIGIL_LEDGER_INDEX_SEGMENT_H_

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/strong_id.h"
#include "ledger/crypto/short_hash.h"
#include "ledger/index/doc_set.h"
#include "ledger/storage/store.h"

namespace vigil::ledger {

// Names one event on the chain; ordered as the log is.
struct LogPosition {
  RecordIndex record;
  ItemIndex item;

  auto operator<=>(const LogPosition&) const = default;
};

struct EventPosition {
  RecordIndex record;
  ItemIndex item;
  Height height;

  LogPosition log() const { return {record, item}; }
  bool operator==(const EventPosition&) const = default;
};

// Documents in a row that are items in a row of one record.
struct IndexRun {
  uint32_t first_doc = 0;
  uint32_t doc_count = 0;
  EventPosition first;
  uint64_t time_min = 0;
  uint64_t time_max = 0;

  uint32_t end_doc() const { return first_doc + doc_count; }
  // REQUIRES: first_doc <= doc < end_doc().
  EventPosition At(uint32_t doc) const {
    return {first.record, first.item + (doc - first_doc), first.height};
  }
  bool operator==(const IndexRun&) const = default;
};

struct TermPosting {
  uint64_t hash = 0;
  uint16_t doc = 0;
};

struct SegmentSummary {
  uint64_t number = 0;
  EventPosition first;
  EventPosition last;
  uint64_t time_min = 0;
  uint64_t time_max = 0;

  bool operator==(const SegmentSummary&) const = default;
};

using SegmentList = std::vector<SegmentSummary>;
// Immutable; owned by the index and the searches that run on it.
using SegmentListPtr = std::shared_ptr<const SegmentList>;

// What holds for the whole index.
struct IndexMeta {
  ShortHashKey hash_key;
  uint32_t term_hash_bits = 64;
  uint64_t first_segment = 0;  // Segments below were pruned.
  Height first_height;
  // Last event of the last pruned segment; height 0 when none was.
  EventPosition pruned_to;

  bool operator==(const IndexMeta&) const = default;
};

// Reads and writes below one key prefix of a store. Every value carries a checksum under the
// index's key; a value that does not match is kDataLoss.
class SegmentStore {
 public:
  SegmentStore(std::string prefix, const IndexMeta& meta)
      : prefix_(std::move(prefix)), hash_key_(meta.hash_key) {}

  // nullopt when the store holds no index.
  static absl::StatusOr<std::optional<IndexMeta>> ReadMeta(const StoreReader& reader,
                                                           absl::string_view prefix);
  void PutMeta(const IndexMeta& meta, StoreBatch* batch) const;

  // REQUIRES: runs cover documents 0 .. kSegmentEvents without gap; postings are in order of
  // document.
  void PutSegment(const SegmentSummary& summary, std::vector<TermPosting> postings,
                  const std::vector<IndexRun>& runs, StoreBatch* batch) const;
  absl::Status DeleteSegment(const StoreReader& reader, uint64_t number, StoreBatch* batch) const;

  // All segments in order. Errors: kDataLoss unless their numbers and events follow each other.
  absl::StatusOr<SegmentList> ReadSummaries(const StoreReader& reader) const;
  // Adds the documents that have the term to `docs`.
  absl::Status CollectTerm(const StoreReader& reader, uint64_t number, uint64_t hash,
                           DocSet* docs) const;
  // The runs of page `doc / kRunPageDocs`, in order.
  absl::StatusOr<std::vector<IndexRun>> ReadRuns(const StoreReader& reader, uint64_t number,
                                                 uint32_t doc) const;

  static constexpr uint32_t kRunPageDocs = 4096;

 private:
  void PutTermPages(uint64_t number, std::vector<TermPosting> postings, StoreBatch* batch) const;
  void PutRunPages(uint64_t number, const std::vector<IndexRun>& runs, StoreBatch* batch) const;

  const std::string prefix_;
  const ShortHashKey hash_key_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_SEGMENT_H_
