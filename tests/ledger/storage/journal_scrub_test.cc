#include "ledger/storage/journal_scrub.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/journal_format.h"
#include "ledger/storage/journal_rewrite.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

constexpr char kFolder[] = "/scrub/journal";

JournalId TestId() {
  JournalId id;
  id.bytes.fill(7);
  return id;
}

// A journal whose first segment is closed.
struct ClosedSegment {
  FaultyFileSystem files{1};
  std::vector<JournalReader::Frame> frames;  // Of the first segment.
  SegmentFile segment;
  uint64_t end = 0;

  ClosedSegment() {
    REQUIRE(Journal::Create(&files, kFolder, TestId()).ok());
    JournalOpenReport report;
    auto journal = Journal::Open(&files, kFolder, TestId(), 0, {.segment_bytes = 600}, &report);
    REQUIRE(journal.ok());
    for (int i = 0; i < 12; ++i) {
      const std::string body = absl::StrCat("body VJF ", i, std::string(60, 'b'));
      REQUIRE((*journal)->Append(JournalType::kVote, AsBytes(body)).ok());
      if (i % 2 == 1) REQUIRE((*journal)->Sync().ok());
    }
    const auto segments = ListSegments(files, kFolder);
    REQUIRE(segments->size() == 2);
    segment = segments->front();
    end = segments->back().start;
    auto scrub = Open();
    while (!scrub->done()) {
      const auto item = scrub->Next();
      REQUIRE(item.ok());
      REQUIRE(item->is_sound);
      frames.push_back(item->frame);
    }
    REQUIRE(frames.size() > 4);
  }
  std::unique_ptr<SegmentScrub> Open() {
    auto scrub = SegmentScrub::Open(&files, segment, end, TestId());
    REQUIRE(scrub.ok());
    return *std::move(scrub);
  }
  void Flip(uint64_t file_offset) { REQUIRE(files.FlipBit(segment.path, file_offset, 2).ok()); }
  SegmentPatch PatchFor(size_t frame) {
    return {.offset = frames[frame].position.offset,
            .type = frames[frame].type,
            .body = frames[frame].body};
  }
};

TEST_CASE("journal scrub: one flipped bit anywhere damages its frame or the header and no more",
          "[journal_scrub]") {
  ClosedSegment t;
  for (uint64_t at = 0; at < kSegmentHeaderBytes + t.end; ++at) {
    CAPTURE(at);
    t.Flip(at);
    const auto scrub = t.Open();
    CHECK(scrub->header_is_sound() == (at >= kSegmentHeaderBytes));
    std::vector<JournalRange> damage;
    while (!scrub->done()) {
      const auto item = scrub->Next();
      REQUIRE(item.ok());
      if (!item->is_sound) damage.push_back(item->damage);
    }
    REQUIRE(damage.size() == (at < kSegmentHeaderBytes ? 0 : 1));
    if (!damage.empty()) {
      size_t i = 0;
      while (t.frames[i].next.offset <= at - kSegmentHeaderBytes) ++i;
      CHECK(damage[0].from == t.frames[i].position.offset);
      CHECK(damage[0].to == t.frames[i].next.offset);
    }
    t.Flip(at);
  }
}

TEST_CASE("journal scrub: the copy holds what was sound and the patches and is a sound journal",
          "[journal_scrub]") {
  ClosedSegment t;
  const std::string before = *t.files.ReadAll(t.segment.path);
  t.Flip(3);
  t.Flip(kSegmentHeaderBytes + t.frames[1].position.offset + 9);
  t.Flip(kSegmentHeaderBytes + t.frames[2].position.offset + 40);
  const size_t last = t.frames.size() - 1;
  t.Flip(kSegmentHeaderBytes + t.frames[last].position.offset);
  const auto rewrite = [&](const std::vector<SegmentPatch>& patches) {
    return RewriteSegment(&t.files, t.segment, t.end, TestId(), patches);
  };
  SECTION("with what lay there") {
    REQUIRE(rewrite({t.PatchFor(1), t.PatchFor(2), t.PatchFor(last)}).ok());
    CHECK(t.files.ReadAll(t.segment.path)->size() == before.size());
  }
  SECTION("with a hole") {
    const uint64_t hole = t.frames[2].next.offset - t.frames[1].position.offset -
                          kFrameHeaderBytes - kFrameTrailerBytes;
    REQUIRE(rewrite({{.offset = t.frames[1].position.offset,
                      .type = JournalType::kHole,
                      .body = std::string(hole, '\0')},
                     t.PatchFor(last)})
                .ok());
  }
  SECTION("and patches that do not fill the damage change nothing") {
    const std::string damaged = *t.files.ReadAll(t.segment.path);
    SegmentPatch shorter = t.PatchFor(2);
    shorter.body.pop_back();
    CHECK(absl::IsDataLoss(rewrite({t.PatchFor(1), t.PatchFor(2)})));
    CHECK(absl::IsDataLoss(rewrite({t.PatchFor(1), shorter, t.PatchFor(last)})));
    CHECK(
        absl::IsDataLoss(rewrite({t.PatchFor(0), t.PatchFor(1), t.PatchFor(2), t.PatchFor(last)})));
    CHECK(*t.files.ReadAll(t.segment.path) == damaged);
    return;
  }
  const auto check = CheckJournal(t.files, kFolder, TestId());
  REQUIRE(check.ok());
  CHECK(check->damage.ok());
  t.files.Crash(CrashMode::kLoseUnsynced);
  CHECK(CheckJournal(t.files, kFolder, TestId())->damage.ok());
}

// A segment that was compacted: blocks that became shorter, with a skip behind each, and others.
struct CompactedSegment {
  FaultyFileSystem files{1};
  std::vector<JournalReader::Frame> frames;  // Skips, too; `next` of each as it lies.
  std::vector<uint64_t> file_ends;           // Where each ends in the file.
  SegmentFile segment;
  uint64_t end = 0;
  std::string whole;

  CompactedSegment() {
    REQUIRE(Journal::Create(&files, kFolder, TestId()).ok());
    JournalOpenReport report;
    auto journal = Journal::Open(&files, kFolder, TestId(), 0, {.segment_bytes = 2000}, &report);
    REQUIRE(journal.ok());
    for (int i = 0; i < 16; ++i) {
      const bool block = i % 3 != 1;
      const std::string body = absl::StrCat("body VJF ", i, std::string(block ? 250 : 50, 'b'));
      REQUIRE(
          (*journal)->Append(block ? JournalType::kBlock : JournalType::kVote, AsBytes(body)).ok());
      if (i % 2 == 1) REQUIRE((*journal)->Sync().ok());
    }
    const auto segments = ListSegments(files, kFolder);
    REQUIRE(segments->size() == 2);
    segment = segments->front();
    end = segments->back().start;
    const auto outcome =
        CompactSegment(&files, TestId(), segment, end,
                       [](const JournalReader::Frame& frame) { return frame.body.substr(0, 60); });
    INFO(outcome.status());
    REQUIRE(outcome.ok());
    REQUIRE(outcome->frames_changed > 3);
    whole = *files.ReadAll(segment.path);
    auto scrub = Open();
    REQUIRE(scrub->compacted());
    uint64_t at = kSegmentHeaderBytes;
    while (!scrub->done()) {
      const auto item = scrub->Next();
      REQUIRE(item.ok());
      REQUIRE(item->is_sound);
      frames.push_back(item->frame);
      at += kFrameHeaderBytes + item->frame.body.size() + kFrameTrailerBytes;
      file_ends.push_back(at);
    }
    REQUIRE(at == whole.size());
  }
  std::unique_ptr<SegmentScrub> Open() {
    auto scrub = SegmentScrub::Open(&files, segment, end, TestId());
    REQUIRE(scrub.ok());
    return *std::move(scrub);
  }
  std::vector<JournalRange> Damage() {
    std::vector<JournalRange> damage;
    const auto scrub = Open();
    while (!scrub->done()) {
      const auto item = scrub->Next();
      REQUIRE(item.ok());
      if (!item->is_sound) damage.push_back(item->damage);
    }
    return damage;
  }
};

TEST_CASE(
    "journal scrub: damage in a compacted segment reaches to the next sound frame and no more",
    "[journal_scrub]") {
  CompactedSegment t;
  for (uint64_t at = 0; at < t.whole.size(); ++at) {
    CAPTURE(at);
    REQUIRE(t.files.FlipBit(t.segment.path, at, 2).ok());
    const std::vector<JournalRange> damage = t.Damage();
    REQUIRE(damage.size() == (at < kSegmentHeaderBytes ? 0 : 1));
    std::vector<SegmentPatch> patches;
    if (!damage.empty()) {
      size_t frame = 0;
      while (t.file_ends[frame] <= at) ++frame;
      CHECK(damage[0].from == t.frames[frame].position.offset);
      CHECK(damage[0].to == t.frames[frame].next.offset);
      patches.push_back({.offset = t.frames[frame].position.offset,
                         .type = t.frames[frame].type,
                         .body = t.frames[frame].body});
    }
    const absl::Status rewritten = RewriteSegment(&t.files, t.segment, t.end, TestId(), patches);
    INFO(rewritten);
    REQUIRE(rewritten.ok());
    REQUIRE(t.files.ReadAll(t.segment.path)->size() == t.whole.size());
    CHECK(t.Damage().empty());
    CHECK(*SoundEndOfSegment(t.files, t.segment, TestId()) == t.end);
  }
}

TEST_CASE("journal scrub: what does not fill the damage of a compacted segment is refused",
          "[journal_scrub]") {
  CompactedSegment t;
  size_t skip = 0;
  while (t.frames[skip].type != JournalType::kSkip) ++skip;
  REQUIRE(t.files.FlipBit(t.segment.path, t.file_ends[skip] - 3, 2).ok());
  SegmentPatch patch{.offset = t.frames[skip].position.offset,
                     .type = JournalType::kSkip,
                     .body = t.frames[skip].body};
  const std::string damaged = *t.files.ReadAll(t.segment.path);
  SECTION("a skip that is too short") {
    patch.body.back() = static_cast<char>(patch.body.back() - 1);
  }
  SECTION("a skip that is too long") {
    patch.body.back() = static_cast<char>(patch.body.back() + 1);
  }
  SECTION("no skip at all") { patch.body = "skip"; }
  CHECK(absl::IsDataLoss(RewriteSegment(&t.files, t.segment, t.end, TestId(), {patch})));
  CHECK(*t.files.ReadAll(t.segment.path) == damaged);
}

TEST_CASE("journal scrub: what memory has right and the disk has not is damage",
          "[journal_scrub]") {
  ClosedSegment t;
  REQUIRE(t.files.RotOnDisk(t.segment.path, 100, 2).ok());
  const auto scrub = t.Open();
  uint64_t damaged = 0;
  while (!scrub->done()) damaged += scrub->Next()->is_sound ? 0 : 1;
  CHECK(damaged == 1);
}

}  // namespace
}  // namespace vigil::ledger
