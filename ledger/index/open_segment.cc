#include "ledger/index/open_segment.h"

#include <algorithm>

#include "ledger/base/check.h"

namespace vigil::ledger {

void OpenSegment::Append(const EventPosition& first, std::span<const EventView> events,
                         std::span<const TermPosting> postings) {
  VIGIL_CHECK(!events.empty() && events.size() <= kSegmentEvents - doc_count_, events.size(),
              " events after ", doc_count_);
  IndexRun run{.first_doc = doc_count_,
               .doc_count = static_cast<uint32_t>(events.size()),
               .first = first,
               .time_min = events[0].time_unix_nano,
               .time_max = events[0].time_unix_nano};
  for (const EventView& event : events) {
    run.time_min = std::min(run.time_min, event.time_unix_nano);
    run.time_max = std::max(run.time_max, event.time_unix_nano);
  }
  for (const TermPosting& posting : postings) {
    postings_.Append(
        {.hash = posting.hash, .doc = static_cast<uint16_t>(doc_count_ + posting.doc)});
  }
  runs_.Append(run);
  doc_count_ = run.end_doc();
}

std::vector<TermPosting> OpenSegment::Postings() const {
  std::vector<TermPosting> postings;
  postings.reserve(postings_.size());
  for (size_t i = 0; i < postings_.size(); ++i) postings.push_back(postings_[i]);
  return postings;
}

std::vector<IndexRun> OpenSegment::Runs() const {
  std::vector<IndexRun> runs;
  runs.reserve(runs_.size());
  for (size_t i = 0; i < runs_.size(); ++i) runs.push_back(runs_[i]);
  return runs;
}

void OpenSegment::CollectTerms(const View& view, std::span<const uint64_t> hashes,
                               DocSet* docs) const {
  // Most postings are of other terms: a small table of low bits turns nearly all of them away.
  std::array<bool, 4096> wanted{};
  for (uint64_t hash : hashes) wanted[hash % wanted.size()] = true;
  for (size_t i = 0; i < view.posting_count; ++i) {
    const TermPosting& posting = postings_[i];
    if (!wanted[posting.hash % wanted.size()]) continue;
    if (std::binary_search(hashes.begin(), hashes.end(), posting.hash)) docs->Add(posting.doc);
  }
}

const IndexRun& OpenSegment::RunOf(const View& view, uint32_t doc) const {
  VIGIL_CHECK(doc < view.doc_count, "document ", doc, " of ", view.doc_count);
  size_t low = 0;
  size_t high = view.run_count - 1;
  while (low < high) {
    const size_t middle = low + (high - low + 1) / 2;
    if (runs_[middle].first_doc <= doc) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return runs_[low];
}

}  // namespace vigil::ledger
