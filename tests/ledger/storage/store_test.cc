// What store.h promises, held against each store.
#include "ledger/storage/store.h"

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/memory_store.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

enum class Kind { kMemory, kLevelDbDeterministic, kLevelDbThreaded };
constexpr Kind kKinds[] = {Kind::kMemory, Kind::kLevelDbDeterministic, Kind::kLevelDbThreaded};

std::unique_ptr<Store> MakeStore(Kind kind, FileSystem* files) {
  if (kind == Kind::kMemory) return std::make_unique<MemoryStore>();
  auto store = OpenLevelDbStore(files, "/db",
                                {.deterministic = kind == Kind::kLevelDbDeterministic,
                                 .cache_bytes = 64 * 1024,
                                 .write_buffer_bytes = 64 * 1024});
  INFO(store.status());
  REQUIRE(store.ok());
  return *std::move(store);
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs ScanAll(const StoreReader& reader, absl::string_view from, absl::string_view to,
              bool reverse = false) {
  Pairs pairs;
  const absl::Status status =
      reader.Scan(from, to, reverse, [&pairs](absl::string_view key, absl::string_view value) {
        pairs.emplace_back(key, value);
        return true;
      });
  REQUIRE(status.ok());
  return pairs;
}

TEST_CASE("store: the last operation of a batch on a key wins and an absent key is nullopt",
          "[ledger_storage]") {
  for (const Kind kind : kKinds) {
    FaultyFileSystem files(1);
    const auto store = MakeStore(kind, &files);
    CHECK_FALSE(store->Get("a")->has_value());
    StoreBatch batch;
    batch.Put("a", "1");
    batch.Put("a", "2");
    batch.Put("b", "1");
    batch.Delete("b");
    batch.Delete("c");
    batch.Put("c", "3");
    batch.Put("", std::string("\0empty key", 10));
    CHECK(batch.operations().size() == 7);
    REQUIRE(store->Write(batch).ok());
    CHECK(**store->Get("a") == "2");
    CHECK_FALSE(store->Get("b")->has_value());
    CHECK(**store->Get("c") == "3");
    CHECK(**store->Get("") == std::string("\0empty key", 10));
    CHECK(store->Sync().ok());
  }
}

TEST_CASE("store: scans keep their bounds in both directions and stop when told",
          "[ledger_storage]") {
  for (const Kind kind : kKinds) {
    FaultyFileSystem files(1);
    const auto store = MakeStore(kind, &files);
    StoreBatch batch;
    for (const char* key : {"a", "b", "ba", "c", "\xff"}) batch.Put(key, std::string("v") + key);
    REQUIRE(store->Write(batch).ok());
    const Pairs b_to_c = {{"b", "vb"}, {"ba", "vba"}};
    CHECK(ScanAll(*store, "b", "c") == b_to_c);
    CHECK(ScanAll(*store, "b", "c", true) == Pairs(b_to_c.rbegin(), b_to_c.rend()));
    CHECK(ScanAll(*store, "", "").size() == 5);
    CHECK(ScanAll(*store, "", "", true).front().first == "\xff");
    CHECK(ScanAll(*store, "", "\xff\xff", true).front().first == "\xff");
    CHECK(ScanAll(*store, "ca", "cb").empty());
    CHECK(ScanAll(*store, "ca", "cb", true).empty());
    CHECK(ScanAll(*store, "c", "b").empty());
    CHECK(ScanAll(*store, "c", "b", true).empty());
    CHECK(ScanAll(*store, "b", "b").empty());
    int visits = 0;
    REQUIRE(store
                ->Scan("", "", false,
                       [&visits](absl::string_view, absl::string_view) { return ++visits < 2; })
                .ok());
    CHECK(visits == 2);
  }
}

TEST_CASE("store: a snapshot does not move and outlives the store", "[ledger_storage]") {
  for (const Kind kind : kKinds) {
    FaultyFileSystem files(1);
    auto store = MakeStore(kind, &files);
    StoreBatch before;
    before.Put("a", "old");
    before.Put("b", "old");
    REQUIRE(store->Write(before).ok());
    auto snapshot = store->Snapshot();
    StoreBatch after;
    after.Put("a", "new");
    after.Delete("b");
    after.Put("c", "new");
    REQUIRE(store->Write(after).ok());
    const Pairs old = {{"a", "old"}, {"b", "old"}};
    CHECK(ScanAll(*snapshot, "", "") == old);
    CHECK(**snapshot->Get("a") == "old");
    CHECK_FALSE(snapshot->Get("c")->has_value());
    CHECK(ScanAll(*store, "", "") == Pairs{{"a", "new"}, {"c", "new"}});
    store = nullptr;
    CHECK(ScanAll(*snapshot, "", "", true) == Pairs(old.rbegin(), old.rend()));
  }
}

TEST_CASE("store: random batches agree with a plain map and survive reopening",
          "[ledger_storage]") {
  CAPTURE(TestSeed());
  for (const Kind kind : kKinds) {
    FaultyFileSystem files(1);
    SplitMix64 random(TestSeed());
    std::map<std::string, std::string> expected;
    auto store = MakeStore(kind, &files);
    for (int i = 0; i < 1500; ++i) {
      StoreBatch batch;
      for (uint64_t n = random.Below(8); n-- > 0;) {
        const std::string key = std::to_string(random.Below(300));
        if (random.Chance(250)) {
          batch.Delete(key);
          expected.erase(key);
        } else {
          const std::string value = RandomBytes(&random, random.Below(600));
          batch.Put(key, value);
          expected[key] = value;
        }
      }
      REQUIRE(store->Write(batch).ok());
      if (i % 500 == 250 && kind != Kind::kMemory) {
        store = nullptr;
        store = MakeStore(kind, &files);
      }
    }
    const Pairs all(expected.begin(), expected.end());
    CHECK(ScanAll(*store, "", "") == all);
    CHECK(ScanAll(*store, "", "", true) == Pairs(all.rbegin(), all.rend()));
    for (int i = 0; i < 300; ++i) {
      const auto found = expected.find(std::to_string(i));
      const auto got = store->Get(std::to_string(i));
      REQUIRE(got.ok());
      REQUIRE(got->has_value() == (found != expected.end()));
      if (got->has_value()) REQUIRE(**got == found->second);
    }
  }
}

TEST_CASE("store: readers on other threads see whole batches only", "[ledger_storage]") {
  for (const Kind kind : {Kind::kMemory, Kind::kLevelDbThreaded}) {
    FaultyFileSystem files(1);
    const auto store = MakeStore(kind, &files);
    std::atomic<bool> done = false;
    std::atomic<int> torn = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) {
      readers.emplace_back([&] {
        while (!done) {
          const auto snapshot = store->Snapshot();
          const auto first = snapshot->Get("first");
          const auto second = snapshot->Get("second");
          if (!first.ok() || !second.ok() || *first != *second) ++torn;
          std::this_thread::yield();
        }
      });
    }
    for (int i = 0; i < 2000; ++i) {
      StoreBatch batch;
      const std::string value = std::to_string(i) + std::string(200, 'x');
      batch.Put("first", value);
      batch.Put("second", value);
      REQUIRE(store->Write(batch).ok());
    }
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(torn == 0);
  }
}

TEST_CASE("store: LevelDB on the machine's own disk with its own thread keeps everything",
          "[ledger_storage]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/db";
  const LevelDbOptions options = {.write_buffer_bytes = 64 * 1024};
  auto store = OpenLevelDbStore(PosixFileSystem(), path, options);
  REQUIRE(store.ok());
  CHECK(absl::IsAlreadyExists(OpenLevelDbStore(PosixFileSystem(), path, options).status()));
  for (int i = 0; i < 5000; ++i) {
    StoreBatch batch;
    batch.Put(std::to_string(i), std::string(300, static_cast<char>('a' + i % 26)));
    REQUIRE((*store)->Write(batch).ok());
  }
  REQUIRE((*store)->Sync().ok());
  store->reset();
  store = OpenLevelDbStore(PosixFileSystem(), path, options);
  REQUIRE(store.ok());
  CHECK(ScanAll(**store, "", "").size() == 5000);
  CHECK(**(*store)->Get("4711") == std::string(300, static_cast<char>('a' + 4711 % 26)));
  store->reset();
  // A compaction that closing interrupts leaves a table without an end, which the next opening
  // removes. This one runs its work to the end.
  store = OpenLevelDbStore(PosixFileSystem(), path,
                           {.deterministic = true, .write_buffer_bytes = 64 * 1024});
  REQUIRE(store.ok());
  CHECK(ScanAll(**store, "", "").size() == 5000);
  store->reset();
  CHECK(CheckLevelDbTables(PosixFileSystem(), path)->empty());
  REQUIRE(RemoveLevelDbStore(PosixFileSystem(), path).ok());
  store = OpenLevelDbStore(PosixFileSystem(), path, options);
  REQUIRE(store.ok());
  CHECK(ScanAll(**store, "", "").empty());
}

}  // namespace
}  // namespace vigil::ledger
