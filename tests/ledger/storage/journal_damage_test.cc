// Damage to a journal at rest: every byte flipped, every length cut, segments taken away, swapped
// or put back. What was durable is never repaired silently, and the place is named.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_format.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

const JournalId kId = MakeJournalId(0x10);

std::string SegmentPath(uint64_t start) {
  return absl::StrCat(kJournalDirectory, "/", SegmentName(start));
}

struct Written {
  std::unique_ptr<FaultyFileSystem> files;
  std::vector<JournalReader::Frame> frames;
  std::vector<uint64_t> segment_starts;
  uint64_t last_group = 0;  // Offset where the last group begins.
  uint64_t end = 0;
};

// A journal of groups of frames with the given body sizes, opened with `options` and closed again.
Written WriteJournal(const std::vector<std::vector<size_t>>& groups,
                     const JournalOptions& options = {}) {
  Written written;
  written.files = std::make_unique<FaultyFileSystem>(1);
  FaultyFileSystem* files = written.files.get();
  REQUIRE(Journal::Create(files, kJournalDirectory, kId).ok());
  JournalOpenReport report;
  auto journal = *Journal::Open(files, kJournalDirectory, kId, 0, options, &report);
  SplitMix64 random(99);
  for (const std::vector<size_t>& group : groups) {
    written.last_group = journal->durable_offset();
    for (const size_t size : group) {
      REQUIRE(journal->Append(JournalType::kBlock, AsBytes(RandomBytes(&random, size))).ok());
    }
    REQUIRE(journal->Sync().ok());
  }
  written.frames = AllFrames(*journal->reader());
  written.end = journal->durable_offset();
  const std::vector<std::string> names = *files->List(kJournalDirectory);
  for (const std::string& name : names) {
    const auto start = ParseSegmentName(name);
    if (start.has_value()) written.segment_starts.push_back(*start);
  }
  return written;
}

absl::StatusOr<std::unique_ptr<Journal>> Reopen(FaultyFileSystem* files, uint64_t guard,
                                                JournalOpenReport* report) {
  return Journal::Open(files, kJournalDirectory, kId, guard, {}, report);
}

bool Names(const absl::Status& status, uint64_t segment_start, uint64_t offset) {
  return absl::StrContains(status.message(), SegmentPath(segment_start)) &&
         absl::StrContains(status.message(), absl::StrCat("at offset ", offset, ":"));
}

TEST_CASE("journal damage: every flipped bit of a durable frame is found and located",
          "[ledger_storage]") {
  Written written = WriteJournal({{10, 3}, {0, 50}, {20}, {7, 9, 30}});
  FaultyFileSystem* files = written.files.get();
  const std::string path = SegmentPath(0);
  const std::string good = *files->ReadAll(path);
  for (size_t at = 0; at < good.size(); ++at) {
    const int bit = static_cast<int>(at * 5 % 8);
    REQUIRE(files->FlipBit(path, at, bit).ok());
    JournalOpenReport report;
    const auto opened = Reopen(files, 0, &report);
    CAPTURE(at, bit, opened.status());
    // The frame that the byte belongs to.
    uint64_t damaged = 0;
    for (const auto& frame : written.frames) {
      if (at >= kSegmentHeaderBytes + frame.position.offset) damaged = frame.position.offset;
    }
    if (at < kSegmentHeaderBytes || damaged < written.last_group) {
      REQUIRE(absl::IsDataLoss(opened.status()));
      REQUIRE(Names(opened.status(), 0, damaged));
      REQUIRE(files->FlipBit(path, at, bit).ok());
      REQUIRE(*files->ReadAll(path) == good);  // Refusing changed nothing.
      continue;
    }
    // Damage to the last group cannot be told from a torn write, unless the guard knows better.
    REQUIRE(opened.ok());
    REQUIRE(report.last_group_ambiguous);
    REQUIRE(report.durable_offset == damaged);
    REQUIRE(report.cut_bytes == written.end - damaged);
    REQUIRE(AllFrames(*(*opened)->reader()).back().next.offset == damaged);
    REQUIRE(*files->ReadAll(path) == good.substr(0, kSegmentHeaderBytes + damaged));
    REQUIRE(files->Overwrite(path, 0, AsBytes(good)).ok());
  }
}

TEST_CASE(
    "journal damage: a damaged last group is refused when the guard knows that it was durable",
    "[ledger_storage]") {
  Written written = WriteJournal({{10, 3}, {7, 9, 30}});
  FaultyFileSystem* files = written.files.get();
  const std::string path = SegmentPath(0);
  const std::string good = *files->ReadAll(path);
  for (size_t at = kSegmentHeaderBytes + written.last_group; at < good.size(); ++at) {
    REQUIRE(files->FlipBit(path, at, 0).ok());
    JournalOpenReport report;
    REQUIRE(absl::IsDataLoss(Reopen(files, written.end, &report).status()));
    REQUIRE(files->FlipBit(path, at, 0).ok());
    REQUIRE(*files->ReadAll(path) == good);
  }
}

TEST_CASE("journal damage: a reader finds flips that happen after opening", "[ledger_storage]") {
  Written written = WriteJournal({{10, 3}, {20}});
  FaultyFileSystem* files = written.files.get();
  JournalOpenReport report;
  const auto journal = Reopen(files, 0, &report);
  REQUIRE(journal.ok());
  for (const auto& frame : written.frames) {
    const uint64_t frame_bytes = frame.next.offset - frame.position.offset;
    for (uint64_t at = 0; at < frame_bytes; ++at) {
      const uint64_t file_offset = kSegmentHeaderBytes + frame.position.offset + at;
      REQUIRE(files->FlipBit(SegmentPath(0), file_offset, 3).ok());
      const absl::Status read = (*journal)->reader()->Read(frame.position).status();
      REQUIRE(absl::IsDataLoss(read));
      REQUIRE(Names(read, 0, frame.position.offset));
      const absl::Status walked = (*journal)->reader()->ForEach(
          {.offset = 0}, [](const JournalReader::Frame&) { return true; });
      REQUIRE(absl::IsDataLoss(walked));
      REQUIRE(Names(walked, 0, frame.position.offset));
      REQUIRE(files->FlipBit(SegmentPath(0), file_offset, 3).ok());
    }
  }
}

TEST_CASE("journal damage: a tail cut at every length is cut back to whole frames",
          "[ledger_storage]") {
  const Written written = WriteJournal({{10, 3}, {7, 9, 30}});
  const std::string good = *written.files->ReadAll(SegmentPath(0));
  for (size_t size = kSegmentHeaderBytes; size < good.size(); ++size) {
    FaultyFileSystem files(1);
    REQUIRE(files.MakeDirs(kJournalDirectory).ok());
    REQUIRE(files.WriteAtomically(SegmentPath(0), AsBytes(good).first(size)).ok());
    uint64_t whole = 0;
    for (const auto& frame : written.frames) {
      if (frame.next.offset + kSegmentHeaderBytes <= size) whole = frame.next.offset;
    }
    JournalOpenReport report;
    // The guard is never beyond what was synced; here it knows of all of it.
    REQUIRE(absl::IsDataLoss(Reopen(&files, written.end, &report).status()));
    const auto opened = Reopen(&files, 0, &report);
    CAPTURE(size, opened.status());
    REQUIRE(opened.ok());
    REQUIRE(report.durable_offset == whole);
    REQUIRE(report.cut_bytes == size - kSegmentHeaderBytes - whole);
    REQUIRE(report.last_group_ambiguous == (report.cut_bytes > 0));
  }
  // A segment's header is durable before its name: cut inside, it was damaged.
  for (size_t size = 0; size < kSegmentHeaderBytes; ++size) {
    FaultyFileSystem files(1);
    REQUIRE(files.MakeDirs(kJournalDirectory).ok());
    REQUIRE(files.WriteAtomically(SegmentPath(0), AsBytes(good).first(size)).ok());
    JournalOpenReport report;
    REQUIRE(absl::IsDataLoss(Reopen(&files, 0, &report).status()));
  }
}

TEST_CASE("journal damage: a tail of zeros or of garbage is cut and reported", "[ledger_storage]") {
  for (const bool zeros : {true, false}) {
    Written written = WriteJournal({{10, 3}, {20}});
    FaultyFileSystem* files = written.files.get();
    SplitMix64 random(5);
    const std::string tail = zeros ? std::string(3'000'000, '\0') : RandomBytes(&random, 3'000'000);
    REQUIRE(
        files->Overwrite(SegmentPath(0), kSegmentHeaderBytes + written.end, AsBytes(tail)).ok());
    JournalOpenReport report;
    const auto opened = Reopen(files, written.end, &report);
    INFO(opened.status());
    REQUIRE(opened.ok());
    CHECK(report.cut_bytes == tail.size());
    CHECK(report.last_group_ambiguous);
    CHECK(AllFrames(*(*opened)->reader()).size() == written.frames.size());
  }
}

TEST_CASE(
    "journal damage: zeros over durable frames are no torn tail even far before the next group",
    "[ledger_storage]") {
  // The evidence lies two read windows behind the damage.
  Written written = WriteJournal({{100}, {3'000'000}, {50}});
  FaultyFileSystem* files = written.files.get();
  const uint64_t first_end = written.frames[0].next.offset;
  const std::string zeros(2'999'000, '\0');
  REQUIRE(files->Overwrite(SegmentPath(0), kSegmentHeaderBytes + first_end, AsBytes(zeros)).ok());
  JournalOpenReport report;
  const auto opened = Reopen(files, 0, &report);
  CHECK(absl::IsDataLoss(opened.status()));
  CHECK(Names(opened.status(), 0, first_end));
}

TEST_CASE("journal damage: evidence is found across the edge of a read window",
          "[ledger_storage]") {
  // The sound header starts at each of the last bytes of the first window of the search.
  constexpr size_t kWindow = 1024 * 1024;
  for (size_t before_edge = 1; before_edge <= kFrameHeaderBytes + 1; ++before_edge) {
    Written written = WriteJournal({{kWindow - before_edge - 32}, {50}});
    FaultyFileSystem* files = written.files.get();
    REQUIRE(files->FlipBit(SegmentPath(0), kSegmentHeaderBytes + 5, 1).ok());
    JournalOpenReport report;
    const auto opened = Reopen(files, 0, &report);
    CAPTURE(before_edge, opened.status());
    REQUIRE(absl::IsDataLoss(opened.status()));
    REQUIRE(Names(opened.status(), 0, 0));
  }
}

TEST_CASE("journal damage: a missing or swapped or foreign segment is refused and named",
          "[ledger_storage]") {
  const std::vector<std::vector<size_t>> groups = {{200}, {200}, {200}, {200}};
  const JournalOptions options{.segment_bytes = 100};
  Written written = WriteJournal(groups, options);
  REQUIRE(written.segment_starts.size() == 4);
  FaultyFileSystem* files = written.files.get();
  JournalOpenReport report;
  const std::string second = SegmentPath(written.segment_starts[1]);
  const std::string third = SegmentPath(written.segment_starts[2]);

  SECTION("missing in the middle") {
    REQUIRE(files->Remove(second).ok());
    const absl::Status status = Reopen(files, 0, &report).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(Names(status, 0, written.segment_starts[1]));
  }
  SECTION("the last one missing is noticed by the guard") {
    REQUIRE(files->Remove(SegmentPath(written.segment_starts[3])).ok());
    CHECK(absl::IsDataLoss(Reopen(files, written.end, &report).status()));
  }
  SECTION("two swapped") {
    const std::string content = *files->ReadAll(second);
    REQUIRE(files->WriteAtomically(second, AsBytes(*files->ReadAll(third))).ok());
    REQUIRE(files->WriteAtomically(third, AsBytes(content)).ok());
    const absl::Status status = Reopen(files, 0, &report).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(Names(status, written.segment_starts[1], written.segment_starts[1]));
  }
  SECTION("of another journal") {
    std::string content = *files->ReadAll(second);
    const std::string header = EncodeSegmentHeader(
        {.journal_id = MakeJournalId(0x77), .start = written.segment_starts[1]});
    content.replace(0, header.size(), header);
    REQUIRE(files->WriteAtomically(second, AsBytes(content)).ok());
    const absl::Status status = Reopen(files, 0, &report).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(Names(status, written.segment_starts[1], written.segment_starts[1]));
    CHECK(absl::StrContains(status.message(), MakeJournalId(0x77).ToHex()));
  }
  SECTION("cut at a frame's end though a later segment exists") {
    REQUIRE(files->Truncate(second, kSegmentHeaderBytes).ok());
    const absl::Status status = Reopen(files, 0, &report).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(Names(status, written.segment_starts[1], written.segment_starts[1]));
  }
  SECTION("an empty one under another's name") {
    const std::string header =
        EncodeSegmentHeader({.journal_id = kId, .start = written.segment_starts[1]});
    REQUIRE(files->WriteAtomically(SegmentPath(written.end), AsBytes(header)).ok());
    const absl::Status status = Reopen(files, 0, &report).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(Names(status, written.end, written.end));
  }
  SECTION("torn at its end though a later segment exists") {
    REQUIRE(files->Truncate(second, *files->Size(second) - 1).ok());
    CHECK(absl::IsDataLoss(Reopen(files, 0, &report).status()));
  }
  SECTION("segments archived from the front are no damage") {
    REQUIRE(files->Remove(SegmentPath(0)).ok());
    const auto opened = Reopen(files, written.end, &report);
    REQUIRE(opened.ok());
    CHECK((*opened)->reader()->begin().offset == written.segment_starts[1]);
    CHECK(AllFrames(*(*opened)->reader()).size() == 3);
    CHECK(absl::IsOutOfRange((*opened)->reader()->Read({.offset = 0}).status()));
  }
}

TEST_CASE("journal damage: a misdirected write is found at the place it hit", "[ledger_storage]") {
  Written written = WriteJournal({{100, 100}, {100}});
  FaultyFileSystem* files = written.files.get();
  JournalOpenReport report;
  {
    auto journal = *Reopen(files, 0, &report);
    files->MisdirectNextAppend(SegmentPath(0),
                               kSegmentHeaderBytes + written.frames[1].position.offset);
    REQUIRE(journal->Append(JournalType::kVote, AsBytes("vote")).ok());
    REQUIRE(journal->Sync().ok());  // The disk lies.
    REQUIRE(journal->Append(JournalType::kVote, AsBytes("vote")).ok());
    REQUIRE(journal->Sync().ok());
  }
  const absl::Status status = Reopen(files, 0, &report).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(Names(status, 0, written.frames[1].position.offset));
}

TEST_CASE("journal damage: the body of another frame of equal length does not pass",
          "[ledger_storage]") {
  Written written = WriteJournal({{64}, {64}, {64}});
  FaultyFileSystem* files = written.files.get();
  const std::string bytes = *files->ReadAll(SegmentPath(0));
  const size_t frame = 64 + kFrameHeaderBytes + kFrameTrailerBytes;
  // Body and trailing CRC of the first frame are written over those of the second.
  const std::string body =
      bytes.substr(kSegmentHeaderBytes + kFrameHeaderBytes, 64 + kFrameTrailerBytes);
  REQUIRE(files
              ->Overwrite(SegmentPath(0), kSegmentHeaderBytes + frame + kFrameHeaderBytes,
                          AsBytes(body))
              .ok());
  JournalOpenReport report;
  const absl::Status status = Reopen(files, 0, &report).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(Names(status, 0, frame));
}

TEST_CASE(
    "journal damage: a sound frame of an earlier state of the journal is not taken for the tail",
    "[ledger_storage]") {
  Written written = WriteJournal({{64}, {64}, {64}});
  FaultyFileSystem* files = written.files.get();
  std::string stale;  // As if it had been appended before anything was synced.
  AppendFrame(kId, {.type = JournalType::kVote, .offset = written.end, .synced_up_to = 0},
              AsBytes("an old vote"), &stale);
  REQUIRE(files->Overwrite(SegmentPath(0), kSegmentHeaderBytes + written.end, AsBytes(stale)).ok());
  JournalOpenReport report;
  const auto opened = Reopen(files, written.end, &report);
  REQUIRE(opened.ok());
  CHECK(report.cut_bytes == stale.size());
  CHECK(report.last_group_ambiguous);
  CHECK(AllFrames(*(*opened)->reader()).size() == 3);
}

TEST_CASE("journal damage: a sound frame at another place than its own is not the next one",
          "[ledger_storage]") {
  Written written = WriteJournal({{64}, {64}, {64}});
  FaultyFileSystem* files = written.files.get();
  const std::string bytes = *files->ReadAll(SegmentPath(0));
  const size_t frame_bytes = 64 + kFrameHeaderBytes + kFrameTrailerBytes;
  REQUIRE(files->Overwrite(SegmentPath(0), bytes.size(), AsBytes(bytes).last(frame_bytes)).ok());
  JournalOpenReport report;
  const auto opened = Reopen(files, written.end, &report);
  REQUIRE(opened.ok());
  CHECK(report.cut_bytes == frame_bytes);
  CHECK(AllFrames(*(*opened)->reader()).size() == 3);
}

TEST_CASE("journal damage: opening for reading gives the sound prefix and says what follows",
          "[ledger_storage]") {
  const std::vector<std::vector<size_t>> groups = {{200}, {200}, {200, 100}};
  Written written = WriteJournal(groups, {.segment_bytes = 300});
  FaultyFileSystem* files = written.files.get();
  absl::Status damage;
  auto reader = OpenJournalForReading(files, kJournalDirectory, &damage);
  REQUIRE(reader.ok());
  CHECK(damage.ok());
  CHECK(AllFrames(**reader).size() == 4);
  CHECK((*reader)->end().offset == written.end);

  const std::string last = SegmentPath(written.segment_starts.back());
  REQUIRE(files->Truncate(last, *files->Size(last) - 1).ok());
  reader = OpenJournalForReading(files, kJournalDirectory, &damage);
  REQUIRE(reader.ok());
  CHECK(absl::IsAborted(damage));
  CHECK(AllFrames(**reader).size() == 3);

  REQUIRE(files->FlipBit(SegmentPath(0), kSegmentHeaderBytes + 232 + 40, 1).ok());
  reader = OpenJournalForReading(files, kJournalDirectory, &damage);
  REQUIRE(reader.ok());
  CHECK(absl::IsDataLoss(damage));
  CHECK(Names(damage, 0, 232));
  CHECK(AllFrames(**reader).size() == 1);

  CHECK(absl::IsNotFound(OpenJournalForReading(files, "/node", &damage).status()));
}

}  // namespace
}  // namespace vigil::ledger
