#include "ledger/storage/journal_scrub.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/journal_format.h"
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

}  // namespace
}  // namespace vigil::ledger
