// The tile store against a slow version that makes every file from the list of leaves, on a disk
// that forgets.
#include "node/log/tile_store.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tiles.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::FaultyFileSystem;

constexpr char kFolder[] = "/vigil/log";

std::string LeafAt(uint64_t index) {
  SplitMix64 random(index);
  return absl::StrCat("leaf ", index, std::string(random.Below(40), 'x'));
}
Hash HashAt(uint64_t index) { return ledger::LeafHash(AsBytes(LeafAt(index))); }

absl::Status Grow(TileStore* store, uint64_t size) {
  while (store->tree().size() < size) {
    const std::string leaf = LeafAt(store->tree().size());
    const absl::Status status = store->Append(AsBytes(leaf), ledger::LeafHash(AsBytes(leaf)));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::unique_ptr<TileStore> OpenStore(FaultyFileSystem* files) {
  absl::StatusOr<std::unique_ptr<TileStore>> store = TileStore::Open(files, kFolder);
  REQUIRE(store.ok());
  return *std::move(store);
}

// The tiles and bundles of a tree of `size` leaves, by name, straight from the leaves.
std::map<std::string, std::string> FilesOf(uint64_t size) {
  std::map<std::string, std::string> files;
  std::vector<Hash> level_hashes;
  for (uint64_t i = 0; i < size; ++i) level_hashes.push_back(HashAt(i));
  for (uint32_t level = 0; !level_hashes.empty(); ++level) {
    std::vector<Hash> parents;
    for (size_t first = 0; first < level_hashes.size(); first += 256) {
      const size_t width = std::min<size_t>(256, level_hashes.size() - first);
      const std::span<const Hash> tile(level_hashes.data() + first, width);
      const ledger::TileId id{
          .level = level, .index = first / 256, .width = static_cast<uint32_t>(width)};
      std::string bytes;
      for (const Hash& hash : tile) absl::StrAppend(&bytes, hash.view());
      files[ledger::TilePath(id)] = bytes;
      if (width == 256) parents.push_back(ledger::MerkleRoot(tile));
      if (level > 0) continue;
      std::string bundle;
      for (size_t i = first; i < first + width; ++i) {
        ByteWriter(&bundle).U16(static_cast<uint16_t>(LeafAt(i).size())).Raw(LeafAt(i));
      }
      files[ledger::BundlePath({.index = id.index, .width = id.width})] = bundle;
    }
    level_hashes = std::move(parents);
  }
  return files;
}

// What the store serves of the published tree is what the slow version makes; returns what differs.
std::string Differences(const TileStore& store) {
  for (const auto& [name, bytes] : FilesOf(store.published())) {
    const absl::StatusOr<std::string> file = store.ReadFile(name);
    if (!file.ok()) return absl::StrCat(name, ": ", file.status().ToString());
    if (*file != bytes) return absl::StrCat(name, " has other bytes");
  }
  const absl::StatusOr<Hash> root = ledger::RootFromTiles(store, store.published());
  if (!root.ok()) return root.status().ToString();
  std::vector<Hash> leaves;
  for (uint64_t i = 0; i < store.published(); ++i) leaves.push_back(HashAt(i));
  return *root == ledger::MerkleRoot(leaves) ? "" : "the root differs";
}

TEST_CASE("tile store: every published size has exactly the files of the specification") {
  FaultyFileSystem files(1);
  const auto store = OpenStore(&files);
  for (const uint64_t size :
       {0, 1, 2, 255, 256, 257, 511, 512, 700, 1024, 65'535, 65'536, 65'900}) {
    REQUIRE(Grow(store.get(), size).ok());
    REQUIRE(store->Publish(store->tree().size()).ok());
    CHECK(store->published() == size);
    INFO("size " << size);
    if (size < 2'000 || size == 65'900) CHECK(Differences(*store) == "");
  }
}

TEST_CASE("tile store: partial files go when the full one is there") {
  FaultyFileSystem files(2);
  const auto store = OpenStore(&files);
  for (const uint64_t size : {10, 100, 200}) {
    REQUIRE(Grow(store.get(), size).ok());
    REQUIRE(store->Publish(store->tree().size()).ok());
  }
  CHECK(store->ReadFile("tile/0/000.p/10").ok());
  CHECK(store->ReadFile("tile/entries/000.p/100").ok());
  REQUIRE(Grow(store.get(), 256).ok());
  CHECK_FALSE(files.Exists(absl::StrCat(kFolder, "/tile/0/000.p")));
  CHECK_FALSE(files.Exists(absl::StrCat(kFolder, "/tile/entries/000.p")));
  CHECK(store->ReadFile("tile/0/000").ok());
  CHECK(absl::IsNotFound(store->ReadFile("tile/0/000.p/10").status()));
  SECTION("and hashes of the partial one are read from the full one") {
    const auto hashes = store->ReadTile({.level = 0, .index = 0, .width = 200});
    REQUIRE(hashes.ok());
    CHECK(hashes->size() >= 200);
  }
}

TEST_CASE("tile store: nothing beyond the published tree is read and no other file") {
  FaultyFileSystem files(3);
  const auto store = OpenStore(&files);
  REQUIRE(Grow(store.get(), 300).ok());
  REQUIRE(store->Publish(store->tree().size()).ok());
  REQUIRE(Grow(store.get(), 310).ok());
  CHECK(store->ReadFile("tile/0/001.p/44").ok());
  CHECK(absl::IsNotFound(store->ReadFile("tile/0/001.p/54").status()));
  CHECK(absl::IsNotFound(store->ReadFile("tile/0/001").status()));
  CHECK(absl::IsNotFound(store->ReadTile({.level = 0, .index = 1, .width = 45}).status()));
  CHECK(absl::IsNotFound(store->ReadTile({.level = 1, .index = 0, .width = 2}).status()));
  for (const char* name : {"progress", "checkpoint", "../journal/LOCK", "tile/0/../../progress",
                           "tile/0/1", "tile/0/001.p/0", "tile/8/000", ""}) {
    INFO(name);
    CHECK(absl::IsInvalidArgument(store->ReadFile(name).status()));
  }
}

TEST_CASE("tile store: a start goes on from the saved progress") {
  FaultyFileSystem files(4);
  auto store = OpenStore(&files);
  REQUIRE(Grow(store.get(), 700).ok());
  REQUIRE(store->SaveProgress(Height(12)).ok());
  const Hash root = store->tree().Root();
  REQUIRE(Grow(store.get(), 900).ok());
  REQUIRE(store->Publish(store->tree().size()).ok());
  store.reset();
  files.Crash(CrashMode::kLoseUnsynced);

  store = OpenStore(&files);
  CHECK(store->damage() == "");
  CHECK(store->saved() == LogProgress{.height = Height(12), .size = 700, .root = root});
  CHECK(store->tree().size() == 700);
  CHECK(store->tree().Root() == root);
  CHECK(Differences(*store) == "");
  REQUIRE(Grow(store.get(), 1500).ok());
  REQUIRE(store->Publish(store->tree().size()).ok());
  CHECK(Differences(*store) == "");
}

TEST_CASE("tile store: damage below the saved progress sends it back to the start") {
  FaultyFileSystem files(5);
  auto store = OpenStore(&files);
  REQUIRE(Grow(store.get(), 65'800).ok());
  REQUIRE(store->SaveProgress(Height(12)).ok());
  store.reset();
  const auto damage = [&](absl::string_view name, uint64_t offset) {
    REQUIRE(files.FlipBit(absl::StrCat(kFolder, "/", name), offset, 3).ok());
  };
  SECTION("in the hashes at the right edge") { damage("tile/0/257.p/8", 40); }
  SECTION("in the hashes of the level above") { damage("tile/1/001.p/1", 0); }
  SECTION("in the level above that") { damage("tile/2/000.p/1", 31); }
  SECTION("in a leaf of the open bundle") { damage("tile/entries/257.p/8", 10); }
  SECTION("in the progress file") { damage("progress", 21); }
  SECTION("a file that is gone") {
    REQUIRE(files.Remove(absl::StrCat(kFolder, "/tile/1/001.p/1")).ok());
  }
  store = OpenStore(&files);
  INFO(store->damage());
  CHECK(store->damage() != "");
  CHECK(store->tree().size() == 0);
  REQUIRE(Grow(store.get(), 300).ok());
  REQUIRE(store->Publish(store->tree().size()).ok());
  CHECK(Differences(*store) == "");
  // The old progress is not believed again.
  store.reset();
  files.Crash(CrashMode::kLoseUnsynced);
  CHECK(OpenStore(&files)->tree().size() == 0);
}

// Grows by random steps, publishing and saving, until the disk stops at some operation; then
// everything that was not synced is lost in one way or another.
void RunWithCrashes(uint64_t seed) {
  INFO("replay with VIGIL_TEST_SEED=" << seed);
  SplitMix64 random(seed);
  FaultyFileSystem files(seed);
  uint64_t saved_size = 0;
  for (int start = 0; start < 12; ++start) {
    absl::StatusOr<std::unique_ptr<TileStore>> opened = TileStore::Open(&files, kFolder);
    REQUIRE(opened.ok());
    TileStore* store = opened->get();
    REQUIRE(store->damage() == "");
    // An atomic write that was torn by the crash may have come through.
    REQUIRE(store->saved().size >= saved_size);
    saved_size = store->saved().size;
    REQUIRE(store->tree().size() == saved_size);
    REQUIRE(Differences(*store) == "");
    files.CrashAt(files.operation_count() + random.Below(250));
    absl::Status status;
    for (int step = 0; step < 40 && status.ok(); ++step) {
      status = Grow(store, store->tree().size() + random.Below(120));
      if (status.ok()) status = store->Publish(store->tree().size());
      if (status.ok() && !files.is_off() && random.Chance(100)) REQUIRE(Differences(*store) == "");
      if (!status.ok() || !random.Chance(200)) continue;
      status = store->SaveProgress(Height(1 + step));
      if (status.ok()) saved_size = store->tree().size();
    }
    opened->reset();
    files.Crash(random.Chance(200) ? CrashMode::kProcessOnly : CrashMode::kAnyLoss);
  }
}

TEST_CASE("tile store: after any crash a start is at a progress that its files bear out") {
  VIGIL_TEST_SEED(seed, 900);
  for (uint64_t i = 0; i < 12; ++i) RunWithCrashes(seed + i);
}

TEST_CASE("tile store: a disk error is said and not swallowed") {
  FaultyFileSystem files(6);
  const auto store = OpenStore(&files);
  REQUIRE(Grow(store.get(), 100).ok());
  files.FailAt(files.operation_count() + 1, ledger::DiskFault::kNoSpace);
  CHECK(absl::IsResourceExhausted(store->Publish(store->tree().size())));
}

TEST_CASE("tile store: a damaged file is not handed out", "[tile_store]") {
  FaultyFileSystem files(/*seed=*/5);
  auto store = OpenStore(&files);
  const uint64_t size = 256 * 3 + 17;
  REQUIRE(Grow(store.get(), size).ok());
  REQUIRE(store->Publish(size).ok());
  REQUIRE(Differences(*store) == "");
  SplitMix64 random(6);
  for (const auto& [name, bytes] : FilesOf(size)) {
    // What is partial has nothing above it: its readers hold it against the checkpoint.
    const bool partial = absl::StrContains(name, ".p/");
    if (partial && !absl::StrContains(name, "entries")) continue;
    const std::string path = absl::StrCat(kFolder, "/", name);
    const uint64_t offset = random.Below(bytes.size());
    CAPTURE(name, offset);
    REQUIRE(files.FlipBit(path, offset, 4).ok());
    CHECK(absl::IsDataLoss(store->ReadFile(name).status()));
    REQUIRE(files.FlipBit(path, offset, 4).ok());
    CHECK(store->ReadFile(name).ok());
  }
}

}  // namespace
}  // namespace vigil::node
