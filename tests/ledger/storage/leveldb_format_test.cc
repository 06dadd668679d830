#include "ledger/storage/leveldb_format.h"

#include <string>
#include <vector>

#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/leveldb_store.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

// A log that LevelDB itself wrote, with batches of the given value sizes.
std::string LogOfLevelDb(const std::vector<size_t>& value_sizes) {
  FaultyFileSystem files(1);
  auto store =
      *OpenLevelDbStore(&files, "/db", {.deterministic = true, .write_buffer_bytes = 64 << 20});
  for (const size_t size : value_sizes) {
    StoreBatch batch;
    batch.Put("k", std::string(size, 'v'));
    batch.Delete("gone");
    REQUIRE(store->Write(batch).ok());
  }
  const std::vector<std::string> names = *files.List("/db");
  for (const std::string& name : names) {
    if (name.ends_with(".log")) return *files.ReadAll("/db/" + name);
  }
  return "";
}

TEST_CASE("leveldb format: the log scanner reads what LevelDB writes at every record size",
          "[ledger_storage]") {
  // Sizes around the block of 32 KiB, so that fragments and padding of every kind occur.
  std::vector<size_t> sizes;
  for (size_t size = 32700; size < 32780; ++size) sizes.push_back(size);
  for (size_t size = 0; size < 40; ++size) sizes.push_back(size);
  sizes.push_back(200'000);
  const std::string log = LogOfLevelDb(sizes);
  size_t records = 0;
  uint64_t next_sequence = 1;
  const uint64_t end = ScanLevelDbLog(AsBytes(log), [&](ByteSpan record) {
    const auto batch = ParseLevelDbBatch(record);
    REQUIRE(batch.ok());
    REQUIRE(batch->sequence == next_sequence);
    REQUIRE(batch->count == 2);
    REQUIRE(record.size() > sizes[records]);
    next_sequence += 2;
    ++records;
    return true;
  });
  CHECK(records == sizes.size());
  CHECK(end == log.size());
}

TEST_CASE("leveldb format: a log cut at any byte or flipped at any byte ends at a whole record",
          "[ledger_storage]") {
  const std::string log = LogOfLevelDb({10, 32750, 5, 70000, 3});
  std::vector<uint64_t> ends;
  std::vector<uint64_t> found;
  const auto count = [&found](ByteSpan) {
    found.push_back(0);
    return true;
  };
  ScanLevelDbLog(AsBytes(log), count);
  REQUIRE(found.size() == 5);
  SplitMix64 random(TestSeed());
  CAPTURE(TestSeed());
  uint64_t last_end = 0;
  for (size_t size = 0; size <= log.size(); size += 1 + random.Below(40)) {
    const uint64_t end = ScanLevelDbLog(AsBytes(log).first(size), [](ByteSpan) { return true; });
    REQUIRE(end <= size);
    REQUIRE(end >= last_end);
    last_end = end;
  }
  for (size_t at = 0; at < log.size(); at += 1 + random.Below(60)) {
    std::string flipped = log;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << random.Below(8)));
    const uint64_t end = ScanLevelDbLog(AsBytes(flipped), [](ByteSpan) { return true; });
    CAPTURE(at, end);
    // A flip in the padding of a block changes nothing; anywhere else it ends the sound part.
    if (end == log.size()) {
      REQUIRE(at % 32768 > 32768 - 7);
    } else {
      REQUIRE(end <= at);
    }
  }
}

TEST_CASE("leveldb format: a batch header that is cut off is data loss", "[ledger_storage]") {
  CHECK(absl::IsDataLoss(ParseLevelDbBatch(AsBytes(std::string(11, '\0'))).status()));
  const auto header =
      ParseLevelDbBatch(AsBytes(std::string("\x07\x01\0\0\0\0\0\0\x02\0\0\0rest", 16)));
  REQUIRE(header.ok());
  CHECK(header->sequence == 0x107);
  CHECK(header->count == 2);
}

TEST_CASE("leveldb format: manifest edits are read field by field and nonsense is refused",
          "[ledger_storage]") {
  LevelDbManifest manifest;
  // comparator "ab"; log 300; next file 5; last sequence 9; compact pointer; deleted; new file.
  const std::string edit(
      "\x01\x02"
      "ab\x02\xac\x02\x03\x05\x04\x09\x05\x01\x01k\x06\x00\x07\x07\x00\x08\x10\x01"
      "a\x01z\x09\x00",
      28);
  REQUIRE(ApplyLevelDbEdit(AsBytes(edit), &manifest).ok());
  CHECK(manifest.log_number == 300);
  CHECK(manifest.last_sequence == 9);
  CHECK(absl::IsDataLoss(ApplyLevelDbEdit(AsBytes(std::string("\x08\x01", 2)), &manifest)));
  CHECK(absl::IsDataLoss(ApplyLevelDbEdit(AsBytes(std::string("\x02", 1)), &manifest)));
  CHECK(absl::IsDataLoss(ApplyLevelDbEdit(AsBytes(std::string("\x02\xff", 2)), &manifest)));
  CHECK(absl::IsDataLoss(ApplyLevelDbEdit(AsBytes(std::string("\x01\x7fxx", 4)), &manifest)));
  CHECK(absl::IsDataLoss(
      ApplyLevelDbEdit(AsBytes(std::string(1, '\x02') + std::string(11, '\xff')), &manifest)));
}

}  // namespace
}  // namespace vigil::ledger
