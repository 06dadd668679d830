#include "ledger/state/snapshot.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/state/executor.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/state/snapshot_loader.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/leveldb_store.h"
#include "tests/ledger/state/random_traffic.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/shared_files.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kInterval = 65;
constexpr char kFolder[] = "/snapshots";

using Pairs = std::map<std::string, std::string>;

std::shared_ptr<const StoreReader> Borrow(const StoreReader* reader) {
  return std::shared_ptr<const StoreReader>(reader, [](const StoreReader*) {});
}

Pairs AllOf(const StoreReader& store) {
  Pairs pairs;
  const absl::Status scanned =
      store.Scan("", "", /*reverse=*/false, [&](absl::string_view key, absl::string_view value) {
        pairs[std::string(key)] = std::string(value);
        return true;
      });
  REQUIRE(scanned.ok());
  return pairs;
}

// A chain with random traffic up to `height`.
struct Grown {
  explicit Grown(uint64_t height, uint64_t seed = 1, Store* store = nullptr)
      : network(3, kInterval), chain(&network, store), traffic(&network, seed) {
    GrowTo(height);
  }
  void GrowTo(uint64_t height) {
    while (chain.tip().height.value() < height) {
      chain.Commit(traffic.ForBlock(chain.tip()), 1 + chain.tip().height.value() % 7);
    }
  }
  BlockPlaceFn places() const {
    return [this](const BlockInfo& info) -> absl::StatusOr<BlockPlace> {
      const uint64_t height = info.height.value();
      return BlockPlace{
          .position = chain.position(height),
          .frame_bytes = static_cast<uint32_t>(chain.blocks()[height - 1]->frame().size())};
    };
  }

  TestNetwork network;
  TestChain chain;
  RandomTraffic traffic;
};

struct Made {
  SnapshotManifest manifest;
  std::vector<std::string> chunks;

  std::string Stream() const {
    std::string bytes;
    for (const std::string& chunk : chunks) bytes += chunk;
    return bytes;
  }
};

Made MakeSnapshot(const StoreReader& store, const Genesis& genesis) {
  Made made;
  const std::unique_ptr<SnapshotBuilder> builder =
      SnapshotBuilder::Begin(Borrow(&store), genesis).value();
  bool more = true;
  while (more) {
    more = builder
               ->Step([&](ByteSpan chunk) {
                 made.chunks.push_back(ToString(chunk));
                 return absl::OkStatus();
               })
               .value();
  }
  made.manifest = builder->manifest();
  return made;
}

// A snapshot that holds together and consists of `stream`.
Made CutAgain(const SnapshotManifest& like, const std::string& stream) {
  Made made;
  made.manifest = like;
  made.manifest.chunks.clear();
  made.manifest.bytes = stream.size();
  for (size_t at = 0; at < stream.size(); at += kSnapshotChunkBytes) {
    made.chunks.push_back(stream.substr(at, kSnapshotChunkBytes));
    made.manifest.chunks.push_back(LeafHash(AsBytes(made.chunks.back())));
  }
  made.manifest.digest = MerkleRoot(made.manifest.chunks);
  return made;
}

std::string WriteFile(FileSystem* files, const Made& made) {
  const std::string path = SnapshotPath(kFolder, made.manifest.height);
  const auto writer = SnapshotFileWriter::Create(files, path).value();
  for (const std::string& chunk : made.chunks) REQUIRE(writer->Append(AsBytes(chunk)).ok());
  const absl::Status finished = writer->Finish(made.manifest);
  INFO(finished.message());
  REQUIRE(finished.ok());
  return path;
}

absl::StatusOr<Tip> Load(const Made& made, Store* store, const Genesis& genesis,
                         const BlockPlaceFn& places) {
  absl::StatusOr<std::unique_ptr<SnapshotLoader>> loader =
      SnapshotLoader::Begin(store, &genesis, made.manifest, places);
  if (!loader.ok()) return loader.status();
  for (const std::string& chunk : made.chunks) {
    const absl::Status added = (*loader)->Add(AsBytes(chunk));
    if (!added.ok()) return added;
  }
  return (*loader)->Finish();
}

// Whether anything at all is refused: at opening, or when every chunk is read.
bool IsRefused(const FileSystem& files, const std::string& path) {
  const auto file = SnapshotFile::Open(&files, path);
  return !file.ok() || !(*file)->CheckAll().ok();
}

// The entries of a snapshot, to be altered and put together again.
struct Parts {
  explicit Parts(const Made& made) {
    const std::string stream = made.Stream();
    size_t used = 0;
    head = DecodeSnapshotHead(AsBytes(stream), &used).value();
    SnapshotEntries entries;
    REQUIRE(entries
                .Add(AsBytes(stream).subspan(used),
                     [this](absl::string_view key, absl::string_view value) {
                       pairs.emplace_back(std::string(key), std::string(value));
                       return absl::OkStatus();
                     })
                .ok());
    REQUIRE(entries.Finish().ok());
  }
  std::string Stream() const {
    std::string stream = EncodeSnapshotHead(head);
    for (const auto& [key, value] : pairs) AppendSnapshotEntry(key, value, &stream);
    return stream;
  }
  size_t First(Space space) const {
    const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) {
      return pair.first[0] == static_cast<char>(space);
    });
    REQUIRE(found != pairs.end());
    return static_cast<size_t>(found - pairs.begin());
  }

  SnapshotHead head;
  std::vector<std::pair<std::string, std::string>> pairs;
};

}  // namespace

TEST_CASE("snapshot: stores that were filled in other ways have one digest", "[snapshot]") {
  VIGIL_TEST_SEED(seed, 11);
  Grown grown(kInterval, seed);
  const Genesis& genesis = grown.network.genesis();
  const Made made = MakeSnapshot(*grown.chain.store(), genesis);
  CHECK(made.manifest.height == Height(kInterval));
  CHECK(made.manifest.mark() == grown.chain.snapshot());
  // Executed on LevelDB with so small a buffer that it compacts over and over.
  FaultyFileSystem files(seed);
  REQUIRE(files.MakeDirs("/db").ok());
  LevelDbOptions options;
  options.deterministic = true;
  options.write_buffer_bytes = 64 * 1024;
  const auto database = OpenLevelDbStore(&files, "/db", options).value();
  Grown again(kInterval, seed, database.get());
  CHECK(ComputeSnapshotMark(database->Snapshot(), genesis).value() == made.manifest.mark());
  // The same keys put in a random order, other journal positions, and keys that are this
  // validator's own.
  const Pairs pairs = AllOf(*grown.chain.store());
  std::vector<std::pair<std::string, std::string>> order(pairs.begin(), pairs.end());
  SplitMix64 random(seed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  MemoryStore shuffled;
  for (auto& [key, value] : order) {
    if (key[0] == static_cast<char>(Space::kBlock)) {
      BlockInfo info = DecodeBlockInfo(value).value();
      info.position.offset += random.Below(1'000'000);
      info.frame_bytes += 17;
      value = EncodeBlockInfo(info);
    }
    StoreBatch batch;
    batch.Put(key, value);
    REQUIRE(shuffled.Write(batch).ok());
  }
  CHECK(ComputeSnapshotMark(Borrow(&shuffled), genesis).value() == made.manifest.mark());
  // Any value that is replicated moves it.
  StoreBatch batch;
  const auto state = pairs.lower_bound(SpacePrefix(Space::kState));
  batch.Put(state->first, state->second + "x");
  REQUIRE(shuffled.Write(batch).ok());
  CHECK(ComputeSnapshotMark(Borrow(&shuffled), genesis)->digest != made.manifest.digest);
}

TEST_CASE("snapshot: a loaded store is the replayed one and goes on like it", "[snapshot]") {
  VIGIL_TEST_SEED(seed, 12);
  Grown grown(kInterval, seed);
  const Genesis& genesis = grown.network.genesis();
  FaultyFileSystem files(seed);
  REQUIRE(files.MakeDirs(kFolder).ok());
  const std::string path = WriteFile(&files, MakeSnapshot(*grown.chain.store(), genesis));
  const auto file = SnapshotFile::Open(&files, path).value();
  CHECK(file->head().tip.block_hash == grown.chain.tip().block_hash);
  MemoryStore store;
  const absl::StatusOr<Tip> tip = LoadSnapshot(*file, &store, &genesis, grown.places());
  INFO(tip.status().message());
  REQUIRE(tip.ok());
  CHECK(EncodeTip(*tip) == EncodeTip(grown.chain.tip()));
  CHECK(AllOf(store) == AllOf(*grown.chain.store()));

  const auto state = ChainState::Open(&store, &genesis).value();
  state->KnowSnapshot(file->manifest().mark());
  grown.GrowTo(2 * kInterval);
  for (uint64_t height = kInterval + 1; height <= 2 * kInterval; ++height) {
    const auto executed =
        state->Execute(grown.chain.blocks()[height - 1], grown.chain.position(height));
    INFO(executed.status().message());
    REQUIRE(executed.ok());
  }
  CHECK(AllOf(store) == AllOf(*grown.chain.store()));
  CHECK(ComputeSnapshotMark(Borrow(&store), genesis).value() == grown.chain.snapshot());
}

TEST_CASE("snapshot: chunks are 64 KiB and each is judged alone", "[snapshot]") {
  Grown grown(6 * kInterval, 13);
  Made made = MakeSnapshot(*grown.chain.store(), grown.network.genesis());
  REQUIRE(made.chunks.size() >= 3);
  REQUIRE(made.manifest.chunks.size() == made.chunks.size());
  for (size_t i = 0; i + 1 < made.chunks.size(); ++i) CHECK(made.chunks[i].size() == 65'536);
  for (uint32_t i = 0; i < made.chunks.size(); ++i) {
    CHECK(CheckSnapshotChunk(made.manifest, i, AsBytes(made.chunks[i])).ok());
    const uint32_t other = (i + 1) % static_cast<uint32_t>(made.chunks.size());
    CHECK_FALSE(CheckSnapshotChunk(made.manifest, other, AsBytes(made.chunks[i])).ok());
    std::string& chunk = made.chunks[i];
    chunk[chunk.size() / 2] ^= 1;
    CHECK_FALSE(CheckSnapshotChunk(made.manifest, i, AsBytes(chunk)).ok());
    chunk.pop_back();
    CHECK_FALSE(CheckSnapshotChunk(made.manifest, i, AsBytes(chunk)).ok());
  }
  const auto beyond = static_cast<uint32_t>(made.chunks.size());
  CHECK_FALSE(CheckSnapshotChunk(made.manifest, beyond, AsBytes(made.chunks[0])).ok());
  const std::string encoded = EncodeSnapshotManifest(made.manifest);
  CHECK(DecodeSnapshotManifest(AsBytes(encoded)).value() == made.manifest);
}

TEST_CASE("snapshot: a file with any byte altered or missing is refused", "[snapshot]") {
  const TestNetwork network(1, kInterval);
  TestChain chain(&network);
  for (uint32_t i = 0; i < kInterval; ++i) chain.Commit({});
  FaultyFileSystem files(14);
  REQUIRE(files.MakeDirs(kFolder).ok());
  const std::string path = WriteFile(&files, MakeSnapshot(*chain.store(), network.genesis()));
  REQUIRE_FALSE(IsRefused(files, path));
  const uint64_t size = files.Size(path).value();
  uint64_t accepted = 0;
  for (uint64_t offset = 0; offset < size; ++offset) {
    const int bit = static_cast<int>(offset % 8);
    REQUIRE(files.FlipBit(path, offset, bit).ok());
    if (!IsRefused(files, path)) ++accepted;
    REQUIRE(files.FlipBit(path, offset, bit).ok());
  }
  CHECK(accepted == 0);
  REQUIRE_FALSE(IsRefused(files, path));
  const std::string whole = files.ReadAll(path).value();
  for (const std::string& bytes :
       {whole + std::string(1, '\0'), whole.substr(1), whole.substr(0, size - 1),
        whole.substr(0, 10), std::string(), whole + whole}) {
    REQUIRE(files.WriteAtomically(path, AsBytes(bytes)).ok());
    CHECK(IsRefused(files, path));
  }
}

TEST_CASE("snapshot: a manifest of hostile bytes is refused", "[snapshot]") {
  VIGIL_TEST_SEED(seed, 15);
  Grown grown(2 * kInterval, seed);
  const Made made = MakeSnapshot(*grown.chain.store(), grown.network.genesis());
  const std::string encoded = EncodeSnapshotManifest(made.manifest);
  for (size_t size = 0; size < encoded.size(); ++size) {
    CHECK_FALSE(DecodeSnapshotManifest(AsBytes(encoded.substr(0, size))).ok());
  }
  // A size that would make the list of hashes enormous, or none.
  for (const uint64_t bytes : {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 40}) {
    SnapshotManifest manifest = made.manifest;
    manifest.bytes = bytes;
    CHECK_FALSE(DecodeSnapshotManifest(AsBytes(EncodeSnapshotManifest(manifest))).ok());
  }
  SplitMix64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = encoded;
    const size_t at = random.Below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
    const auto decoded = DecodeSnapshotManifest(AsBytes(bytes));
    // Chain id and height are held against the first chunk, the size against the last one and the
    // file, the rest against the digest.
    const bool of_head = at >= bytes.size() - 80 && at < bytes.size() - 40;
    const bool of_size = at >= bytes.size() - 40 && at < bytes.size() - 32;
    if (!of_size) CHECK(decoded.ok() == of_head);
    if (of_size && decoded.ok()) {
      const auto last = static_cast<uint32_t>(made.chunks.size() - 1);
      CHECK_FALSE(CheckSnapshotChunk(*decoded, last, AsBytes(made.chunks[last])).ok());
    }
    for (char& byte : bytes) byte = static_cast<char>(random.Below(256));
    CHECK_FALSE(DecodeSnapshotManifest(AsBytes(bytes)).ok());
    CHECK_FALSE(DecodeSnapshotHead(AsBytes(bytes)).ok());
  }
}

TEST_CASE("snapshot: a crash at any file operation leaves a whole file or none", "[snapshot]") {
  Grown grown(2 * kInterval, 16);
  const Made made = MakeSnapshot(*grown.chain.store(), grown.network.genesis());
  const std::string path = SnapshotPath(kFolder, made.manifest.height);
  const auto write = [&](FileSystem* files) -> absl::Status {
    auto writer = SnapshotFileWriter::Create(files, path);
    if (!writer.ok()) return writer.status();
    for (const std::string& chunk : made.chunks) {
      const absl::Status appended = (*writer)->Append(AsBytes(chunk));
      if (!appended.ok()) return appended;
    }
    return (*writer)->Finish(made.manifest);
  };
  int whole = 0;
  int none = 0;
  for (const CrashMode mode :
       {CrashMode::kProcessOnly, CrashMode::kLoseUnsynced, CrashMode::kTornPrefix,
        CrashMode::kTornSectors, CrashMode::kTornPages, CrashMode::kAnyLoss}) {
    bool finished = false;
    for (uint64_t operation = 0; !finished; ++operation) {
      FaultyFileSystem files(operation * 7 + static_cast<uint64_t>(mode));
      REQUIRE(files.MakeDirs(kFolder).ok());
      files.CrashAt(files.operation_count() + operation);
      finished = write(&files).ok();
      files.Crash(mode);
      if (files.Exists(path)) {
        CHECK_FALSE(IsRefused(files, path));
        ++whole;
      } else {
        CHECK_FALSE(finished);
        ++none;
      }
      // The next one takes the place of whatever was left.
      CHECK(write(&files).ok());
      CHECK_FALSE(IsRefused(files, path));
      CHECK(ListSnapshots(files, kFolder).value() == std::vector{made.manifest.height});
    }
  }
  CHECK(whole > 0);
  CHECK(none > 10);
}

TEST_CASE("snapshot: a failing disk is told and nothing takes the name", "[snapshot]") {
  Grown grown(kInterval, 17);
  const Made made = MakeSnapshot(*grown.chain.store(), grown.network.genesis());
  const std::string path = SnapshotPath(kFolder, made.manifest.height);
  for (const DiskFault fault : {DiskFault::kNoSpace, DiskFault::kShortWrite, DiskFault::kIoError}) {
    for (uint64_t operation = 0; operation < made.chunks.size() + 3; ++operation) {
      FaultyFileSystem files(operation);
      REQUIRE(files.MakeDirs(kFolder).ok());
      files.FailAt(files.operation_count() + operation, fault);
      auto writer = SnapshotFileWriter::Create(&files, path);
      absl::Status status = writer.status();
      for (size_t i = 0; status.ok() && i < made.chunks.size(); ++i) {
        status = (*writer)->Append(AsBytes(made.chunks[i]));
      }
      if (status.ok()) status = (*writer)->Finish(made.manifest);
      CHECK_FALSE(status.ok());
      CHECK_FALSE(files.Exists(path));
    }
  }
  FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs(kFolder).ok());
  const auto writer = SnapshotFileWriter::Create(&files, path).value();
  CHECK(absl::IsFailedPrecondition(writer->Finish(made.manifest)));
}

TEST_CASE("snapshot: names of files give heights and nothing else does", "[snapshot]") {
  CHECK(SnapshotPath("/d", Height(2048)) == "/d/00000000000000002048.snapshot");
  CHECK(SnapshotHeightOfName("00000000000000002048.snapshot") == Height(2048));
  for (const absl::string_view name :
       {"", ".snapshot", "2048.snapshot", "00000000000000002048.snapshot.tmp",
        "0000000000000000204x.snapshot", "-0000000000000002048.snapshot",
        "99999999999999999999.snapshot"}) {
    CHECK_FALSE(SnapshotHeightOfName(name).has_value());
  }
  FaultyFileSystem files(1);
  CHECK(ListSnapshots(files, "/nowhere").value().empty());
}

TEST_CASE("snapshot: what is half loaded is no store", "[snapshot]") {
  Grown grown(2 * kInterval, 18);
  const Genesis& genesis = grown.network.genesis();
  const Made made = MakeSnapshot(*grown.chain.store(), genesis);
  REQUIRE(made.chunks.size() >= 2);
  MemoryStore store;
  {
    const auto loader =
        SnapshotLoader::Begin(&store, &genesis, made.manifest, grown.places()).value();
    for (size_t i = 0; i + 1 < made.chunks.size(); ++i) {
      REQUIRE(loader->Add(AsBytes(made.chunks[i])).ok());
    }
    CHECK(absl::IsInvalidArgument(loader->Finish().status()));
    CHECK_FALSE(loader->Add(AsBytes(made.chunks[0])).ok());
  }
  StoreBatch some;  // As if a batch had been written before a crash.
  some.Put(StoreNumberKey(Space::kBlock, 1), "x");
  REQUIRE(store.Write(some).ok());
  CHECK(absl::IsDataLoss(ChainState::Open(&store, &genesis).status()));
  CHECK(absl::IsFailedPrecondition(
      SnapshotLoader::Begin(&store, &genesis, made.manifest, grown.places()).status()));
}

TEST_CASE("snapshot: the wrong chain or an unknown place is refused", "[snapshot]") {
  Grown grown(kInterval, 19);
  const Genesis& genesis = grown.network.genesis();
  const Made made = MakeSnapshot(*grown.chain.store(), genesis);
  const TestNetwork other(2, kInterval);
  MemoryStore store;
  CHECK(absl::IsFailedPrecondition(Load(made, &store, other.genesis(), grown.places()).status()));
  SnapshotManifest relabelled = made.manifest;
  relabelled.chain_id = other.genesis().chain_id;
  CHECK(absl::IsInvalidArgument(
      Load({relabelled, made.chunks}, &store, other.genesis(), grown.places()).status()));
  CHECK(absl::IsNotFound(Load(made, &store, genesis, [](const BlockInfo& info) {
                           if (info.height < Height(7))
                             return absl::StatusOr<BlockPlace>(BlockPlace{});
                           return absl::StatusOr<BlockPlace>(absl::NotFoundError("no place"));
                         }).status()));
}

TEST_CASE("snapshot: one that holds together but is no state is refused", "[snapshot]") {
  Grown grown(kInterval, 20);
  const Genesis& genesis = grown.network.genesis();
  const Made made = MakeSnapshot(*grown.chain.store(), genesis);
  const Parts sound(made);
  const auto refused = [&](const Parts& parts) {
    MemoryStore store;
    const Made altered = CutAgain(made.manifest, parts.Stream());
    const absl::Status status = Load(altered, &store, genesis, grown.places()).status();
    INFO(status.message());
    CHECK(absl::IsInvalidArgument(status));
    CHECK_FALSE(store.Get(StoreChainKey()).value().has_value());
  };
  {
    MemoryStore store;
    REQUIRE(Load(CutAgain(made.manifest, sound.Stream()), &store, genesis, grown.places()).ok());
  }
  for (const Space space : {Space::kBlock, Space::kResults, Space::kUndo}) {
    Parts parts = sound;  // One is missing: the first, then the last.
    parts.pairs.erase(parts.pairs.begin() + static_cast<ptrdiff_t>(parts.First(space)));
    refused(parts);
    parts = sound;
    size_t last = parts.pairs.size();
    while (parts.pairs[--last].first[0] != static_cast<char>(space)) continue;
    parts.pairs.erase(parts.pairs.begin() + static_cast<ptrdiff_t>(last));
    refused(parts);
    parts = sound;  // Bytes too many.
    parts.pairs[parts.First(space)].second += "x";
    refused(parts);
    parts = sound;
    parts.pairs[parts.First(space)].first += "x";
    refused(parts);
  }
  Parts parts = sound;  // Twice the same key, and one in the wrong order.
  parts.pairs.insert(parts.pairs.begin(), parts.pairs.front());
  refused(parts);
  parts = sound;
  std::swap(parts.pairs[parts.First(Space::kState)], parts.pairs[parts.First(Space::kState) + 1]);
  refused(parts);
  for (const std::string& key : {std::string("a"), StoreTipKey(), StoreChainKey(),
                                 StoreNumberKey(Space::kMark, 1), std::string("zz")}) {
    parts = sound;  // A key that no snapshot holds, in its place.
    const auto at = std::find_if(parts.pairs.begin(), parts.pairs.end(),
                                 [&](const auto& pair) { return pair.first > key; });
    parts.pairs.insert(at, {key, "value"});
    refused(parts);
  }
  parts = sound;
  parts.head.tip.block_hash = TestHash(1);
  refused(parts);
  parts = sound;
  parts.head.tip.height = Height(kInterval - 1);
  refused(parts);
  parts = sound;
  parts.head.tip.tree.Append(TestHash(1));
  refused(parts);
  parts = sound;  // A journal position of somebody else.
  const size_t block = parts.First(Space::kBlock);
  BlockInfo info = DecodeBlockInfo(parts.pairs[block].second).value();
  info.position.offset = 4711;
  parts.pairs[block].second = EncodeBlockInfo(info);
  refused(parts);
}

TEST_CASE("snapshot: random streams never crash the loader", "[snapshot]") {
  VIGIL_TEST_SEED(seed, 21);
  Grown grown(kInterval, seed);
  const Genesis& genesis = grown.network.genesis();
  const Made made = MakeSnapshot(*grown.chain.store(), genesis);
  const std::string stream = made.Stream();
  SplitMix64 random(seed);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = stream.substr(0, random.Below(stream.size()) + 1);
    for (uint64_t flips = random.Below(4); flips > 0; --flips) {
      char& byte = bytes[random.Below(bytes.size())];
      byte = static_cast<char>(byte ^ (1 << random.Below(8)));
    }
    if (bytes == stream) continue;
    MemoryStore store;
    const absl::Status status =
        Load(CutAgain(made.manifest, bytes), &store, genesis, grown.places()).status();
    // A value of the state may be anything; who trusts the digest trusts it.
    if (!status.ok()) CHECK(absl::IsInvalidArgument(status));
    if (bytes.size() < stream.size()) CHECK_FALSE(status.ok());
  }
}

TEST_CASE("snapshot: a header is executed only with the digest that is ours", "[snapshot]") {
  Grown grown(2 * kInterval - 1, 22);
  ChainState* const state = grown.chain.state();
  const SnapshotMark own = grown.chain.snapshot();
  REQUIRE(own.height == Height(kInterval));
  const BlockPtr block = grown.chain.Next({});
  REQUIRE(block->header().snapshot_height == own.height);
  REQUIRE(block->header().snapshot_digest == own.digest);
  SECTION("it waits until ours is known") {
    state->KnowSnapshot({});
    const absl::Status status = grown.chain.Add(block).status();
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(status.message().find("not known yet") != std::string::npos);
    CHECK(grown.chain.tip().height == Height(2 * kInterval - 1));
    state->KnowSnapshot(own);
    CHECK(grown.chain.Add(block).ok());
  }
  SECTION("another digest is divergence and ends execution") {
    state->KnowSnapshot({.height = own.height, .digest = TestHash(1)});
    const absl::Status status = grown.chain.Add(block).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(status.message().find("state divergence at height 65") != std::string::npos);
    state->KnowSnapshot(own);
    CHECK(absl::IsDataLoss(grown.chain.Add(block).status()));
  }
  SECTION("a header that names none or another height continues nothing") {
    for (const Height named : {Height(0), Height(64), Height(130)}) {
      BlockHeader header = grown.chain.NextHeader();
      header.snapshot_height = named;
      state->KnowSnapshot({.height = named, .digest = own.digest});
      CHECK_FALSE(grown.chain.Add(grown.chain.Make(header, {})).ok());
      CHECK(grown.chain.tip().height == Height(2 * kInterval - 1));
    }
  }
}

TEST_CASE("snapshot: verification of a ledger finds a wrong digest", "[snapshot]") {
  Grown grown(2 * kInterval - 1, 23);
  const auto verify = [&](bool with_store) {
    return VerifyLedger(*grown.chain.journal(), grown.network.genesis(),
                        with_store ? grown.chain.store() : nullptr, {}, nullptr);
  };
  SECTION("the right one") {
    grown.GrowTo(2 * kInterval + 3);
    for (const bool with_store : {true, false}) {
      const VerifyReport report = verify(with_store);
      CHECK(report.ok());
      CHECK(report.store_compared == with_store);
    }
  }
  SECTION("another one, on which all validators agreed") {
    const SnapshotMark own = grown.chain.snapshot();
    BlockHeader header = grown.chain.NextHeader();
    header.snapshot_digest = TestHash(1);
    grown.chain.state()->KnowSnapshot({.height = Height(kInterval), .digest = TestHash(1)});
    REQUIRE(grown.chain.Add(grown.chain.Make(header, {})).ok());
    const VerifyReport report = verify(true);
    CHECK(report.finding_count == 1);
    REQUIRE(report.counts.contains(FindingType::kSnapshotDiffers));
    CHECK(report.findings[0].height == Height(2 * kInterval));
    CHECK(report.findings[0].what.find(own.digest.ToHex()) != std::string::npos);
  }
}

TEST_CASE("snapshot: the file of a fixed chain is what it was", "[snapshot]") {
  const TestNetwork network(1, kInterval);
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  for (uint32_t i = 0; i < kInterval; ++i) {
    chain.Commit(i % 8 == 0 ? std::vector<Record>{stream.Batch(2)} : std::vector<Record>{});
  }
  const Made made = MakeSnapshot(*chain.store(), network.genesis());
  const std::string bytes = made.Stream() + EncodeSnapshotManifest(made.manifest);
  const std::filesystem::path path =
      std::filesystem::path(VIGIL_SOURCE_DIR) / "tests/ledger/state/golden/65.snapshot";
  if (std::getenv("VIGIL_REGENERATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  CHECK(ReadWholeFile(path).value_or("") == bytes);
}

}  // namespace vigil::ledger
