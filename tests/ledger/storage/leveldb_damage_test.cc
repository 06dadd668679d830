// A LevelDB directory damaged at rest: refused or served right, never served wrong, and the file is
// named.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/leveldb_format.h"
#include "ledger/storage/leveldb_store.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

constexpr LevelDbOptions kOptions = {
    .deterministic = true, .cache_bytes = 16 * 1024, .write_buffer_bytes = 64 * 1024};

std::string ValueOf(int i) {
  SplitMix64 random(static_cast<uint64_t>(i));
  return RandomBytes(&random, 200);
}

// A closed store of 1000 keys in several tables and a log.
std::unique_ptr<FaultyFileSystem> FilledDisk() {
  auto files = std::make_unique<FaultyFileSystem>(1);
  auto store = *OpenLevelDbStore(files.get(), "/db", kOptions);
  for (int i = 0; i < 1000; ++i) {
    StoreBatch batch;
    batch.Put(absl::StrCat("key", absl::Dec(i, absl::kZeroPad4)), ValueOf(i));
    REQUIRE(store->Write(batch).ok());
  }
  REQUIRE(store->Sync().ok());
  return files;
}

std::vector<std::string> NamesEndingWith(const FileSystem& files, absl::string_view suffix) {
  std::vector<std::string> names;
  const std::vector<std::string> all = *files.List("/db");
  for (const std::string& name : all) {
    if (absl::EndsWith(name, suffix)) names.push_back(name);
  }
  return names;
}

TEST_CASE("leveldb damage: a flipped bit in a table is refused and named and never served",
          "[ledger_storage]") {
  auto files = FilledDisk();
  const std::string name = NamesEndingWith(*files, ".ldb").front();
  const std::string path = "/db/" + name;
  const uint64_t size = *files->Size(path);
  int refused = 0;
  SplitMix64 random(TestSeed());
  CAPTURE(TestSeed());
  for (uint64_t at = 0; at < size; at += 1 + random.Below(size / 40)) {
    REQUIRE(files->FlipBit(path, at, 2).ok());
    FaultyFileSystem* disk = files.get();
    {
      auto store = OpenLevelDbStore(disk, "/db", kOptions);
      absl::Status status = store.status();
      int right = 0;
      if (store.ok()) {
        for (int i = 0; i < 1000; ++i) {
          const auto value = (*store)->Get(absl::StrCat("key", absl::Dec(i, absl::kZeroPad4)));
          if (!value.ok()) {
            status = value.status();
            continue;
          }
          REQUIRE(value->has_value());  // Never lost in silence.
          REQUIRE(**value == ValueOf(i));
          ++right;
        }
      }
      CAPTURE(at, size, status, right);
      if (!status.ok()) {
        ++refused;
        CHECK(absl::IsDataLoss(status));
        // The footer holds no CRC: LevelDB finds it by its magic number or by where it points.
        if (at < size - 48) CHECK(absl::StrContains(status.message(), name));
      }
    }
    const std::vector<absl::Status> damages = *CheckLevelDbTables(disk, "/db");
    if (at < size - 48) {
      REQUIRE(damages.size() == 1);
      CHECK(absl::IsDataLoss(damages[0]));
      CHECK(absl::StrContains(damages[0].message(), path));
    }
    // A compaction while open may have rewritten tables: start from the same disk each time.
    files = FilledDisk();
  }
  CHECK(refused > 20);
}

TEST_CASE("leveldb damage: a missing table is data loss and not a missing key",
          "[ledger_storage]") {
  auto files = FilledDisk();
  const std::string name = NamesEndingWith(*files, ".ldb").front();
  {
    auto store = *OpenLevelDbStore(files.get(), "/db", kOptions);
    const std::string gone = NamesEndingWith(*files, ".ldb").front();
    REQUIRE(files->Remove("/db/" + gone).ok());
    int lost = 0;
    for (int i = 0; i < 1000; ++i) {
      const auto value = store->Get(absl::StrCat("key", absl::Dec(i, absl::kZeroPad4)));
      if (value.ok()) {
        REQUIRE(value->has_value());
      } else {
        CHECK(absl::IsDataLoss(value.status()));
        CHECK(absl::StrContains(value.status().message(), gone));
        ++lost;
      }
    }
    CHECK(lost > 0);
  }
  const absl::Status reopened = OpenLevelDbStore(files.get(), "/db", kOptions).status();
  CHECK(absl::IsDataLoss(reopened));
}

TEST_CASE("leveldb damage: CURRENT or manifest damaged or missing is data loss naming the file",
          "[ledger_storage]") {
  auto files = FilledDisk();
  const std::string manifest = files->ReadAll("/db/CURRENT")->substr(0, 15);
  std::string named;
  SECTION("CURRENT missing would make LevelDB start anew and delete every table") {
    REQUIRE(files->Remove("/db/CURRENT").ok());
    named = "/db/CURRENT";
  }
  SECTION("CURRENT flipped") {
    REQUIRE(files->FlipBit("/db/CURRENT", 3, 1).ok());
    named = "/db/CURRENT";
  }
  SECTION("CURRENT empty") {
    REQUIRE(files->Truncate("/db/CURRENT", 0).ok());
    named = "/db/CURRENT";
  }
  SECTION("manifest missing") {
    REQUIRE(files->Remove("/db/" + manifest).ok());
    named = manifest;
  }
  SECTION("manifest empty") {
    REQUIRE(files->Truncate("/db/" + manifest, 0).ok());
    named = manifest;
  }
  const size_t tables = NamesEndingWith(*files, ".ldb").size();
  const absl::Status status = OpenLevelDbStore(files.get(), "/db", kOptions).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(absl::StrContains(status.message(), named));
  CHECK(NamesEndingWith(*files, ".ldb").size() == tables);

  REQUIRE(RemoveLevelDbStore(files.get(), "/db").ok());
  CHECK(OpenLevelDbStore(files.get(), "/db", kOptions).ok());
}

// Opens a damaged copy; what it serves must be the keys 0 to k - 1, rightly. Returns k.
int PrefixServed(FaultyFileSystem* files, absl::Status* status) {
  auto store = OpenLevelDbStore(files, "/db", kOptions);
  *status = store.status();
  if (!store.ok()) return 0;
  int k = 0;
  bool right = true;
  *status = (*store)->Scan("", "", false, [&](absl::string_view key, absl::string_view value) {
    right =
        right && key == absl::StrCat("key", absl::Dec(k, absl::kZeroPad4)) && value == ValueOf(k);
    ++k;
    return true;
  });
  REQUIRE(right);
  return k;
}

TEST_CASE("leveldb damage: a flipped bit anywhere in manifest or log gives a prefix or a refusal",
          "[ledger_storage]") {
  SplitMix64 random(TestSeed());
  CAPTURE(TestSeed());
  int refused = 0;
  int shortened = 0;
  for (const bool in_manifest : {true, false}) {
    for (int round = 0; round < 60; ++round) {
      auto files = FilledDisk();
      const std::string name = in_manifest ? files->ReadAll("/db/CURRENT")->substr(0, 15)
                                           : NamesEndingWith(*files, ".log").back();
      const uint64_t at = random.Below(*files->Size("/db/" + name));
      const int bit = static_cast<int>(random.Below(8));
      REQUIRE(files->FlipBit("/db/" + name, at, bit).ok());
      absl::Status status;
      const int served = PrefixServed(files.get(), &status);
      CAPTURE(name, at, bit, served, status);
      if (status.ok()) {
        CHECK(served <= 1000);
        shortened += served < 1000;
      } else {
        CHECK(absl::IsDataLoss(status));
        ++refused;
      }
    }
  }
  CHECK(refused > 20);
  CHECK(shortened > 20);
}

// A disk on which a process died between switching logs and writing the old one into a table: two
// logs are live, the later one with one batch.
std::unique_ptr<FaultyFileSystem> DiskWithTwoLiveLogs() {
  for (uint64_t operation = 0;; ++operation) {
    auto files = std::make_unique<FaultyFileSystem>(1);
    {
      auto store = *OpenLevelDbStore(files.get(), "/db", kOptions);
      files->CrashAt(files->operation_count() + operation);
      bool ok = true;
      for (int i = 0; i < 1000 && ok; ++i) {
        StoreBatch batch;
        batch.Put(absl::StrCat("key", absl::Dec(i, absl::kZeroPad4)), ValueOf(i));
        ok = store->Write(batch).ok();
      }
      REQUIRE_FALSE(ok);
    }
    files->Crash(CrashMode::kProcessOnly);
    const std::vector<std::string> logs = NamesEndingWith(*files, ".log");
    if (logs.size() != 2) continue;
    const std::string later = *files->ReadAll("/db/" + logs[1]);
    if (ScanLevelDbLog(AsBytes(later), [](ByteSpan) { return true; }) > 0) return files;
  }
}

TEST_CASE("leveldb damage: the older of two live logs takes the later one with it",
          "[ledger_storage]") {
  auto files = DiskWithTwoLiveLogs();
  const std::string older = "/db/" + NamesEndingWith(*files, ".log")[0];
  const std::string content = *files->ReadAll(older);
  const auto end_before = [&content](uint64_t size) {
    return ScanLevelDbLog(AsBytes(content).first(size), [](ByteSpan) { return true; });
  };
  const uint64_t last_start = end_before(content.size() - 1);
  int expected = 0;
  ScanLevelDbLog(AsBytes(content).first(last_start), [&expected](ByteSpan) {
    ++expected;
    return true;
  });
  absl::Status status;

  SECTION("untouched it is followed by the later one") {
    CHECK(PrefixServed(files.get(), &status) == expected + 2);
  }
  SECTION("a flipped bit in its last batch") {
    REQUIRE(files->FlipBit(older, content.size() - 5, 1).ok());
    CHECK(PrefixServed(files.get(), &status) == expected);
  }
  SECTION("its last batch missing without a trace but its number") {
    REQUIRE(files->Truncate(older, last_start).ok());
    CHECK(PrefixServed(files.get(), &status) == expected);
  }
  SECTION("empty") {
    REQUIRE(files->Truncate(older, 0).ok());
    CHECK(PrefixServed(files.get(), &status) == 0);
  }
  INFO(status);
  CHECK(status.ok());
}

TEST_CASE("leveldb damage: a log that cannot be read at all takes the later one with it",
          "[ledger_storage]") {
  auto files = FilledDisk();
  absl::Status status;
  const std::string log = NamesEndingWith(*files, ".log").back();
  // The batches of the only live log now stand in a later one, behind one that holds nothing sound.
  REQUIRE(files->Rename("/db/" + log, "/db/900000.log").ok());
  REQUIRE(files->WriteAtomically("/db/" + log, AsBytes("garbage")).ok());
  const int served = PrefixServed(files.get(), &status);
  CHECK(status.ok());
  CHECK(served > 0);
  CHECK(served < 1000);
}

TEST_CASE("leveldb damage: an obsolete log that is damaged harms no live one", "[ledger_storage]") {
  auto files = FilledDisk();
  REQUIRE(files->WriteAtomically("/db/000001.log", AsBytes("garbage")).ok());
  absl::Status status;
  CHECK(PrefixServed(files.get(), &status) == 1000);
}

TEST_CASE("leveldb damage: a torn end of the manifest is cut and everything is served",
          "[ledger_storage]") {
  auto files = FilledDisk();
  const std::string path = "/db/" + files->ReadAll("/db/CURRENT")->substr(0, 15);
  const std::string manifest = *files->ReadAll(path);
  std::string tail;
  SECTION("zeros") { tail = std::string(5000, '\0'); }
  SECTION("a record of which a page was lost") {
    const uint64_t first_end = ScanLevelDbLog(
        AsBytes(manifest), [seen = false](ByteSpan) mutable { return !std::exchange(seen, true); });
    tail = manifest.substr(0, first_end);
    tail.back() = static_cast<char>(tail.back() ^ 0xff);
  }
  SECTION("a record that is cut off") { tail = manifest.substr(0, 20); }
  REQUIRE(files->Overwrite(path, manifest.size(), AsBytes(tail)).ok());
  absl::Status status;
  CHECK(PrefixServed(files.get(), &status) == 1000);
  INFO(status);
  CHECK(status.ok());
}

TEST_CASE("leveldb damage: a log that is gone though the manifest needs it is refused",
          "[ledger_storage]") {
  auto files = FilledDisk();
  const std::string name = NamesEndingWith(*files, ".log").back();
  REQUIRE(files->Remove("/db/" + name).ok());
  const absl::Status status = OpenLevelDbStore(files.get(), "/db", kOptions).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(absl::StrContains(status.message(), name));
}

TEST_CASE("leveldb damage: removing a store survives a crash at every operation",
          "[ledger_storage]") {
  for (uint64_t operation = 0;; ++operation) {
    auto files = FilledDisk();
    files->CrashAt(files->operation_count() + operation);
    const bool removed = RemoveLevelDbStore(files.get(), "/db").ok();
    files->Crash(CrashMode::kAnyLoss);
    absl::Status status;
    const int served = PrefixServed(files.get(), &status);
    CAPTURE(operation, served, status);
    REQUIRE((removed ? status.ok() && served == 0
                     : absl::IsDataLoss(status) || served == 1000 || served == 0));
    if (removed) break;
  }
}

}  // namespace
}  // namespace vigil::ledger
