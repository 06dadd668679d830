#include "ledger/storage/journal.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/journal_format.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

const JournalId kId = MakeJournalId(0x10);

std::unique_ptr<Journal> OpenSound(FileSystem* files, const JournalOptions& options = {},
                                   uint64_t durable_offset_min = 0) {
  JournalOpenReport report;
  auto journal = Journal::Open(files, kJournalDirectory, kId, durable_offset_min, options, &report);
  INFO(journal.status());
  REQUIRE(journal.ok());
  CHECK(report.cut_bytes == 0);
  CHECK_FALSE(report.last_group_ambiguous);
  CHECK(report.durable_offset == (*journal)->durable_offset());
  return *std::move(journal);
}

TEST_CASE("journal: frames come back in order with their types and positions after a restart",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  CHECK(absl::IsAlreadyExists(Journal::Create(&files, kJournalDirectory, kId)));
  auto journal = OpenSound(&files);
  const JournalPosition first = *journal->Append(JournalType::kBlock, AsBytes("block"));
  const JournalPosition second = *journal->Append(JournalType::kVote, AsBytes(""));
  CHECK(first.offset == 0);
  CHECK(second.offset == 28 + 5 + 4);
  CHECK(journal->durable_offset() == 0);
  CHECK(absl::IsOutOfRange(journal->reader()->Read(first).status()));
  REQUIRE(journal->Sync().ok());
  CHECK(journal->durable_offset() == 69);
  CHECK(journal->reader()->Read(first)->body == "block");

  const auto reader = journal->reader();
  journal = nullptr;
  CHECK(reader->Read(second)->type == JournalType::kVote);  // Outlives the journal.
  journal = OpenSound(&files, {}, /*durable_offset_min=*/69);
  const auto frames = AllFrames(*journal->reader());
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].type == JournalType::kBlock);
  CHECK(frames[0].body == "block");
  CHECK(frames[0].next == second);
  CHECK(frames[1].position == second);
  CHECK(frames[1].body.empty());
  CHECK(frames[1].next == journal->reader()->end());
  CHECK(absl::IsOutOfRange(journal->reader()->Read(frames[1].next).status()));
  CHECK(absl::IsDataLoss(journal->reader()->Read({.offset = 1}).status()));  // Inside a frame.
}

TEST_CASE("journal: the bytes on disk are those that docs/formats draws", "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files);
  REQUIRE(journal->Append(JournalType::kBlock, AsBytes("ab")).ok());
  REQUIRE(journal->Sync().ok());
  REQUIRE(journal->Append(JournalType::kCommit, AsBytes("c")).ok());
  REQUIRE(journal->Sync().ok());
  const std::string bytes = *files.ReadAll("/node/journal/00000000000000000000.journal");
  // CRCs by an independent program (Python, bit by bit).
  CHECK(HexEncode(AsBytes(bytes)) ==
        "566967696c4a6e6c"                  // VigilJnl
        "00000001"                          // format
        "101112131415161718191a1b1c1d1e1f"  // journal id
        "0000000000000000"                  // start
        "3be5313e"                          // CRC32C
        "564a46"                            // VJF
        "01"                                // block
        "00000002"                          // body length
        "0000000000000000"                  // offset
        "0000000000000000"                  // synced up to
        "8a8002c2"                          // CRC32C
        "6162"                              // body
        "2008df52"                          // CRC32C
        "564a46"
        "03"
        "00000001"
        "0000000000000022"
        "0000000000000022"
        "b6b99e0f"
        "63"
        "7e4eb67d");
}

TEST_CASE("journal: a group is one write and one sync and an empty group is none",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files);
  const uint64_t before = files.operation_count();
  for (int i = 0; i < 10; ++i) {
    REQUIRE(journal->Append(JournalType::kBlock, AsBytes(std::string(1000, 'b'))).ok());
  }
  CHECK(files.operation_count() == before);
  REQUIRE(journal->Sync().ok());
  CHECK(files.operation_count() == before + 2);
  REQUIRE(journal->Sync().ok());
  CHECK(files.operation_count() == before + 2);
}

TEST_CASE("journal: segments change between groups and reads cross them", "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  const JournalOptions options{.segment_bytes = 1000};
  SplitMix64 random(TestSeed());
  CAPTURE(TestSeed());
  std::vector<std::string> bodies;
  std::vector<JournalPosition> positions;
  for (int restart = 0; restart < 3; ++restart) {
    auto journal = OpenSound(&files, options);
    for (int group = 0; group < 30; ++group) {
      for (uint64_t frame = random.Below(3); frame-- > 0;) {
        bodies.push_back(RandomBytes(&random, random.Below(400)));
        positions.push_back(*journal->Append(JournalType::kBlock, AsBytes(bodies.back())));
      }
      REQUIRE(journal->Sync().ok());
    }
  }
  CHECK(files.List(kJournalDirectory)->size() > 10);
  auto journal = OpenSound(&files, options);
  const auto reader = journal->reader();
  const auto frames = AllFrames(*reader);
  REQUIRE(frames.size() == bodies.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    REQUIRE(frames[i].body == bodies[i]);
    REQUIRE(frames[i].position == positions[i]);
    const auto read = reader->Read(positions[i]);
    REQUIRE(read.ok());
    REQUIRE(read->body == bodies[i]);
    REQUIRE(read->next == frames[i].next);
  }
  size_t seen = 0;
  REQUIRE(reader
              ->ForEach(positions[bodies.size() / 2],
                        [&seen](const JournalReader::Frame&) { return ++seen < 5; })
              .ok());
  CHECK(seen == 5);
  CHECK(absl::IsOutOfRange(reader->ForEach({.offset = reader->end().offset + 1},
                                           [](const JournalReader::Frame&) { return true; })));
}

TEST_CASE("journal: more segments than descriptors kept open can still be read",
          "[ledger_storage]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/journal";
  FileSystem* files = PosixFileSystem();
  REQUIRE(Journal::Create(files, path, kId).ok());
  JournalOpenReport report;
  auto journal = *Journal::Open(files, path, kId, 0, {.segment_bytes = 1}, &report);
  std::vector<JournalPosition> positions;
  for (int i = 0; i < 150; ++i) {
    positions.push_back(*journal->Append(JournalType::kVote, AsBytes(std::to_string(i))));
    REQUIRE(journal->Sync().ok());
  }
  const auto open_count = [] {
    const std::filesystem::directory_iterator descriptors("/proc/self/fd");
    return std::distance(begin(descriptors), end(descriptors));
  };
  const auto before = open_count();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 150; ++i) {
      REQUIRE(journal->reader()->Read(positions[i])->body == std::to_string(i));
    }
  }
  CHECK(open_count() - before <= 64);
}

TEST_CASE("journal: a frame above the limit is refused and does not latch", "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files, {.frame_bytes_max = 100});
  CHECK(absl::IsInvalidArgument(
      journal->Append(JournalType::kBlock, AsBytes(std::string(101, 'x'))).status()));
  CHECK(journal->Append(JournalType::kBlock, AsBytes(std::string(100, 'x'))).ok());
  CHECK(journal->Sync().ok());
}

TEST_CASE("journal: a group larger than the buffer is still one group", "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files, {.segment_bytes = 1024 * 1024});
  const std::string body(3 * 1024 * 1024, 'b');
  for (int i = 0; i < 7; ++i) {
    REQUIRE(journal->Append(JournalType::kBlock, AsBytes(body)).ok());
  }
  REQUIRE(journal->Sync().ok());
  REQUIRE(AllFrames(*journal->reader()).size() == 7);
  CHECK(journal->reader()->Read({.offset = 6 * (body.size() + 32)})->body == body);
}

TEST_CASE("journal: only one can have it open", "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files);
  JournalOpenReport report;
  CHECK(absl::IsAlreadyExists(
      Journal::Open(&files, kJournalDirectory, kId, 0, {}, &report).status()));
  journal = nullptr;
  CHECK(Journal::Open(&files, kJournalDirectory, kId, 0, {}, &report).ok());
}

TEST_CASE("journal: a missing one or one with another id is refused", "[ledger_storage]") {
  FaultyFileSystem files(1);
  JournalOpenReport report;
  const auto missing = Journal::Open(&files, kJournalDirectory, kId, 0, {}, &report);
  CHECK(absl::IsDataLoss(missing.status()));
  CHECK(absl::StrContains(missing.status().message(), "missing"));
  REQUIRE(files.MakeDirs(kJournalDirectory).ok());
  CHECK(absl::IsDataLoss(Journal::Open(&files, kJournalDirectory, kId, 0, {}, &report).status()));

  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  const JournalId other = MakeJournalId(0x11);
  const auto foreign = Journal::Open(&files, kJournalDirectory, other, 0, {}, &report);
  CHECK(absl::IsDataLoss(foreign.status()));
  CHECK(absl::StrContains(foreign.status().message(), kId.ToHex()));
  CHECK(absl::StrContains(foreign.status().message(), other.ToHex()));
}

TEST_CASE("journal: one that ends before its guard is refused and left as it is",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files);
  const std::string segment = "/node/journal/00000000000000000000.journal";
  REQUIRE(journal->Append(JournalType::kVote, AsBytes("first")).ok());
  REQUIRE(journal->Sync().ok());
  const std::string rolled_back = *files.ReadAll(segment);
  REQUIRE(journal->Append(JournalType::kVote, AsBytes("second")).ok());
  REQUIRE(journal->Sync().ok());
  const uint64_t guard = journal->durable_offset();
  journal = nullptr;
  OpenSound(&files, {}, guard);
  REQUIRE(files.WriteAtomically(segment, AsBytes(rolled_back)).ok());  // An old copy is put back.
  JournalOpenReport report;
  const auto opened = Journal::Open(&files, kJournalDirectory, kId, guard, {}, &report);
  CHECK(absl::IsDataLoss(opened.status()));
  CHECK(absl::StrContains(opened.status().message(), "rolled back"));
  CHECK(*files.ReadAll(segment) == rolled_back);
}

TEST_CASE("journal: a failed write or sync latches the first error", "[ledger_storage]") {
  for (const DiskFault fault : {DiskFault::kNoSpace, DiskFault::kShortWrite, DiskFault::kIoError}) {
    // Operations: create is done; from opening on, each is made to fail in turn.
    for (uint64_t operation = 0;; ++operation) {
      FaultyFileSystem files(1);
      REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
      auto journal = OpenSound(&files, {.segment_bytes = 100});
      const uint64_t failing = files.operation_count() + operation;
      files.FailAt(failing, fault);
      absl::Status first_error;
      int synced = 0;
      for (int i = 0; i < 6 && first_error.ok(); ++i) {
        first_error = journal->Append(JournalType::kVote, AsBytes(std::string(60, 'v'))).status();
        if (first_error.ok()) first_error = journal->Sync();
        if (first_error.ok()) ++synced;
      }
      if (first_error.ok()) {
        CHECK(operation > 12);  // Two segments were begun on the way.
        break;
      }
      CAPTURE(static_cast<int>(fault), operation, first_error);
      CHECK(first_error.code() == (fault == DiskFault::kIoError
                                       ? absl::StatusCode::kUnavailable
                                       : absl::StatusCode::kResourceExhausted));
      const uint64_t count = files.operation_count();
      CHECK(journal->Append(JournalType::kVote, AsBytes("x")).status() == first_error);
      CHECK(journal->Sync() == first_error);
      CHECK(journal->Sync() == first_error);
      CHECK(files.operation_count() == count);  // Nothing more was tried.
      journal = nullptr;

      // The restarted node finds everything that was synced, whether power was lost or not.
      files.Crash(operation % 2 == 0 ? CrashMode::kProcessOnly : CrashMode::kLoseUnsynced);
      JournalOpenReport report;
      auto reopened = Journal::Open(&files, kJournalDirectory, kId, 0, {}, &report);
      INFO(reopened.status());
      REQUIRE(reopened.ok());
      CHECK(AllFrames(*(*reopened)->reader()).size() >= static_cast<size_t>(synced));
      CHECK(report.last_group_ambiguous == (report.cut_bytes > 0));
      // A full disk costs nobody the vote: what was written of the group is taken back.
      if (fault != DiskFault::kIoError) CHECK(report.cut_bytes == 0);
      REQUIRE((*reopened)->Append(JournalType::kVote, AsBytes("on we go")).ok());
      REQUIRE((*reopened)->Sync().ok());
    }
  }
}

TEST_CASE("journal: what a failed sync lost is not mistaken for durable after a restart",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files);
  REQUIRE(journal->Append(JournalType::kVote, AsBytes("lost")).ok());
  files.FailAt(files.operation_count() + 1, DiskFault::kIoError);
  REQUIRE_FALSE(journal->Sync().ok());
  journal = nullptr;
  files.Crash(CrashMode::kProcessOnly);
  JournalOpenReport report;
  auto reopened = Journal::Open(&files, kJournalDirectory, kId, 0, {}, &report);
  REQUIRE(reopened.ok());
  CHECK(report.last_group_ambiguous);
  CHECK(report.durable_offset == 0);
}

TEST_CASE("journal: frames that a killed process left unsynced are durable once it has reopened",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  auto journal = OpenSound(&files, {.segment_bytes = 1});
  REQUIRE(journal->Append(JournalType::kVote, AsBytes("synced")).ok());
  REQUIRE(journal->Sync().ok());
  REQUIRE(journal->Append(JournalType::kVote, AsBytes("written only")).ok());
  files.CrashAt(files.operation_count() + 1);  // At the sync, after the write.
  REQUIRE_FALSE(journal->Sync().ok());
  files.Crash(CrashMode::kProcessOnly);
  journal = OpenSound(&files);
  const uint64_t durable_offset = journal->durable_offset();
  REQUIRE(AllFrames(*journal->reader()).size() == 2);
  journal = nullptr;
  files.Crash(CrashMode::kLoseUnsynced);
  journal = OpenSound(&files, {}, durable_offset);
  CHECK(AllFrames(*journal->reader()).size() == 2);
}

TEST_CASE("journal: readers on other threads see what was synced while it grows",
          "[ledger_storage]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/journal";
  FileSystem* files = PosixFileSystem();
  REQUIRE(Journal::Create(files, path, kId).ok());
  JournalOpenReport report;
  auto journal = *Journal::Open(files, path, kId, 0, {.segment_bytes = 5000}, &report);
  const auto reader = journal->reader();
  constexpr uint64_t kFrameBytes = 132;
  constexpr uint64_t kFrames = 2000;
  absl::Status failure;
  uint64_t frames_read = 0;
  std::thread other([&] {
    uint64_t at = 0;
    while (at < kFrames * kFrameBytes && failure.ok()) {
      const uint64_t end = reader->end().offset;
      for (; at < end && failure.ok(); at += kFrameBytes, ++frames_read) {
        failure = reader->Read({.offset = at}).status();
      }
      std::this_thread::yield();
    }
  });
  for (uint64_t i = 0; i < kFrames; ++i) {
    REQUIRE(journal->Append(JournalType::kBlock, AsBytes(std::string(100, 'x'))).ok());
    if (i % 10 == 9) REQUIRE(journal->Sync().ok());
  }
  other.join();
  INFO(failure);
  CHECK(failure.ok());
  CHECK(frames_read == kFrames);
}

}  // namespace
}  // namespace vigil::ledger
