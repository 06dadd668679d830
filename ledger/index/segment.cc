#include "ledger/index/segment.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/bytes.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/index/segment_codec.h"

namespace vigil::ledger {
namespace {

// Stored: never change one.
constexpr char kMetaKey = 'M';
constexpr char kSummaryKey = 'S';
constexpr char kTermKey = 'T';
constexpr char kRunKey = 'R';

std::string SegmentKey(absl::string_view prefix, char kind, uint64_t number) {
  std::string key = absl::StrCat(prefix, absl::string_view(&kind, 1));
  ByteWriter(&key).U64(number);
  return key;
}

std::string TermPageKey(absl::string_view prefix, uint64_t number, uint64_t first_hash) {
  std::string key = SegmentKey(prefix, kTermKey, number);
  ByteWriter(&key).U64(first_hash);
  return key;
}

std::string RunPageKey(absl::string_view prefix, uint64_t number, uint32_t page) {
  std::string key = SegmentKey(prefix, kRunKey, number);
  ByteWriter(&key).U8(static_cast<uint8_t>(page));
  return key;
}

// Sorts by hash and keeps the order of documents within one. Most terms of a segment are rare and a
// few are everywhere: spreading by the top bits first leaves small groups to sort.
void SortByHash(std::vector<TermPosting>* postings) {
  constexpr int kTopBits = 12;
  const auto bucket_of = [](const TermPosting& posting) { return posting.hash >> (64 - kTopBits); };
  std::vector<size_t> starts((size_t{1} << kTopBits) + 1);
  for (const TermPosting& posting : *postings) ++starts[bucket_of(posting) + 1];
  for (size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
  std::vector<TermPosting> spread(postings->size());
  std::vector<size_t> next(starts.begin(), starts.end() - 1);
  for (const TermPosting& posting : *postings) spread[next[bucket_of(posting)]++] = posting;
  const auto before = [](const TermPosting& a, const TermPosting& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.doc < b.doc;
  };
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const auto begin = spread.begin() + static_cast<std::ptrdiff_t>(starts[i]);
    const auto end = spread.begin() + static_cast<std::ptrdiff_t>(starts[i + 1]);
    if (!std::is_sorted(begin, end, before)) std::sort(begin, end, before);
  }
  postings->swap(spread);
}

}  // namespace

absl::StatusOr<std::optional<IndexMeta>> SegmentStore::ReadMeta(const StoreReader& reader,
                                                                absl::string_view prefix) {
  const std::string key = absl::StrCat(prefix, absl::string_view(&kMetaKey, 1));
  ASSIGN_OR_RETURN(const std::optional<std::string> sealed, reader.Get(key));
  if (!sealed.has_value()) return std::optional<IndexMeta>();
  // The value holds the key of its own checksum.
  ASSIGN_OR_RETURN(const IndexMeta meta,
                   DecodeMeta(absl::string_view(*sealed).substr(
                       0, sealed->size() - std::min<size_t>(sealed->size(), 8))));
  RETURN_IF_ERROR(Unseal(meta.hash_key, key, *sealed).status());
  return std::optional<IndexMeta>(meta);
}

void SegmentStore::PutMeta(const IndexMeta& meta, StoreBatch* batch) const {
  const std::string key = absl::StrCat(prefix_, absl::string_view(&kMetaKey, 1));
  batch->Put(key, Seal(hash_key_, key, EncodeMeta(meta)));
}

void SegmentStore::PutSegment(const SegmentSummary& summary, std::vector<TermPosting> postings,
                              const std::vector<IndexRun>& runs, StoreBatch* batch) const {
  PutTermPages(summary.number, std::move(postings), batch);
  PutRunPages(summary.number, runs, batch);
  const std::string key = SegmentKey(prefix_, kSummaryKey, summary.number);
  batch->Put(key, Seal(hash_key_, key, EncodeSummary(summary)));
}

void SegmentStore::PutTermPages(uint64_t number, std::vector<TermPosting> postings,
                                StoreBatch* batch) const {
  SortByHash(&postings);
  TermPageBuilder page;
  const auto put_page = [&] {
    const std::string key = TermPageKey(prefix_, number, page.first_hash());
    batch->Put(key, Seal(hash_key_, key, page.Finish()));
  };
  std::vector<uint16_t> docs;
  for (size_t i = 0; i < postings.size(); ++i) {
    if (docs.empty() || docs.back() != postings[i].doc) docs.push_back(postings[i].doc);
    if (i + 1 < postings.size() && postings[i + 1].hash == postings[i].hash) continue;
    page.Add(postings[i].hash, docs);
    docs.clear();
    if (page.IsFull()) put_page();
  }
  if (!page.empty()) put_page();
}

void SegmentStore::PutRunPages(uint64_t number, const std::vector<IndexRun>& runs,
                               StoreBatch* batch) const {
  std::vector<IndexRun> page;
  for (IndexRun rest : runs) {
    while (rest.doc_count > 0) {
      const uint32_t page_end = (rest.first_doc / kRunPageDocs + 1) * kRunPageDocs;
      IndexRun part = rest;
      part.doc_count = std::min(rest.end_doc(), page_end) - rest.first_doc;
      page.push_back(part);
      rest.first = rest.At(rest.first_doc + part.doc_count);
      rest.first_doc += part.doc_count;
      rest.doc_count -= part.doc_count;
      if (part.end_doc() != page_end) continue;
      const std::string key = RunPageKey(prefix_, number, part.first_doc / kRunPageDocs);
      batch->Put(key, Seal(hash_key_, key, EncodeRuns(page)));
      page.clear();
    }
  }
  VIGIL_CHECK(page.empty(), "segment ", number, " is not full");
}

absl::Status SegmentStore::DeleteSegment(const StoreReader& reader, uint64_t number,
                                         StoreBatch* batch) const {
  for (char kind : {kTermKey, kRunKey}) {
    RETURN_IF_ERROR(reader.Scan(SegmentKey(prefix_, kind, number),
                                SegmentKey(prefix_, kind, number + 1), /*reverse=*/false,
                                [&](absl::string_view key, absl::string_view) {
                                  batch->Delete(key);
                                  return true;
                                }));
  }
  batch->Delete(SegmentKey(prefix_, kSummaryKey, number));
  return absl::OkStatus();
}

absl::StatusOr<SegmentList> SegmentStore::ReadSummaries(const StoreReader& reader) const {
  SegmentList segments;
  absl::Status bad;
  RETURN_IF_ERROR(reader.Scan(
      SegmentKey(prefix_, kSummaryKey, 0), absl::StrCat(prefix_, "T"), /*reverse=*/false,
      [&](absl::string_view key, absl::string_view value) {
        const absl::StatusOr<absl::string_view> bytes = Unseal(hash_key_, key, value);
        absl::StatusOr<SegmentSummary> summary =
            bytes.ok() ? DecodeSummary(*bytes) : absl::StatusOr<SegmentSummary>(bytes.status());
        if (!summary.ok()) {
          bad = summary.status();
          return false;
        }
        segments.push_back(*summary);
        return true;
      }));
  RETURN_IF_ERROR(bad);
  for (size_t i = 1; i < segments.size(); ++i) {
    if (segments[i].number != segments[i - 1].number + 1 ||
        segments[i].first.log() <= segments[i - 1].last.log()) {
      return absl::DataLossError(absl::StrCat("search index: segment ", segments[i].number,
                                              " after ", segments[i - 1].number,
                                              "; rebuild the index"));
    }
  }
  return segments;
}

absl::Status SegmentStore::CollectTerm(const StoreReader& reader, uint64_t number, uint64_t hash,
                                       DocSet* docs) const {
  // The page is the last whose first hash is not above `hash`.
  std::string end = TermPageKey(prefix_, number, hash);
  end.push_back('\0');
  absl::Status found;
  RETURN_IF_ERROR(
      reader.Scan(SegmentKey(prefix_, kTermKey, number), end, /*reverse=*/true,
                  [&](absl::string_view key, absl::string_view value) {
                    const absl::StatusOr<absl::string_view> page = Unseal(hash_key_, key, value);
                    found = page.ok() ? CollectFromTermPage(*page, hash, docs) : page.status();
                    return false;
                  }));
  return found;
}

absl::StatusOr<std::vector<IndexRun>> SegmentStore::ReadRuns(const StoreReader& reader,
                                                             uint64_t number, uint32_t doc) const {
  const uint32_t page = doc / kRunPageDocs;
  const std::string key = RunPageKey(prefix_, number, page);
  ASSIGN_OR_RETURN(const std::optional<std::string> sealed, reader.Get(key));
  if (!sealed.has_value()) {
    return absl::DataLossError(absl::StrCat("search index: page ", page, " of segment ", number,
                                            " is missing; rebuild the index"));
  }
  ASSIGN_OR_RETURN(const absl::string_view bytes, Unseal(hash_key_, key, *sealed));
  return DecodeRuns(bytes, page * kRunPageDocs, (page + 1) * kRunPageDocs);
}

}  // namespace vigil::ledger
