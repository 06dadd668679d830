#include "ledger/index/segment.h"

#include <map>
#include <set>

#include "ledger/base/random.h"
#include "ledger/index/segment_codec.h"
#include "ledger/storage/memory_store.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kPrefix = "t/";

IndexMeta SampleMeta() {
  IndexMeta meta;
  meta.hash_key.bytes.fill(3);
  meta.first_height = Height(5);
  return meta;
}

std::set<uint32_t> Members(const DocSet& docs) {
  std::set<uint32_t> members;
  for (uint32_t doc = 0; doc < kSegmentEvents; ++doc) {
    if (docs.Contains(doc)) members.insert(doc);
  }
  return members;
}

struct Sample {
  SegmentSummary summary;
  std::vector<TermPosting> postings;
  std::vector<IndexRun> runs;
  std::map<uint64_t, std::set<uint32_t>> docs_by_hash;
};

// Terms of all sizes: alone, few, just below and above the size where lists become bitmaps, and
// all.
Sample MakeSample(uint64_t seed) {
  Sample sample;
  SplitMix64 random(seed);
  std::vector<uint64_t> hashes = {0, 1, ~0ULL, ~0ULL - 1};
  while (hashes.size() < 9'000) hashes.push_back(random.Next());
  const std::vector<uint32_t> sizes = {1, 2, 3, 4'095, 4'096, 4'097, kSegmentEvents};
  for (size_t i = 0; i < hashes.size(); ++i) {
    const uint32_t size = i < 60 ? sizes[i % sizes.size()] : 1 + random.Below(3);
    std::set<uint32_t>& docs = sample.docs_by_hash[hashes[i]];
    if (size == kSegmentEvents) {
      for (uint32_t doc = 0; doc < size; ++doc) docs.insert(doc);
    }
    while (docs.size() < size) docs.insert(static_cast<uint32_t>(random.Below(kSegmentEvents)));
  }
  std::vector<std::vector<uint64_t>> hashes_by_doc(kSegmentEvents);
  for (const auto& [hash, docs] : sample.docs_by_hash) {
    for (uint32_t doc : docs) hashes_by_doc[doc].push_back(hash);
  }
  for (uint32_t doc = 0; doc < kSegmentEvents; ++doc) {
    for (uint64_t hash : hashes_by_doc[doc]) {
      sample.postings.push_back({.hash = hash, .doc = static_cast<uint16_t>(doc)});
    }
  }
  uint64_t record = 100;
  for (uint32_t doc = 0; doc < kSegmentEvents;) {
    IndexRun run;
    run.first_doc = doc;
    run.doc_count =
        std::min<uint32_t>(kSegmentEvents - doc, 1 + static_cast<uint32_t>(random.Below(300)));
    run.first = {RecordIndex(record++), ItemIndex(static_cast<uint32_t>(random.Below(9))),
                 Height(record / 10)};
    run.time_min = random.Next() / 2;
    run.time_max = run.time_min + 7;
    sample.runs.push_back(run);
    doc += run.doc_count;
  }
  sample.summary = {.number = 7,
                    .first = sample.runs.front().first,
                    .last = sample.runs.back().At(kSegmentEvents - 1),
                    .time_min = 1,
                    .time_max = 2};
  return sample;
}

TEST_CASE("segment: every term finds exactly its documents and unknown ones none", "[index]") {
  VIGIL_TEST_SEED(seed, 21);
  const Sample sample = MakeSample(seed);
  MemoryStore store;
  const SegmentStore segments(std::string(kPrefix), SampleMeta());
  StoreBatch batch;
  segments.PutSegment(sample.summary, sample.postings, sample.runs, &batch);
  REQUIRE(store.Write(batch).ok());
  SplitMix64 random(seed + 1);
  int checked = 0;
  for (const auto& [hash, docs] : sample.docs_by_hash) {
    if (docs.size() < 100 && !random.Chance(50)) continue;
    DocSet found;
    REQUIRE(segments.CollectTerm(store, 7, hash, &found).ok());
    CHECK(Members(found) == docs);
    for (uint64_t near : {hash - 1, hash + 1}) {
      if (sample.docs_by_hash.contains(near)) continue;
      DocSet none;
      REQUIRE(segments.CollectTerm(store, 7, near, &none).ok());
      CHECK(none.IsEmpty());
    }
    ++checked;
  }
  CHECK(checked > 100);
  // Another segment's terms are not this one's.
  for (uint64_t number : {6, 8}) {
    DocSet none;
    REQUIRE(segments.CollectTerm(store, number, 0, &none).ok());
    REQUIRE(segments.CollectTerm(store, number, ~0ULL, &none).ok());
    CHECK(none.IsEmpty());
  }
}

TEST_CASE("segment: every document finds its place in the log", "[index]") {
  VIGIL_TEST_SEED(seed, 22);
  const Sample sample = MakeSample(seed);
  MemoryStore store;
  const SegmentStore segments(std::string(kPrefix), SampleMeta());
  StoreBatch batch;
  segments.PutSegment(sample.summary, sample.postings, sample.runs, &batch);
  REQUIRE(store.Write(batch).ok());
  size_t run_index = 0;
  for (uint32_t page = 0; page < kSegmentEvents / SegmentStore::kRunPageDocs; ++page) {
    const absl::StatusOr<std::vector<IndexRun>> runs =
        segments.ReadRuns(store, 7, page * SegmentStore::kRunPageDocs + 17);
    REQUIRE(runs.ok());
    for (const IndexRun& run : *runs) {
      for (uint32_t doc = run.first_doc; doc < run.end_doc(); ++doc) {
        while (sample.runs[run_index].end_doc() <= doc) ++run_index;
        REQUIRE(run.At(doc) == sample.runs[run_index].At(doc));
        REQUIRE(run.time_min == sample.runs[run_index].time_min);
        REQUIRE(run.time_max == sample.runs[run_index].time_max);
      }
    }
  }
  const absl::StatusOr<SegmentList> list = segments.ReadSummaries(store);
  REQUIRE(list.ok());
  CHECK(*list == SegmentList{sample.summary});
}

TEST_CASE("segment: deleting leaves nothing of it and all of the others", "[index]") {
  const Sample sample = MakeSample(23);
  MemoryStore store;
  const SegmentStore segments(std::string(kPrefix), SampleMeta());
  StoreBatch batch;
  SegmentSummary next = sample.summary;
  next.number = 8;
  next.first.record = RecordIndex(1'000'000);
  next.last.record = RecordIndex(2'000'000);
  segments.PutSegment(sample.summary, sample.postings, sample.runs, &batch);
  segments.PutSegment(next, sample.postings, sample.runs, &batch);
  batch.Put("other/key", "value");
  REQUIRE(store.Write(batch).ok());
  const auto count_keys = [&] {
    size_t count = 0;
    REQUIRE(store
                .Scan("", "", false,
                      [&](absl::string_view, absl::string_view) {
                        ++count;
                        return true;
                      })
                .ok());
    return count;
  };
  const size_t before = count_keys();
  StoreBatch removal;
  REQUIRE(segments.DeleteSegment(store, 7, &removal).ok());
  REQUIRE(store.Write(removal).ok());
  CHECK(2 * count_keys() == before + 1);
  CHECK(*segments.ReadSummaries(store) == SegmentList{next});
}

TEST_CASE("segment: summaries that do not follow each other are refused", "[index]") {
  const Sample sample = MakeSample(24);
  const SegmentStore segments(std::string(kPrefix), SampleMeta());
  const auto read_pair = [&](uint64_t second_number, uint64_t second_record) {
    MemoryStore store;
    SegmentSummary second = sample.summary;
    second.number = second_number;
    second.first.record = RecordIndex(second_record);
    second.last.record = RecordIndex(second_record + 1);
    StoreBatch batch;
    segments.PutSegment(sample.summary, sample.postings, sample.runs, &batch);
    segments.PutSegment(second, sample.postings, sample.runs, &batch);
    REQUIRE(store.Write(batch).ok());
    return segments.ReadSummaries(store).status();
  };
  CHECK(read_pair(8, 1'000'000).ok());
  CHECK(absl::IsDataLoss(read_pair(9, 1'000'000)));
  CHECK(absl::IsDataLoss(read_pair(8, 5)));
}

TEST_CASE("segment codec: hostile term pages give an error and never a crash", "[index]") {
  TermPageBuilder builder;
  builder.Add(5, std::vector<uint16_t>{1});
  builder.Add(9, std::vector<uint16_t>{2, 3, 4});
  const std::string page = builder.Finish();
  for (uint64_t hash : {5, 9}) {
    DocSet docs;
    REQUIRE(CollectFromTermPage(page, hash, &docs).ok());
    CHECK_FALSE(docs.IsEmpty());
  }
  for (size_t size = 0; size < page.size(); ++size) {
    DocSet docs;
    CHECK(absl::IsDataLoss(CollectFromTermPage(page.substr(0, size), 9, &docs)));
  }
  VIGIL_TEST_SEED(seed, 25);
  SplitMix64 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = page;
    for (uint64_t flips = 1 + random.Below(4); flips > 0; --flips) {
      bad[random.Below(bad.size())] = static_cast<char>(random.Next());
    }
    DocSet docs;
    const absl::Status status = CollectFromTermPage(bad, random.Chance(500) ? 5 : 9, &docs);
    CHECK((status.ok() || absl::IsDataLoss(status)));
  }
}

TEST_CASE("segment codec: runs must cover their page without gap", "[index]") {
  const std::vector<IndexRun> runs = {
      {.first_doc = 0, .doc_count = 10, .first = {}, .time_min = 1, .time_max = 2},
      {.first_doc = 10, .doc_count = 6, .first = {}, .time_min = 1, .time_max = 2}};
  const std::string bytes = EncodeRuns(runs);
  CHECK(*DecodeRuns(bytes, 0, 16) == runs);
  CHECK(absl::IsDataLoss(DecodeRuns(bytes, 0, 17).status()));
  CHECK(absl::IsDataLoss(DecodeRuns(bytes, 1, 16).status()));
  std::vector<IndexRun> gap = runs;
  gap[1].first_doc = 11;
  CHECK(absl::IsDataLoss(DecodeRuns(EncodeRuns(gap), 0, 17).status()));
  std::vector<IndexRun> empty = runs;
  empty[0].doc_count = 0;
  empty[1].first_doc = 0;
  CHECK(absl::IsDataLoss(DecodeRuns(EncodeRuns(empty), 0, 6).status()));
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(absl::IsDataLoss(DecodeRuns(bytes.substr(0, size), 0, 16).status()));
  }
  std::string hostile = bytes;
  hostile[1] = '\xff';
  CHECK(absl::IsDataLoss(DecodeRuns(hostile, 0, 16).status()));
}

TEST_CASE("segment codec: a seal covers the key and every bit", "[index]") {
  ShortHashKey hash_key;
  hash_key.bytes.fill(9);
  const std::string sealed = Seal(hash_key, "key", "value");
  CHECK(*Unseal(hash_key, "key", sealed) == "value");
  CHECK(absl::IsDataLoss(Unseal(hash_key, "kez", sealed).status()));
  CHECK(absl::IsDataLoss(Unseal(ShortHashKey(), "key", sealed).status()));
  for (size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    std::string bad = sealed;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    CHECK(absl::IsDataLoss(Unseal(hash_key, "key", bad).status()));
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    CHECK(absl::IsDataLoss(Unseal(hash_key, "key", sealed.substr(0, size)).status()));
  }
}

TEST_CASE("segment codec: summary and meta come back", "[index]") {
  const SegmentSummary summary{.number = 3,
                               .first = {RecordIndex(1), ItemIndex(2), Height(3)},
                               .last = {RecordIndex(4), ItemIndex(5), Height(6)},
                               .time_min = 7,
                               .time_max = 8};
  CHECK(*DecodeSummary(EncodeSummary(summary)) == summary);
  IndexMeta meta = SampleMeta();
  meta.first_segment = 4;
  meta.pruned_to = {RecordIndex(1), ItemIndex(2), Height(3)};
  CHECK(*DecodeMeta(EncodeMeta(meta)) == meta);
  for (size_t size = 0; size < EncodeMeta(meta).size(); ++size) {
    CHECK(absl::IsDataLoss(DecodeMeta(EncodeMeta(meta).substr(0, size)).status()));
  }
  for (size_t size = 0; size < EncodeSummary(summary).size(); ++size) {
    CHECK(absl::IsDataLoss(DecodeSummary(EncodeSummary(summary).substr(0, size)).status()));
  }
}

}  // namespace
}  // namespace vigil::ledger
