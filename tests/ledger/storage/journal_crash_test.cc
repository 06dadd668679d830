// A workload on a journal is crashed at every write and sync that it makes, in every way the disk
// knows. What was promised must be there; what follows must be a prefix of what was appended.
#include <string>
#include <vector>

#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/journal.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

const JournalId kId = MakeJournalId(0x10);
constexpr JournalOptions kOptions{.segment_bytes = 6000};
constexpr int kGroups = 14;

struct Ledgered {
  std::vector<std::string> appended;
  std::vector<JournalPosition> positions;
  size_t promised = 0;          // Frames covered by a successful Sync().
  uint64_t durable_offset = 0;  // As of that Sync().
  bool crashed = false;
};

// Appends and syncs groups of random frames until done or the disk goes off.
void RunWorkload(Journal* journal, SplitMix64* random, Ledgered* ledgered) {
  for (int group = 0; group < kGroups; ++group) {
    for (uint64_t frame = 1 + random->Below(4); frame-- > 0;) {
      const size_t size = random->Chance(200) ? random->Below(9000) : random->Below(300);
      std::string body = RandomBytes(random, size);
      const auto position = journal->Append(JournalType::kBlock, AsBytes(body));
      ledgered->crashed = !position.ok();
      if (ledgered->crashed) return;
      ledgered->appended.push_back(std::move(body));
      ledgered->positions.push_back(*position);
    }
    ledgered->crashed = !journal->Sync().ok();
    if (ledgered->crashed) return;
    ledgered->promised = ledgered->appended.size();
    ledgered->durable_offset = journal->durable_offset();
  }
}

// Opens after a crash and checks every promise; makes what was found the new truth.
std::unique_ptr<Journal> Recover(FaultyFileSystem* files, Ledgered* ledgered) {
  JournalOpenReport report;
  auto journal =
      Journal::Open(files, kJournalDirectory, kId, ledgered->durable_offset, kOptions, &report);
  INFO(journal.status());
  REQUIRE(journal.ok());
  const auto frames = AllFrames(*(*journal)->reader());
  REQUIRE(frames.size() >= ledgered->promised);
  REQUIRE(frames.size() <= ledgered->appended.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    REQUIRE(frames[i].body == ledgered->appended[i]);
    REQUIRE(frames[i].position == ledgered->positions[i]);
  }
  REQUIRE(report.durable_offset >= ledgered->durable_offset);
  REQUIRE(report.last_group_ambiguous == (report.cut_bytes > 0));
  ledgered->appended.resize(frames.size());
  ledgered->positions.resize(frames.size());
  ledgered->promised = frames.size();
  ledgered->durable_offset = report.durable_offset;
  return *std::move(journal);
}

// Crashes the workload at operation `operation`, recovers and runs it again to its end. Returns
// whether it crashed.
bool CrashOnce(uint64_t seed, uint64_t operation, CrashMode mode) {
  FaultyFileSystem files(seed);
  SplitMix64 random(seed);
  REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
  Ledgered ledgered;
  auto journal = Recover(&files, &ledgered);
  files.CrashAt(files.operation_count() + operation);
  RunWorkload(journal.get(), &random, &ledgered);
  if (!ledgered.crashed) return false;
  files.Crash(mode);
  journal = Recover(&files, &ledgered);
  RunWorkload(journal.get(), &random, &ledgered);
  REQUIRE_FALSE(ledgered.crashed);
  journal = nullptr;
  files.Crash(CrashMode::kLoseUnsynced);
  Recover(&files, &ledgered);
  return true;
}

TEST_CASE("journal crash: at every operation and in every way each promise is kept",
          "[ledger_storage]") {
  CAPTURE(TestSeed());
  for (const CrashMode mode :
       {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced, CrashMode::kTornPrefix,
        CrashMode::kTornSectors, CrashMode::kTornPages, CrashMode::kAnyLoss}) {
    for (uint64_t seed = TestSeed(); seed < TestSeed() + 4; ++seed) {
      uint64_t operation = 0;
      for (bool crashed = true; crashed; ++operation) {
        CAPTURE(static_cast<int>(mode), seed, operation);
        crashed = CrashOnce(seed, operation, mode);
      }
      CHECK(operation > 2 * kGroups);  // Every group writes and syncs.
    }
  }
}

TEST_CASE("journal crash: what a killed process left is durable once it has been reopened",
          "[ledger_storage]") {
  for (uint64_t operation = 0;; ++operation) {
    FaultyFileSystem files(TestSeed());
    SplitMix64 random(TestSeed());
    REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
    Ledgered ledgered;
    auto journal = Recover(&files, &ledgered);
    files.CrashAt(files.operation_count() + operation);
    RunWorkload(journal.get(), &random, &ledgered);
    if (!ledgered.crashed) break;
    files.Crash(CrashMode::kProcessOnly);
    journal = Recover(&files, &ledgered);  // Takes all that it finds for durable.
    ledgered.appended.push_back("a vote");
    ledgered.positions.push_back(*journal->Append(JournalType::kVote, AsBytes("a vote")));
    REQUIRE(journal->Sync().ok());
    ledgered.promised = ledgered.appended.size();
    ledgered.durable_offset = journal->durable_offset();
    files.Crash(CrashMode::kLoseUnsynced);
    CAPTURE(operation);
    Recover(&files, &ledgered);
  }
}

TEST_CASE("journal crash: one during recovery itself loses nothing either", "[ledger_storage]") {
  CAPTURE(TestSeed());
  for (uint64_t seed = TestSeed(); seed < TestSeed() + 40; ++seed) {
    for (uint64_t recovery_operation = 0;; ++recovery_operation) {
      FaultyFileSystem files(seed);
      SplitMix64 random(seed);
      REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
      Ledgered ledgered;
      auto journal = Recover(&files, &ledgered);
      files.CrashAt(files.operation_count() + 5 + seed % 20);
      RunWorkload(journal.get(), &random, &ledgered);
      REQUIRE(ledgered.crashed);
      files.Crash(CrashMode::kAnyLoss);
      files.CrashAt(files.operation_count() + recovery_operation);
      JournalOpenReport report;
      const bool opened =
          Journal::Open(&files, kJournalDirectory, kId, ledgered.durable_offset, kOptions, &report)
              .ok();
      files.Crash(CrashMode::kAnyLoss);
      CAPTURE(seed, recovery_operation);
      Recover(&files, &ledgered);
      if (opened) break;
    }
  }
}

TEST_CASE("journal crash: while it is created leaves none or an empty one", "[ledger_storage]") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint64_t operation = 0;; ++operation) {
      FaultyFileSystem files(seed);
      files.CrashAt(operation);
      const bool created = Journal::Create(&files, kJournalDirectory, kId).ok();
      files.Crash(CrashMode::kAnyLoss);
      const absl::Status again = Journal::Create(&files, kJournalDirectory, kId);
      CAPTURE(seed, operation, again);
      REQUIRE((absl::IsAlreadyExists(again) || (again.ok() && !created)));
      Ledgered ledgered;
      Recover(&files, &ledgered);
      if (created) break;
    }
  }
}

TEST_CASE("journal crash: the same seed makes the same operations and finds the same",
          "[ledger_storage]") {
  uint64_t digests[2];
  for (uint64_t& digest : digests) {
    FaultyFileSystem files(TestSeed());
    SplitMix64 random(TestSeed());
    REQUIRE(Journal::Create(&files, kJournalDirectory, kId).ok());
    Ledgered ledgered;
    auto journal = Recover(&files, &ledgered);
    files.CrashAt(files.operation_count() + 17);
    RunWorkload(journal.get(), &random, &ledgered);
    files.Crash(CrashMode::kAnyLoss);
    journal = Recover(&files, &ledgered);
    RunWorkload(journal.get(), &random, &ledgered);
    digest = files.trace_digest();
  }
  CHECK(digests[0] == digests[1]);
}

}  // namespace
}  // namespace vigil::ledger
