#include "ledger/index/segment_codec.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "ledger/base/bytes.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

// Stored: never change one.
constexpr uint8_t kVersion = 1;
constexpr size_t kPageHeaderSize = 1 + 4;
constexpr size_t kEntrySize = 8 + 2 + 4;
constexpr size_t kBitmapSize = DocSet::kWords * 8;
// A term with more documents than this has a bitmap, which is then the shorter form.
constexpr size_t kListDocsMax = kBitmapSize / 2;
constexpr size_t kChecksumSize = 8;
constexpr size_t kRunSize = 2 + 2 + 8 + 4 + 8 + 8 + 8;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("search index: damaged ", what, "; rebuild the index"));
}

void AppendBitmap(std::span<const uint16_t> docs, std::string* out) {
  std::array<uint64_t, DocSet::kWords> words{};
  for (uint16_t doc : docs) words[doc / 64] |= uint64_t{1} << (doc % 64);
  ByteWriter writer(out);
  for (uint64_t word : words) writer.U64(word);
}

void WritePosition(const EventPosition& position, ByteWriter* writer) {
  writer->U64(position.record.value()).U32(position.item.value()).U64(position.height.value());
}

EventPosition ReadPosition(ByteReader* reader) {
  EventPosition position;
  position.record = RecordIndex(reader->U64());
  position.item = ItemIndex(reader->U32());
  position.height = Height(reader->U64());
  return position;
}

struct Entry {
  uint64_t hash = 0;
  size_t doc_count = 0;
  uint32_t reference = 0;
};

Entry ReadEntry(absl::string_view entries, size_t index) {
  ByteReader reader(entries.substr(index * kEntrySize, kEntrySize));
  Entry entry;
  entry.hash = reader.U64();
  entry.doc_count = size_t{reader.U16()} + 1;
  entry.reference = reader.U32();
  return entry;
}

absl::Status CollectDocs(const Entry& entry, absl::string_view postings, DocSet* docs) {
  if (entry.doc_count == 1) {
    if (entry.reference >= kSegmentEvents) return Damaged("term page");
    docs->Add(entry.reference);
    return absl::OkStatus();
  }
  const size_t size = entry.doc_count > kListDocsMax ? kBitmapSize : 2 * entry.doc_count;
  if (entry.reference > postings.size() || size > postings.size() - entry.reference) {
    return Damaged("term page");
  }
  ByteReader reader(postings.substr(entry.reference, size));
  if (entry.doc_count > kListDocsMax) {
    for (size_t word = 0; word < DocSet::kWords; ++word) docs->AddWord(word, reader.U64());
  } else {
    for (size_t i = 0; i < entry.doc_count; ++i) docs->Add(reader.U16());
  }
  return absl::OkStatus();
}

}  // namespace

void TermPageBuilder::Add(uint64_t hash, std::span<const uint16_t> docs) {
  VIGIL_CHECK(!docs.empty() && docs.size() <= kSegmentEvents, "term with ", docs.size(),
              " documents");
  if (count_++ == 0) first_hash_ = hash;
  ByteWriter entry(&entries_);
  entry.U64(hash).U16(static_cast<uint16_t>(docs.size() - 1));
  if (docs.size() == 1) {
    entry.U32(docs[0]);
    return;
  }
  entry.U32(static_cast<uint32_t>(postings_.size()));
  if (docs.size() > kListDocsMax) {
    AppendBitmap(docs, &postings_);
    return;
  }
  ByteWriter list(&postings_);
  for (uint16_t doc : docs) list.U16(doc);
}

bool TermPageBuilder::IsFull() const {
  return kPageHeaderSize + entries_.size() + postings_.size() + kEntrySize + kBitmapSize >
         kTermPageBytesMax;
}

std::string TermPageBuilder::Finish() {
  std::string page;
  page.reserve(kPageHeaderSize + entries_.size() + postings_.size());
  ByteWriter(&page).U8(kVersion).U32(count_).Raw(entries_).Raw(postings_);
  count_ = 0;
  entries_.clear();
  postings_.clear();
  return page;
}

absl::Status CollectFromTermPage(absl::string_view page, uint64_t hash, DocSet* docs) {
  ByteReader reader(page);
  const uint8_t version = reader.U8();
  const uint64_t count = reader.U32();
  if (!reader.ok() || version != kVersion || count * kEntrySize > reader.remaining()) {
    return Damaged("term page");
  }
  const absl::string_view entries = AsView(reader.Raw(count * kEntrySize));
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const Entry entry = ReadEntry(entries, middle);
    if (entry.hash == hash) return CollectDocs(entry, AsView(reader.rest()), docs);
    if (entry.hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return absl::OkStatus();
}

std::string EncodeRuns(std::span<const IndexRun> runs) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U8(kVersion).U32(static_cast<uint32_t>(runs.size()));
  for (const IndexRun& run : runs) {
    writer.U16(static_cast<uint16_t>(run.first_doc)).U16(static_cast<uint16_t>(run.doc_count));
    WritePosition(run.first, &writer);
    writer.U64(run.time_min).U64(run.time_max);
  }
  return bytes;
}

absl::StatusOr<std::vector<IndexRun>> DecodeRuns(absl::string_view bytes, uint32_t begin,
                                                 uint32_t end) {
  ByteReader reader(bytes);
  const uint8_t version = reader.U8();
  const uint64_t count = reader.U32();
  if (!reader.ok() || version != kVersion || count * kRunSize != reader.remaining()) {
    return Damaged("run page");
  }
  std::vector<IndexRun> runs;
  runs.reserve(count);
  uint32_t next_doc = begin;
  for (uint64_t i = 0; i < count; ++i) {
    IndexRun run;
    run.first_doc = reader.U16();
    run.doc_count = reader.U16();
    run.first = ReadPosition(&reader);
    run.time_min = reader.U64();
    run.time_max = reader.U64();
    if (run.first_doc != next_doc || run.doc_count == 0) return Damaged("run page");
    next_doc = run.end_doc();
    runs.push_back(run);
  }
  if (next_doc != end) return Damaged("run page");
  return runs;
}

std::string EncodeSummary(const SegmentSummary& summary) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U8(kVersion).U64(summary.number);
  WritePosition(summary.first, &writer);
  WritePosition(summary.last, &writer);
  writer.U64(summary.time_min).U64(summary.time_max);
  return bytes;
}

absl::StatusOr<SegmentSummary> DecodeSummary(absl::string_view bytes) {
  ByteReader reader(bytes);
  const uint8_t version = reader.U8();
  SegmentSummary summary;
  summary.number = reader.U64();
  summary.first = ReadPosition(&reader);
  summary.last = ReadPosition(&reader);
  summary.time_min = reader.U64();
  summary.time_max = reader.U64();
  if (version != kVersion || !reader.Finish("segment summary").ok()) {
    return Damaged("segment summary");
  }
  return summary;
}

std::string EncodeMeta(const IndexMeta& meta) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U8(kVersion).Fixed(meta.hash_key).U8(static_cast<uint8_t>(meta.term_hash_bits));
  writer.U64(meta.first_segment).U64(meta.first_height.value());
  WritePosition(meta.pruned_to, &writer);
  return bytes;
}

absl::StatusOr<IndexMeta> DecodeMeta(absl::string_view bytes) {
  ByteReader reader(bytes);
  const uint8_t version = reader.U8();
  IndexMeta meta;
  meta.hash_key = reader.FixedValue<ShortHashKey>();
  meta.term_hash_bits = reader.U8();
  meta.first_segment = reader.U64();
  meta.first_height = Height(reader.U64());
  meta.pruned_to = ReadPosition(&reader);
  if (version != kVersion || !reader.Finish("index meta").ok() || meta.term_hash_bits < 1 ||
      meta.term_hash_bits > 64) {
    return Damaged("meta value");
  }
  return meta;
}

std::string Seal(const ShortHashKey& hash_key, absl::string_view key, absl::string_view bytes) {
  std::string sealed(bytes);
  ByteWriter(&sealed).U64(ShortHash(hash_key, AsBytes(absl::StrCat(key, bytes))));
  return sealed;
}

absl::StatusOr<absl::string_view> Unseal(const ShortHashKey& hash_key, absl::string_view key,
                                         absl::string_view sealed) {
  if (sealed.size() < kChecksumSize) return Damaged("value");
  const absl::string_view bytes = sealed.substr(0, sealed.size() - kChecksumSize);
  ByteReader reader(sealed.substr(bytes.size()));
  if (reader.U64() != ShortHash(hash_key, AsBytes(absl::StrCat(key, bytes)))) {
    return Damaged("value");
  }
  return bytes;
}

}  // namespace vigil::ledger
