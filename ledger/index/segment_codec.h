// The bytes of an index segment's values (docs/formats/search_index.md). Pure.
#ifndef VIGIL_LEDGER_INDEX_SEGMENT_CODEC_H_
#define VIGIL_LEDGER_INDEX_SEGMENT_CODEC_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/index/doc_set.h"
#include "ledger/index/segment.h"

namespace vigil::ledger {

// Collects terms in ascending order of hash into one page.
class TermPageBuilder {
 public:
  // Adds one term. REQUIRES: hash above all before; docs ascending, each once, not empty.
  void Add(uint64_t hash, std::span<const uint16_t> docs);
  bool empty() const { return count_ == 0; }
  // Whether a further term might make the page longer than kTermPageBytesMax.
  bool IsFull() const;
  uint64_t first_hash() const { return first_hash_; }
  // The page; the builder starts afresh.
  std::string Finish();

 private:
  uint32_t count_ = 0;
  uint64_t first_hash_ = 0;
  std::string entries_;
  std::string postings_;
};

inline constexpr size_t kTermPageBytesMax = 64 * 1024;

// Adds the documents of `hash` in `page` to `docs`; nothing when the page does not have it.
// Errors: kDataLoss when the page is not well-formed where it was read.
absl::Status CollectFromTermPage(absl::string_view page, uint64_t hash, DocSet* docs);

std::string EncodeRuns(std::span<const IndexRun> runs);
// Errors: kDataLoss unless the runs cover documents `begin` to `end` without gap.
absl::StatusOr<std::vector<IndexRun>> DecodeRuns(absl::string_view bytes, uint32_t begin,
                                                 uint32_t end);

std::string EncodeSummary(const SegmentSummary& summary);
absl::StatusOr<SegmentSummary> DecodeSummary(absl::string_view bytes);

std::string EncodeMeta(const IndexMeta& meta);
absl::StatusOr<IndexMeta> DecodeMeta(absl::string_view bytes);

// `bytes` followed by their checksum, which also covers `key`.
std::string Seal(const ShortHashKey& hash_key, absl::string_view key, absl::string_view bytes);
// Errors: kDataLoss when the checksum is another.
absl::StatusOr<absl::string_view> Unseal(const ShortHashKey& hash_key, absl::string_view key,
                                         absl::string_view sealed);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_INDEX_SEGMENT_CODEC_H_
