// Figures, not checks: ledger_storage_test "[!benchmark]" -s
#include <chrono>
#include <string>

#include "ledger/storage/crc32c.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/leveldb_store.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

double SecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST_CASE("bench: crc32c", "[!benchmark]") {
  const std::string bytes(1 << 20, 'x');
  uint32_t crc = 0;
  const double fast = SecondsOf([&] {
    for (int i = 0; i < 1000; ++i) crc = Crc32cExtend(crc, AsBytes(bytes));
  });
  const double portable = SecondsOf([&] {
    for (int i = 0; i < 200; ++i) crc = Crc32cExtendPortable(crc, AsBytes(bytes));
  });
  WARN("crc32c " << 1.048576 / fast << " GB/s, portable " << 0.2097152 / portable << " GB/s, "
                 << crc);
}

TEST_CASE("bench: journal append and sync", "[!benchmark]") {
  for (const size_t size : {size_t{200}, size_t{4096}, size_t{262144}, size_t{4194304}}) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/journal";
    const JournalId id = MakeJournalId(1);
    REQUIRE(Journal::Create(PosixFileSystem(), path, id).ok());
    JournalOpenReport report;
    auto journal = *Journal::Open(PosixFileSystem(), path, id, 0, {}, &report);
    const std::string body(size, 'b');
    const int groups = size > 1000000 ? 60 : 1000;
    const double seconds = SecondsOf([&] {
      for (int i = 0; i < groups; ++i) {
        REQUIRE(journal->Append(JournalType::kBlock, AsBytes(body)).ok());
        REQUIRE(journal->Sync().ok());
      }
    });
    const auto reader = journal->reader();
    uint64_t bytes = 0;
    const double scan = SecondsOf([&] {
      REQUIRE(reader
                  ->ForEach({.offset = 0},
                            [&bytes](const JournalReader::Frame& frame) {
                              bytes += frame.body.size();
                              return true;
                            })
                  .ok());
    });
    journal = nullptr;
    const double open = SecondsOf(
        [&] { REQUIRE(Journal::Open(PosixFileSystem(), path, id, 0, {}, &report).ok()); });
    WARN(size << " bytes: " << groups / seconds << " groups/s, "
              << groups * double(size) / seconds / 1e6 << " MB/s; scan " << bytes / scan / 1e6
              << " MB/s; open " << bytes / open / 1e6 << " MB/s");
  }
}

TEST_CASE("bench: journal append without sync", "[!benchmark]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/journal";
  const JournalId id = MakeJournalId(1);
  REQUIRE(Journal::Create(PosixFileSystem(), path, id).ok());
  JournalOpenReport report;
  auto journal = *Journal::Open(PosixFileSystem(), path, id, 0, {}, &report);
  const std::string body(200, 'b');
  const double seconds = SecondsOf([&] {
    for (int i = 0; i < 1'000'000; ++i) {
      if (!journal->Append(JournalType::kBlock, AsBytes(body)).ok()) return;
    }
  });
  WARN("append of 200 bytes " << seconds * 1e3 << " ns, written and not synced");
}

TEST_CASE("bench: LevelDB store", "[!benchmark]") {
  const TemporaryDirectory directory;
  auto store = *OpenLevelDbStore(PosixFileSystem(), directory.path() + "/db", {});
  constexpr int kBatches = 2000;
  constexpr int kPerBatch = 100;
  SplitMix64 random(1);
  const std::string value = RandomBytes(&random, 300);
  for (const bool ordered : {true, false}) {
    const double seconds = SecondsOf([&] {
      for (int i = 0; i < kBatches; ++i) {
        StoreBatch batch;
        for (int k = 0; k < kPerBatch; ++k) {
          char key[32];
          std::snprintf(key, sizeof(key), "%c%019llu", ordered ? 'a' : 'b',
                        ordered ? static_cast<unsigned long long>(i) * kPerBatch + k
                                : static_cast<unsigned long long>(random.Next() >> 4));
          batch.Put(key, value);
        }
        REQUIRE(store->Write(batch).ok());
      }
    });
    WARN((ordered ? "in order " : "at random ") << kBatches * kPerBatch / seconds << " puts/s");
  }
}

}  // namespace
}  // namespace vigil::ledger
