// LevelDB on a disk that loses unsynced pages: what opens must be the first k batches, k not below
// the last synced one. The same runs without our guards show that each is needed.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/leveldb_store.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

constexpr char kDirectory[] = "/db";
constexpr uint64_t kHeights = 400;
constexpr uint64_t kKeys = 40;

LevelDbOptions SmallOptions(const LevelDbGuards& guards = {},
                            size_t write_buffer_bytes = 64 * 1024) {
  return {.deterministic = true,
          .cache_bytes = 64 * 1024,
          .write_buffer_bytes = write_buffer_bytes,
          .open_files_max = 100,
          .guards = guards};
}

// Half of the runs switch logs every 30 batches or so, half write one long log.
LevelDbOptions OptionsOf(uint64_t seed, const LevelDbGuards& guards = {}) {
  return SmallOptions(guards, seed % 2 == 0 ? 64 * 1024 : 1024 * 1024);
}

std::string MarkKey(uint64_t height) {
  return absl::StrCat("mark/", absl::Dec(height, absl::kZeroPad10));
}

// The batch of a height: a mark, and some keys that earlier heights wrote too. Depends on nothing
// but seed and height.
StoreBatch BatchOf(uint64_t seed, uint64_t height) {
  SplitMix64 random(seed * 1'000'003 + height);
  StoreBatch batch;
  batch.Put(MarkKey(height), "");
  for (uint64_t n = 1 + random.Below(6); n-- > 0;) {
    const std::string key = absl::StrCat("key/", random.Below(kKeys));
    if (random.Chance(100)) {
      batch.Delete(key);
    } else {
      batch.Put(key, RandomBytes(&random, random.Chance(50) ? 9000 : random.Below(900)));
    }
  }
  return batch;
}

std::map<std::string, std::string> StateAt(uint64_t seed, uint64_t height) {
  std::map<std::string, std::string> state;
  for (uint64_t h = 1; h <= height; ++h) {
    const StoreBatch batch = BatchOf(seed, h);
    for (const StoreBatch::Operation& operation : batch.operations()) {
      if (operation.value.has_value()) {
        state[operation.key] = *operation.value;
      } else {
        state.erase(operation.key);
      }
    }
  }
  return state;
}

enum class Found { kPrefix, kHole, kWrongState, kRefused, kLostSynced };

struct Outcome {
  Found found = Found::kPrefix;
  uint64_t height = 0;  // Of the prefix.
  std::string message;
};

// What a store holds: marks without a gap, and exactly the state of the last mark.
Outcome Judge(const Store& store, uint64_t seed, uint64_t synced) {
  std::map<std::string, std::string> state;
  const absl::Status status =
      store.Scan("", "", false, [&state](absl::string_view key, absl::string_view value) {
        state.emplace(key, value);
        return true;
      });
  if (!status.ok()) return {.found = Found::kRefused, .message = status.ToString()};
  Outcome outcome;
  uint64_t marks = 0;
  for (const auto& [key, value] : state) marks += key.starts_with("mark/") ? 1 : 0;
  while (state.contains(MarkKey(outcome.height + 1))) ++outcome.height;
  if (outcome.height != marks) {
    outcome.found = Found::kHole;
  } else if (outcome.height < synced) {
    outcome.found = Found::kLostSynced;
  } else if (state != StateAt(seed, outcome.height)) {
    outcome.found = Found::kWrongState;
  }
  outcome.message = absl::StrCat(outcome.height, " in order of ", marks, " marks");
  return outcome;
}

// Writes heights from `from` on; syncs now and then. Returns the last height that was synced, or
// nullopt when all of them were written without a crash.
std::optional<uint64_t> WriteUntilCrash(Store* store, uint64_t seed, uint64_t from,
                                        uint64_t synced) {
  for (uint64_t height = from; height <= kHeights; ++height) {
    if (!store->Write(BatchOf(seed, height)).ok()) return synced;
    if (height % 97 != 0) continue;
    if (!store->Sync().ok()) return synced;
    synced = height;
  }
  return std::nullopt;
}

// Crashes a fresh store at `operation`, opens what is left and judges it. nullopt: no crash came.
std::optional<Outcome> CrashAndJudge(uint64_t seed, uint64_t operation, CrashMode mode,
                                     const LevelDbGuards& guards) {
  FaultyFileSystem files(seed);
  std::optional<uint64_t> synced = 0;
  files.CrashAt(operation);
  {
    auto store = OpenLevelDbStore(&files, kDirectory, OptionsOf(seed, guards));
    if (store.ok()) synced = WriteUntilCrash(store->get(), seed, /*from=*/1, /*synced=*/0);
  }
  if (!synced.has_value()) return std::nullopt;
  files.Crash(mode);
  auto reopened = OpenLevelDbStore(&files, kDirectory, OptionsOf(seed, guards));
  if (!reopened.ok()) {
    return Outcome{.found = Found::kRefused, .message = reopened.status().ToString()};
  }
  return Judge(**reopened, seed, *synced);
}

uint64_t OperationsOf(uint64_t seed) {
  FaultyFileSystem files(seed);
  auto store = *OpenLevelDbStore(&files, kDirectory, OptionsOf(seed));
  REQUIRE_FALSE(WriteUntilCrash(store.get(), seed, 1, 0).has_value());
  return files.operation_count();
}

constexpr CrashMode kModes[] = {CrashMode::kTornPages,  CrashMode::kTornSectors,
                                CrashMode::kTornPrefix, CrashMode::kLoseUnsynced,
                                CrashMode::kAnyLoss,    CrashMode::kProcessOnly};

struct Counts {
  int prefix = 0;
  int hole = 0;
  int refused = 0;
  int other = 0;
  int crashes = 0;
};

// Crashes `crashes` times at random operations.
Counts CrashManyTimes(int crashes, const LevelDbGuards& guards, bool must_be_prefix) {
  Counts counts;
  SplitMix64 random(TestSeed());
  while (counts.crashes < crashes) {
    const uint64_t seed = TestSeed() + static_cast<uint64_t>(counts.crashes);
    const uint64_t operation = random.Below(OperationsOf(seed));
    const CrashMode mode = kModes[random.Below(must_be_prefix ? 6 : 2)];
    const std::optional<Outcome> outcome = CrashAndJudge(seed, operation, mode, guards);
    if (!outcome.has_value()) continue;
    ++counts.crashes;
    if (must_be_prefix) {
      CAPTURE(seed, operation, static_cast<int>(mode), outcome->message);
      REQUIRE(outcome->found == Found::kPrefix);
    }
    counts.prefix += outcome->found == Found::kPrefix;
    counts.hole += outcome->found == Found::kHole || outcome->found == Found::kWrongState;
    counts.refused += outcome->found == Found::kRefused;
    counts.other += outcome->found == Found::kLostSynced;
  }
  return counts;
}

TEST_CASE("leveldb crash: 60 crashes with lost pages leave a clean prefix each",
          "[ledger_storage]") {
  CAPTURE(TestSeed());
  CHECK(CrashManyTimes(60, {}, /*must_be_prefix=*/true).prefix == 60);
}

TEST_CASE("leveldb crash: 1000 crashes with lost pages leave a clean prefix each",
          "[ledger_storage][.slow]") {
  CAPTURE(TestSeed());
  CHECK(CrashManyTimes(1000, {}, /*must_be_prefix=*/true).prefix == 1000);
}

TEST_CASE("leveldb crash: without our guards LevelDB opens with holes", "[ledger_storage]") {
  CAPTURE(TestSeed());
  const Counts counts = CrashManyTimes(
      60, {.sync_logs_on_close = false, .cut_torn_tails = false, .paranoid_checks = false},
      /*must_be_prefix=*/false);
  INFO(counts.prefix << " prefixes, " << counts.hole << " holes, " << counts.refused << " refused");
  CHECK(counts.hole > 2);
}

TEST_CASE("leveldb crash: with paranoid checks but no cut LevelDB refuses to open",
          "[ledger_storage]") {
  CAPTURE(TestSeed());
  const Counts counts = CrashManyTimes(60, {.cut_torn_tails = false}, /*must_be_prefix=*/false);
  INFO(counts.prefix << " prefixes, " << counts.hole << " holes, " << counts.refused << " refused");
  CHECK(counts.refused > 2);
}

TEST_CASE("leveldb crash: at every operation of opening and of the first log switches",
          "[ledger_storage]") {
  CAPTURE(TestSeed());
  const uint64_t seed = TestSeed();
  const uint64_t last = std::min<uint64_t>(OperationsOf(seed), 130);
  for (uint64_t operation = 0; operation < last; ++operation) {
    const CrashMode mode = kModes[operation % 5];
    const auto outcome = CrashAndJudge(seed, operation, mode, {});
    REQUIRE(outcome.has_value());
    CAPTURE(operation, static_cast<int>(mode), outcome->message);
    REQUIRE(outcome->found == Found::kPrefix);
  }
}

TEST_CASE("leveldb crash: at every operation in every way", "[ledger_storage][.slow]") {
  CAPTURE(TestSeed());
  const uint64_t seed = TestSeed();
  const uint64_t operations = OperationsOf(seed);
  for (const CrashMode mode : kModes) {
    for (uint64_t operation = 0; operation < operations; ++operation) {
      const auto outcome = CrashAndJudge(seed, operation, mode, {});
      REQUIRE(outcome.has_value());
      CAPTURE(operation, static_cast<int>(mode), outcome->message);
      REQUIRE(outcome->found == Found::kPrefix);
    }
  }
}

// Ten crashes one after the other on one disk, also while it recovers.
void CrashAgainAndAgain(uint64_t seed) {
  FaultyFileSystem files(seed);
  SplitMix64 random(seed);
  uint64_t height = 0;
  uint64_t synced = 0;
  for (int crash = 0; crash < 10; ++crash) {
    files.CrashAt(files.operation_count() + random.Below(150));
    {
      auto store = OpenLevelDbStore(&files, kDirectory, OptionsOf(seed));
      if (store.ok()) {
        const Outcome outcome = Judge(**store, seed, synced);
        CAPTURE(seed, crash, outcome.message);
        REQUIRE((outcome.found == Found::kPrefix || files.is_off()));
        if (outcome.found == Found::kPrefix) {
          height = outcome.height;
          synced = WriteUntilCrash(store->get(), seed, height + 1, synced).value_or(kHeights);
        }
      } else {
        CAPTURE(seed, crash, store.status());
        REQUIRE(files.is_off());
      }
    }
    files.Crash(kModes[random.Below(5)]);
    if (synced == kHeights) synced = 0;  // Written to the end without a sync of the last.
  }
  auto store = OpenLevelDbStore(&files, kDirectory, OptionsOf(seed));
  CAPTURE(seed, store.status());
  REQUIRE(store.ok());
  REQUIRE(Judge(**store, seed, synced).found == Found::kPrefix);
}

TEST_CASE("leveldb crash: ten in a row also during recovery leave a clean prefix",
          "[ledger_storage]") {
  CAPTURE(TestSeed());
  for (uint64_t seed = TestSeed(); seed < TestSeed() + 8; ++seed) CrashAgainAndAgain(seed);
}

// The write that switches logs: its height and its first and last operation.
struct LogSwitch {
  uint64_t height = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
};

LogSwitch FindLogSwitch(const LevelDbOptions& options) {
  FaultyFileSystem files(1);
  auto store = *OpenLevelDbStore(&files, kDirectory, options);
  LogSwitch found;
  for (;;) {
    found.begin = files.operation_count();
    REQUIRE(store->Write(BatchOf(1, ++found.height)).ok());
    found.end = files.operation_count();
    if (found.end > found.begin + 6) return found;  // One per fragment, but a table takes many.
  }
}

TEST_CASE("leveldb crash: a closed log is durable although nobody called Sync",
          "[ledger_storage]") {
  for (const bool guarded : {true, false}) {
    const LevelDbOptions options = SmallOptions({.sync_logs_on_close = guarded});
    const LogSwitch log_switch = FindLogSwitch(options);
    int lost = 0;
    // From the fifth operation on the old log is closed and the new one has its first batch.
    for (uint64_t operation = log_switch.begin + 4; operation < log_switch.end; ++operation) {
      FaultyFileSystem files(1);
      files.CrashAt(operation);
      WriteUntilCrash(OpenLevelDbStore(&files, kDirectory, options)->get(), 1, 1, 0);
      files.Crash(CrashMode::kLoseUnsynced);
      auto store = OpenLevelDbStore(&files, kDirectory, options);
      REQUIRE(store.ok());
      const Outcome outcome = Judge(**store, 1, 0);
      CHECK(outcome.found == Found::kPrefix);
      lost += outcome.height + 1 < log_switch.height;
    }
    CHECK((lost == 0) == guarded);
  }
}

TEST_CASE("leveldb crash: deterministic mode makes the same operations twice", "[ledger_storage]") {
  uint64_t digests[2];
  for (uint64_t& digest : digests) {
    FaultyFileSystem files(3);
    {
      auto store = *OpenLevelDbStore(&files, kDirectory, SmallOptions());
      REQUIRE_FALSE(WriteUntilCrash(store.get(), 3, 1, 0).has_value());
      REQUIRE(Judge(*store, 3, 0).found == Found::kPrefix);
    }
    {
      auto store = *OpenLevelDbStore(&files, kDirectory, SmallOptions());
      REQUIRE(Judge(*store, 3, kHeights).found == Found::kPrefix);
    }
    digest = files.trace_digest();
  }
  CHECK(digests[0] == digests[1]);
}

TEST_CASE("leveldb crash: a failed write latches the store and the next run has a clean prefix",
          "[ledger_storage]") {
  CAPTURE(TestSeed());
  SplitMix64 random(TestSeed());
  for (uint64_t seed = TestSeed(); seed < TestSeed() + 12; ++seed) {
    FaultyFileSystem files(seed);
    const DiskFault fault = static_cast<DiskFault>(random.Below(3));
    uint64_t synced = 0;
    {
      auto store = *OpenLevelDbStore(&files, kDirectory, SmallOptions());
      files.FailAt(files.operation_count() + random.Below(450), fault);
      absl::Status first_error;
      for (uint64_t height = 1; height <= kHeights && first_error.ok(); ++height) {
        first_error = store->Write(BatchOf(seed, height));
        if (first_error.ok() && height % 97 == 0) {
          first_error = store->Sync();
          if (first_error.ok()) synced = height;
        }
      }
      CAPTURE(seed, static_cast<int>(fault), first_error);
      REQUIRE_FALSE(first_error.ok());
      CHECK(first_error.code() == (fault == DiskFault::kIoError
                                       ? absl::StatusCode::kUnavailable
                                       : absl::StatusCode::kResourceExhausted));
      CHECK(store->Write(BatchOf(seed, 1)) == first_error);
      CHECK(store->Sync() == first_error);
    }
    files.Crash(CrashMode::kAnyLoss);
    auto store = OpenLevelDbStore(&files, kDirectory, SmallOptions());
    CAPTURE(seed, static_cast<int>(fault), store.status());
    REQUIRE(store.ok());
    const Outcome outcome = Judge(**store, seed, synced);
    CAPTURE(outcome.message);
    CHECK(outcome.found == Found::kPrefix);
  }
}

}  // namespace
}  // namespace vigil::ledger
