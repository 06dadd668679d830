#include "ledger/storage/faulty_file_system.h"

#include <string>

#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

constexpr CrashMode kPowerLosses[] = {CrashMode::kLoseUnsynced, CrashMode::kTornPrefix,
                                      CrashMode::kTornSectors, CrashMode::kTornPages,
                                      CrashMode::kAnyLoss};

// A disk with /d/f holding `synced` durably and `unsynced` after it.
std::unique_ptr<FaultyFileSystem> DiskWith(uint64_t seed, const std::string& synced,
                                           const std::string& unsynced) {
  auto files = std::make_unique<FaultyFileSystem>(seed);
  REQUIRE(files->MakeDirs("/d").ok());
  auto file = *files->OpenAppend("/d/f");
  REQUIRE(file->Append(AsBytes(synced)).ok());
  REQUIRE(file->Sync().ok());
  REQUIRE(files->SyncDir("/d").ok());
  REQUIRE(file->Append(AsBytes(unsynced)).ok());
  return files;
}

TEST_CASE("faulty disk: a wiped file is wiped on disk once that was said", "[ledger_storage]") {
  for (const CrashMode mode : kPowerLosses) {
    for (uint64_t operation = 0; operation < 3; ++operation) {
      auto files = DiskWith(operation + 7, std::string(100, 's'), "");
      files->CrashAt(files->operation_count() + operation);
      const bool wiped = files->Wipe("/d/f").ok();
      CHECK(wiped == (operation == 2));  // The zeros and their sync.
      files->Crash(mode);
      const std::string left = *files->ReadAll("/d/f");
      REQUIRE(left.size() == 100);
      if (wiped) CHECK(left == std::string(100, '\0'));
    }
  }
  FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs("/d").ok());
  REQUIRE(files.WriteSecret("/d/s", AsBytes("secret")).ok());
  CHECK(absl::IsAlreadyExists(files.WriteSecret("/d/s", AsBytes("other"))));
  CHECK(*files.ReadSecret("/d/s") == "secret");
  CHECK(absl::IsNotFound(files.Wipe("/d/x")));
}

TEST_CASE("faulty disk: synced bytes survive every kind of power loss", "[ledger_storage]") {
  const std::string synced(5000, 's');
  for (const CrashMode mode : kPowerLosses) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
      auto files = DiskWith(seed, synced, std::string(20000, 'u'));
      files->Crash(mode);
      const std::string left = *files->ReadAll("/d/f");
      CAPTURE(static_cast<int>(mode), seed, left.size());
      REQUIRE(left.size() >= synced.size());
      REQUIRE(left.size() <= 25000);
      REQUIRE(left.substr(0, synced.size()) == synced);
      for (size_t i = synced.size(); i < left.size(); ++i) {
        REQUIRE((left[i] == 'u' || left[i] == 0));
      }
      if (mode == CrashMode::kLoseUnsynced) REQUIRE(left == synced);
    }
  }
}

TEST_CASE("faulty disk: torn pages really leave holes between surviving bytes",
          "[ledger_storage]") {
  int holes = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    auto files = DiskWith(seed, "", std::string(40000, 'u'));
    files->Crash(CrashMode::kTornPages);
    const std::string left = *files->ReadAll("/d/f");
    const size_t zero = left.find('\0');
    if (zero == std::string::npos || left.find('u', zero) == std::string::npos) continue;
    ++holes;
    CHECK(zero % 4096 == 0);
  }
  CHECK(holes > 10);
}

TEST_CASE("faulty disk: a killed process loses nothing and its handles are dead",
          "[ledger_storage]") {
  auto files = DiskWith(1, "synced", "unsynced");
  auto file = *files->OpenAppend("/d/f");
  auto reader = *files->OpenRead("/d/f");
  files->Crash(CrashMode::kProcessOnly);
  CHECK(*files->ReadAll("/d/f") == "syncedunsynced");
  CHECK(absl::IsUnavailable(file->Append(AsBytes("x"))));
  CHECK(absl::IsUnavailable(file->Sync()));
  CHECK(absl::IsUnavailable(reader->Read(0, 1).status()));
}

TEST_CASE("faulty disk: a name that was never synced is lost although the file was",
          "[ledger_storage]") {
  FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs("/d").ok());
  auto file = *files.OpenAppend("/d/f");
  REQUIRE(file->Append(AsBytes("x")).ok());
  REQUIRE(file->Sync().ok());
  files.Crash(CrashMode::kLoseUnsynced);
  CHECK_FALSE(files.Exists("/d/f"));
}

TEST_CASE("faulty disk: an unsynced rename or removal is undone by a power loss",
          "[ledger_storage]") {
  auto files = DiskWith(1, "old", "");
  REQUIRE(files->Rename("/d/f", "/d/g").ok());
  CHECK_FALSE(files->Exists("/d/f"));
  files->Crash(CrashMode::kLoseUnsynced);
  CHECK(*files->ReadAll("/d/f") == "old");
  CHECK_FALSE(files->Exists("/d/g"));

  REQUIRE(files->Remove("/d/f").ok());
  files->Crash(CrashMode::kLoseUnsynced);
  CHECK(files->Exists("/d/f"));

  REQUIRE(files->WriteAtomically("/d/f", AsBytes("new")).ok());
  files->Crash(CrashMode::kLoseUnsynced);
  CHECK(*files->ReadAll("/d/f") == "new");
}

TEST_CASE("faulty disk: after a failed sync a later one reports success and has lost the bytes",
          "[ledger_storage]") {
  auto files = DiskWith(1, "synced", "gone");
  auto file = *files->OpenAppend("/d/f");
  files->FailAt(files->operation_count(), DiskFault::kIoError);
  CHECK(absl::IsUnavailable(file->Sync()));
  REQUIRE(file->Append(AsBytes("later")).ok());
  REQUIRE(file->Sync().ok());
  CHECK(*files->ReadAll("/d/f") == "syncedgonelater");
  files->Crash(CrashMode::kLoseUnsynced);
  CHECK(*files->ReadAll("/d/f") == std::string("synced\0\0\0\0later", 15));
}

TEST_CASE("faulty disk: failures hit the operation they were asked for", "[ledger_storage]") {
  auto files = DiskWith(1, "0123", "");
  auto file = *files->OpenAppend("/d/f");
  files->FailAt(files->operation_count(), DiskFault::kNoSpace);
  CHECK(absl::IsResourceExhausted(file->Append(AsBytes("abcd"))));
  CHECK(*files->ReadAll("/d/f") == "0123");
  files->FailAt(files->operation_count(), DiskFault::kShortWrite);
  CHECK(absl::IsResourceExhausted(file->Append(AsBytes("abcd"))));
  CHECK(*files->ReadAll("/d/f") == "0123ab");
  CHECK(file->Append(AsBytes("!")).ok());
  REQUIRE(files->FlipBit("/d/f", 1, 0).ok());
  CHECK(*files->ReadAll("/d/f") == "0023ab!");
  CHECK(absl::IsOutOfRange(files->FlipBit("/d/f", 7, 0)));
  files->MisdirectNextAppend("/d/f", 2);
  REQUIRE(file->Append(AsBytes("XY")).ok());
  CHECK(*files->ReadAll("/d/f") == std::string("00XYab!\0\0", 9));
}

TEST_CASE("faulty disk: a rule strikes the call that it waits for and no other",
          "[ledger_storage]") {
  auto files = DiskWith(1, "0123", "");
  auto file = *files->OpenAppend("/d/f");
  const auto arm = [&](DiskCall call, DiskFault fault, uint64_t skip = 0) {
    files->FailWhen({.call = call,
                     .matches = [](const std::string& path) { return path == "/d/f"; },
                     .skip = skip,
                     .fault = fault});
  };
  arm(DiskCall::kWrite, DiskFault::kNoSpace, /*skip=*/1);
  REQUIRE(files->WriteAtomically("/d/other", AsBytes("x")).ok());
  REQUIRE(file->Append(AsBytes("4")).ok());
  CHECK(files->fired().empty());
  CHECK(absl::IsResourceExhausted(file->Append(AsBytes("5"))));
  CHECK(files->fired() == "write /d/f at 5");
  REQUIRE(file->Append(AsBytes("5")).ok());
  arm(DiskCall::kRead, DiskFault::kIoError);
  CHECK(absl::IsUnavailable(files->ReadAll("/d/f").status()));
  arm(DiskCall::kRead, DiskFault::kShortRead);
  CHECK(files->ReadAll("/d/f")->size() < 6);
  arm(DiskCall::kRead, DiskFault::kBitFlip);
  CHECK(*files->ReadAll("/d/f") != "012345");
  CHECK(*files->ReadAll("/d/f") == "012345");  // Only what was read is wrong.
  arm(DiskCall::kOpen, DiskFault::kIoError);
  CHECK(absl::IsUnavailable(files->OpenRead("/d/f").status()));
  arm(DiskCall::kWrite, DiskFault::kBitFlip);
  REQUIRE(file->Append(AsBytes("6")).ok());
  CHECK(files->ReadAll("/d/f")->back() != '6');
  arm(DiskCall::kSync, DiskFault::kPowerOff);
  CHECK(absl::IsUnavailable(file->Sync()));
  CHECK(files->is_off());
}

TEST_CASE(
    "faulty disk: a lost write is read back until the machine ends and never reaches the disk",
    "[ledger_storage]") {
  auto files = DiskWith(1, "0123", "");
  auto file = *files->OpenAppend("/d/f");
  files->FailWhen({.call = DiskCall::kWrite,
                   .matches = [](const std::string&) { return true; },
                   .fault = DiskFault::kLostWrite});
  REQUIRE(file->Append(AsBytes("45")).ok());
  REQUIRE(file->Append(AsBytes("67")).ok());
  REQUIRE(file->Sync().ok());
  CHECK(*files->ReadAll("/d/f") == "01234567");
  files->Crash(CrashMode::kLoseUnsynced);
  CHECK(*files->ReadAll("/d/f") == std::string("0123\0\0"
                                               "67",
                                               8));
}

TEST_CASE("faulty disk: dropping memory shows what the disk lied about and nothing else",
          "[ledger_storage]") {
  auto files = DiskWith(1, "0123", "");
  auto file = *files->OpenAppend("/d/f");
  SECTION("a write that was lost shows once it was synced") {
    files->FailWhen({.call = DiskCall::kWrite,
                     .matches = [](const std::string&) { return true; },
                     .fault = DiskFault::kLostWrite});
    REQUIRE(file->Append(AsBytes("45")).ok());
    REQUIRE(files->DropCached("/d/f").ok());
    CHECK(*files->ReadAll("/d/f") == "012345");  // Not synced: it cannot be dropped.
    REQUIRE(file->Sync().ok());
    CHECK(*files->ReadAll("/d/f") == "012345");
    REQUIRE(files->DropCached("/d/f").ok());
    CHECK(*files->ReadAll("/d/f") == std::string("0123\0\0", 6));
  }
  SECTION("so does what a failed sync lost") {
    REQUIRE(file->Append(AsBytes("45")).ok());
    files->FailAt(files->operation_count(), DiskFault::kIoError);
    CHECK(absl::IsUnavailable(file->Sync()));
    REQUIRE(file->Append(AsBytes("67")).ok());
    CHECK(*files->ReadAll("/d/f") == "01234567");
    REQUIRE(files->DropCached("/d/f").ok());
    CHECK(*files->ReadAll("/d/f") == std::string("0123\0\0"
                                                 "67",
                                                 8));
  }
  SECTION("and what rotted on the disk alone") {
    REQUIRE(file->Append(AsBytes("45")).ok());
    REQUIRE(files->RotOnDisk("/d/f", 1, 0).ok());
    CHECK(absl::IsOutOfRange(files->RotOnDisk("/d/f", 4, 0)));
    CHECK(*files->ReadAll("/d/f") == "012345");
    REQUIRE(files->DropCached("/d/f").ok());
    CHECK(*files->ReadAll("/d/f") == "002345");
  }
  SECTION("what was written well stays") {
    REQUIRE(file->Append(AsBytes("45")).ok());
    REQUIRE(file->Sync().ok());
    REQUIRE(file->Append(AsBytes("6")).ok());
    REQUIRE(files->DropCached("/d/f").ok());
    CHECK(*files->ReadAll("/d/f") == "0123456");
    CHECK(files->bytes_read("/d/f") == 7);
  }
  CHECK(absl::IsNotFound(files->DropCached("/d/none")));
}

TEST_CASE("faulty disk: from the crash on everything fails until the restart", "[ledger_storage]") {
  auto files = DiskWith(1, "0123", "");
  auto file = *files->OpenAppend("/d/f");
  const auto lock = files->Lock("/d/LOCK");
  REQUIRE(lock.ok());
  files->CrashAt(files->operation_count());
  CHECK(absl::IsUnavailable(file->Append(AsBytes("abcd"))));
  CHECK(files->is_off());
  CHECK(absl::IsUnavailable(file->Sync()));
  CHECK(absl::IsUnavailable(files->ReadAll("/d/f").status()));
  CHECK(absl::IsUnavailable(files->OpenAppend("/d/g").status()));
  files->Crash(CrashMode::kLoseUnsynced);
  CHECK_FALSE(files->is_off());
  CHECK(*files->ReadAll("/d/f") == "0123");
  CHECK(files->Lock("/d/LOCK").ok());
}

TEST_CASE("faulty disk: a full one takes no new bytes and names and gives back what it has",
          "[ledger_storage]") {
  auto files = DiskWith(1, "0123", "45");
  auto file = *files->OpenAppend("/d/f");
  files->SetFull(true);
  CHECK(absl::IsResourceExhausted(file->Append(AsBytes("x"))));
  CHECK(absl::IsResourceExhausted(files->OpenAppend("/d/g").status()));
  CHECK(files->refused_for_space() == 2);
  CHECK(file->Sync().ok());
  CHECK(files->Rename("/d/f", "/d/h").ok());
  CHECK(*files->ReadAll("/d/h") == "012345");
  files->SetFull(false);
  CHECK(file->Append(AsBytes("6")).ok());
}

TEST_CASE("faulty disk: what was disarmed does not happen", "[ledger_storage]") {
  auto files = DiskWith(1, "0123", "");
  auto file = *files->OpenAppend("/d/f");
  files->CrashAt(files->operation_count());
  files->FailWhen({.call = DiskCall::kSync,
                   .matches = [](const std::string&) { return true; },
                   .skip = 0,
                   .fault = DiskFault::kIoError});
  files->Disarm();
  CHECK(file->Append(AsBytes("4")).ok());
  CHECK(file->Sync().ok());
}

TEST_CASE("faulty disk: the same seed and calls leave the same trace and the same ruins",
          "[ledger_storage]") {
  auto first = DiskWith(7, std::string(3000, 's'), std::string(30000, 'u'));
  auto second = DiskWith(7, std::string(3000, 's'), std::string(30000, 'u'));
  auto other = DiskWith(7, std::string(3000, 's'), std::string(30000, 'v'));
  CHECK(first->trace_digest() == second->trace_digest());
  CHECK(first->trace_digest() != other->trace_digest());
  first->Crash(CrashMode::kTornSectors);
  second->Crash(CrashMode::kTornSectors);
  CHECK(*first->ReadAll("/d/f") == *second->ReadAll("/d/f"));
}

}  // namespace
}  // namespace vigil::ledger
