// The unfinished index segment, in memory: appended to by one thread while others read it.
//
// Nothing that was appended is ever moved or changed, so a reader needs no lock for what lies below
// the counts of a View that it got under one.
#ifndef VIGIL_LEDGER_INDEX_OPEN_SEGMENT_H_
#define VIGIL_LEDGER_INDEX_OPEN_SEGMENT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ledger/base/event_view.h"
#include "ledger/index/doc_set.h"
#include "ledger/index/segment.h"
#include "ledger/index/term.h"

namespace vigil::ledger {

// A vector of at most kMax elements whose elements stay where they are.
template <typename T, size_t kMax>
class StableVector {
 public:
  void Append(const T& value) {
    if (size_ % kChunk == 0) chunks_[size_ / kChunk] = std::make_unique<T[]>(kChunk);
    chunks_[size_ / kChunk][size_ % kChunk] = value;
    ++size_;
  }
  size_t size() const { return size_; }  // For the appending thread only.
  const T& operator[](size_t index) const { return chunks_[index / kChunk][index % kChunk]; }

 private:
  static constexpr size_t kChunk = 4096;
  std::array<std::unique_ptr<T[]>, (kMax + kChunk - 1) / kChunk> chunks_;
  size_t size_ = 0;
};

class OpenSegment {
 public:
  // How much of the segment a reader may look at.
  struct View {
    size_t posting_count = 0;
    size_t run_count = 0;
    uint32_t doc_count = 0;
  };

  // Appends events that are items in a row of one record, from `first` on; `postings` are their
  // terms with documents counted from 0 at the first of them.
  // REQUIRES: 1 to kSegmentEvents - doc_count() events.
  void Append(const EventPosition& first, std::span<const EventView> events,
              std::span<const TermPosting> postings);

  // These four are for the appending thread.
  uint32_t doc_count() const { return doc_count_; }
  View view() const { return {postings_.size(), runs_.size(), doc_count_}; }
  std::vector<TermPosting> Postings() const;
  std::vector<IndexRun> Runs() const;

  // Sorted `hashes`: adds the documents that have one of them to `docs`.
  void CollectTerms(const View& view, std::span<const uint64_t> hashes, DocSet* docs) const;
  // The run of `doc`. REQUIRES: doc < view.doc_count.
  const IndexRun& RunOf(const View& view, uint32_t doc) const;

 private:
  StableVector<TermPosting, size_t{kSegmentEvents} * kEventTermsMax> postings_;
  StableVector<IndexRun, kSegmentEvents> runs_;
  uint32_t doc_count_ = 0;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_OPEN_SEGMENT_H_
