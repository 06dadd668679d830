#include "ledger/storage/overlay_file_system.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/leveldb_store.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

constexpr char kDirectory[] = "/node/state";

std::map<std::string, std::string> FilesOf(const FileSystem& files) {
  std::map<std::string, std::string> contents;
  const auto names = files.List(kDirectory);
  REQUIRE(names.ok());
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat(kDirectory, "/", name);
    contents[path] = *files.ReadAll(path);
  }
  return contents;
}

void Fill(Store* store, int from, int to) {
  StoreBatch batch;
  for (int i = from; i < to; ++i) {
    batch.Put(absl::StrCat("key-", i), std::string(200, static_cast<char>('a' + i % 26)));
  }
  REQUIRE(store->Write(batch).ok());
}

TEST_CASE("overlay: a database is read and written without a trace in the base",
          "[ledger_storage]") {
  FaultyFileSystem disk(1);
  REQUIRE(disk.MakeDirs(kDirectory).ok());
  {
    auto store = OpenLevelDbStore(&disk, kDirectory, LevelDbOptions());
    REQUIRE(store.ok());
    Fill(store->get(), 0, 1000);
  }
  const auto before = FilesOf(disk);
  const uint64_t operations = disk.operation_count();
  {
    OverlayFileSystem overlay(&disk);
    auto store = OpenLevelDbStore(&overlay, kDirectory, LevelDbOptions());
    REQUIRE(store.ok());
    CHECK((*(*store)->Get("key-999"))->size() == 200);
    Fill(store->get(), 1000, 40'000);  // Enough for tables of its own.
    CHECK((*(*store)->Get("key-39999"))->size() == 200);
    CHECK(FilesOf(overlay) != before);
    CHECK(absl::IsAlreadyExists(OpenLevelDbStore(&overlay, kDirectory, LevelDbOptions()).status()));
  }
  CHECK(FilesOf(disk) == before);
  CHECK(disk.operation_count() == operations);
}

TEST_CASE("overlay: changed and removed and renamed files hide those of the base",
          "[ledger_storage]") {
  FaultyFileSystem disk(1);
  REQUIRE(disk.MakeDirs("/d").ok());
  for (const std::string name : {"a", "b", "c"}) {
    REQUIRE(disk.WriteAtomically("/d/" + name, AsBytes("base " + name)).ok());
  }
  OverlayFileSystem overlay(&disk);
  CHECK(*overlay.ReadAll("/d/a") == "base a");
  {
    auto file = overlay.OpenAppend("/d/a");
    REQUIRE(file.ok());
    REQUIRE((*file)->Append(AsBytes("!")).ok());
    CHECK((*file)->size() == 7);
  }
  CHECK(*overlay.ReadAll("/d/a") == "base a!");
  CHECK(*(*overlay.OpenRead("/d/a"))->Read(5, 100) == "a!");
  REQUIRE(overlay.Truncate("/d/a", 4).ok());
  CHECK(*overlay.ReadAll("/d/a") == "base");
  REQUIRE(overlay.Remove("/d/b").ok());
  CHECK_FALSE(overlay.Exists("/d/b"));
  CHECK(absl::IsNotFound(overlay.ReadAll("/d/b").status()));
  CHECK(absl::IsNotFound(overlay.OpenRead("/d/b").status()));
  CHECK(absl::IsNotFound(overlay.Remove("/d/b")));
  REQUIRE(overlay.Rename("/d/c", "/d/x").ok());
  CHECK(*overlay.ReadAll("/d/x") == "base c");
  CHECK(*overlay.List("/d") == std::vector<std::string>{"a", "x"});
  CHECK(*disk.List("/d") == std::vector<std::string>{"a", "b", "c"});
  CHECK(*disk.ReadAll("/d/a") == "base a");
  REQUIRE(overlay.Wipe("/d/a").ok());
  CHECK(*overlay.ReadSecret("/d/a") == std::string(4, '\0'));
  CHECK(*disk.ReadAll("/d/a") == "base a");
  CHECK(absl::IsAlreadyExists(overlay.WriteSecret("/d/x", AsBytes("s"))));
  // A file that comes after the removal of its name begins empty.
  REQUIRE(overlay.OpenAppend("/d/b").ok());
  CHECK(*overlay.ReadAll("/d/b") == "");
}

}  // namespace
}  // namespace vigil::ledger
