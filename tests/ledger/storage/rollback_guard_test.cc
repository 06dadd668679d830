#include <string>

#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/journal.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

constexpr char kPath[] = "/node/guard";

RollbackGuard SomeGuard(uint64_t offset) {
  return {.journal_id = MakeJournalId(1), .epoch = 3, .view = 17, .durable_offset = offset};
}

TEST_CASE("rollback guard: what is saved is loaded and its absence is not found",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs("/node").ok());
  CHECK(absl::IsNotFound(LoadRollbackGuard(&files, kPath).status()));
  REQUIRE(SaveRollbackGuard(&files, kPath, SomeGuard(4711)).ok());
  CHECK(*LoadRollbackGuard(&files, kPath) == SomeGuard(4711));
  files.Crash(CrashMode::kLoseUnsynced);
  CHECK(*LoadRollbackGuard(&files, kPath) == SomeGuard(4711));
}

TEST_CASE("rollback guard: its bytes are those that docs/formats draws", "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs("/node").ok());
  REQUIRE(SaveRollbackGuard(&files, kPath, SomeGuard(0x0102)).ok());
  const std::string bytes = *files.ReadAll(kPath);
  REQUIRE(bytes.size() == 56);
  CHECK(HexEncode(AsBytes(bytes.substr(0, 52))) ==
        "566967696c477264"                  // VigilGrd
        "00000001"                          // format
        "0102030405060708090a0b0c0d0e0f10"  // journal id
        "0000000000000003"                  // epoch
        "0000000000000011"                  // view
        "0000000000000102");                // durable offset
}

TEST_CASE("rollback guard: every flipped bit and every other length is data loss",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs("/node").ok());
  REQUIRE(SaveRollbackGuard(&files, kPath, SomeGuard(4711)).ok());
  const std::string good = *files.ReadAll(kPath);
  for (size_t offset = 0; offset < good.size(); ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      REQUIRE(files.FlipBit(kPath, offset, bit).ok());
      REQUIRE(absl::IsDataLoss(LoadRollbackGuard(&files, kPath).status()));
      REQUIRE(files.FlipBit(kPath, offset, bit).ok());
    }
  }
  for (size_t size = 0; size < good.size(); ++size) {
    REQUIRE(files.WriteAtomically(kPath, AsBytes(good).first(size)).ok());
    REQUIRE(absl::IsDataLoss(LoadRollbackGuard(&files, kPath).status()));
  }
  REQUIRE(files.WriteAtomically(kPath, AsBytes(good + "x")).ok());
  CHECK(absl::IsDataLoss(LoadRollbackGuard(&files, kPath).status()));
}

TEST_CASE("rollback guard: a crash at any operation leaves the old guard or the new one",
          "[ledger_storage]") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint64_t operation = 0;; ++operation) {
      FaultyFileSystem files(seed);
      REQUIRE(files.MakeDirs("/node").ok());
      REQUIRE(SaveRollbackGuard(&files, kPath, SomeGuard(1)).ok());
      files.CrashAt(files.operation_count() + operation);
      const absl::Status saved = SaveRollbackGuard(&files, kPath, SomeGuard(2));
      const bool crashed = files.is_off();
      files.Crash(CrashMode::kAnyLoss);
      const auto loaded = LoadRollbackGuard(&files, kPath);
      CAPTURE(seed, operation, loaded.status());
      REQUIRE(loaded.ok());
      REQUIRE((*loaded == SomeGuard(2) || (crashed && *loaded == SomeGuard(1))));
      REQUIRE(saved.ok() == !crashed);
      if (!crashed) break;
    }
  }
}

}  // namespace
}  // namespace vigil::ledger
