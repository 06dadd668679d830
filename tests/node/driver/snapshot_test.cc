// Snapshots of whole nodes: one digest everywhere, crashes around them, and starts from them.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/tables.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/memory_store.h"
#include "node/driver/node.h"
#include "node/driver/snapshot_actor.h"

#include "tests/node/driver/cluster_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::SnapshotFile;
using sim::SensorStream;
using sim::SimCluster;

constexpr uint64_t kInterval = 65;
constexpr char kFolder[] = "/vigil/snapshots";

// A cluster whose empty chain grows by ten blocks a second.
struct Fixture {
  SimCluster cluster;
  std::vector<std::string> log;

  explicit Fixture(uint32_t validators, uint64_t seed)
      : cluster({.validators = validators,
                 .heartbeat_millis = 100,
                 .snapshot_interval_blocks = kInterval},
                seed) {
    cluster.SetLogTap(
        [this](uint32_t, LogLevel, absl::string_view line) { log.emplace_back(line); });
    cluster.StartAll();
  }
  bool RunTo(uint64_t height, uint32_t node = 0, int64_t seconds = 60) {
    return cluster.RunUntil(
        [&] {
          return cluster.node(node)->Status().executed >= Height(height) ||
                 !cluster.node(node)->fatal().ok();
        },
        seconds * kSecond);
  }
  std::vector<Height> Heights(uint32_t node = 0) {
    return ledger::ListSnapshots(cluster.disk(node), kFolder).value();
  }
  std::string Path(uint64_t height) { return ledger::SnapshotPath(kFolder, Height(height)); }
  ledger::SnapshotMark Mark(uint64_t height, uint32_t node = 0) {
    const auto file = SnapshotFile::Open(&cluster.disk(node), Path(height));
    INFO(file.status().message());
    REQUIRE(file.ok());
    REQUIRE((*file)->CheckAll().ok());
    return (*file)->manifest().mark();
  }
  bool Logged(absl::string_view text) const {
    for (const std::string& line : log) {
      if (absl::StrContains(line, text)) return true;
    }
    return false;
  }
  // State is on disk only as far as LevelDB synced it: gone altogether.
  void LoseState(uint32_t node = 0) {
    REQUIRE(ledger::RemoveLevelDbStore(&cluster.disk(node), "/vigil/state").ok());
  }
  void Restart(uint32_t node = 0) {
    const absl::Status started = cluster.Start(node);
    INFO(started.message());
    REQUIRE(started.ok());
    INFO(cluster.node(node)->Status().refusing_reason);
    REQUIRE_FALSE(cluster.node(node)->Status().refusing);
  }
};

TEST_CASE("snapshot: all validators make the same and the header carries it", "[snapshot]") {
  VIGIL_TEST_SEED(seed, 41);
  Fixture t(3, seed);
  SensorStream stream = StreamOf(t.cluster);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(SubmitAndWait(&t.cluster, 0, stream.NextBatch(3)).error.ok());
  }
  REQUIRE(t.RunTo(3 * kInterval + 5));
  t.cluster.RunFor(2 * kSecond);
  const std::vector<Height> kept = {Height(2 * kInterval), Height(3 * kInterval)};
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(t.Heights(i) == kept);
    CHECK(t.Mark(2 * kInterval, i) == t.Mark(2 * kInterval));
    CHECK(t.Mark(3 * kInterval, i) == t.Mark(3 * kInterval));
    const NodeStatus status = t.cluster.node(i)->Status();
    CHECK(status.snapshot.height == Height(3 * kInterval));
    CHECK(status.snapshot.bytes > 10'000);
    CHECK(status.snapshot.failure_count == 0);
    const auto block = t.cluster.node(i)->LoadBlock(Height(3 * kInterval));
    REQUIRE(block.ok());
    CHECK((*block)->header().snapshot_height == Height(2 * kInterval));
    CHECK((*block)->header().snapshot_digest == t.Mark(2 * kInterval).digest);
  }
}

TEST_CASE("snapshot: no block that needs a digest is built or executed before it is known",
          "[snapshot]") {
  VIGIL_TEST_SEED(seed, 42);
  Fixture t(3, seed);
  SECTION("nowhere, and the chain waits") {
    for (uint32_t i = 0; i < 3; ++i) t.cluster.SetFrozen(i, "snapshot");
    REQUIRE(t.RunTo(2 * kInterval - 1));
    t.cluster.RunFor(20 * kSecond);
    for (uint32_t i = 0; i < 3; ++i) {
      CHECK(t.cluster.node(i)->Status().core.last.height == Height(2 * kInterval - 1));
      t.cluster.SetFrozen(i, "");
    }
    CHECK(t.RunTo(2 * kInterval + 1));
  }
  SECTION("by one follower, and only it waits") {
    const uint32_t leader = WaitForLeader(&t.cluster);
    const uint32_t slow = (leader + 1) % 3;
    t.cluster.SetFrozen(slow, "snapshot");
    REQUIRE(t.RunTo(2 * kInterval + 20, leader));
    CHECK(t.cluster.node(slow)->Status().executed == Height(2 * kInterval - 1));
    t.cluster.SetFrozen(slow, "");
    CHECK(t.RunTo(2 * kInterval + 20, slow));
  }
  for (uint32_t i = 0; i < 3; ++i) CHECK(t.cluster.node(i)->fatal().ok());
}

TEST_CASE("snapshot: lost or damaged state begins at the newest and replays the rest",
          "[snapshot]") {
  VIGIL_TEST_SEED(seed, 43);
  Fixture t(1, seed);
  SensorStream stream = StreamOf(t.cluster);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(SubmitAndWait(&t.cluster, 0, stream.NextBatch(3)).error.ok());
  }
  REQUIRE(t.RunTo(2 * kInterval + 20));
  const Height height = t.cluster.node(0)->Status().executed;
  const ledger::Tip tip = t.cluster.node(0)->Snapshot()->GetTip().value();
  const auto results = t.cluster.node(0)->Snapshot()->GetResults(Height(3)).value();
  t.cluster.Crash(0, CrashMode::kProcessOnly);
  t.log.clear();
  uint64_t from = 2 * kInterval;
  SECTION("the newest") { t.LoseState(); }
  SECTION("damaged, not lost") {
    const auto names = t.cluster.disk(0).List("/vigil/state").value();
    for (const std::string& name : names) {
      if (name == "LOCK") continue;
      const std::string path = "/vigil/state/" + name;
      const uint64_t size = t.cluster.disk(0).Size(path).value();
      for (uint64_t offset = 0; offset < size; offset += 97) {
        REQUIRE(t.cluster.disk(0).FlipBit(path, offset, 3).ok());
      }
    }
  }
  SECTION("the one before, when a bit of the newest is flipped") {
    t.LoseState();
    REQUIRE(t.cluster.disk(0).FlipBit(t.Path(from), 5000, 3).ok());
    from = kInterval;
  }
  SECTION("the first block, when both are bad") {
    t.LoseState();
    REQUIRE(t.cluster.disk(0).FlipBit(t.Path(from), 5000, 3).ok());
    const uint64_t size = t.cluster.disk(0).Size(t.Path(kInterval)).value();
    REQUIRE(t.cluster.disk(0).FlipBit(t.Path(kInterval), size - 1, 0).ok());
    from = 0;
  }
  SECTION("the one before, when the newest is another chain's state under our block") {
    t.LoseState();
    // Holds together, but the digest that block 2I carries is another.
    const auto file = SnapshotFile::Open(&t.cluster.disk(0), t.Path(kInterval)).value();
    std::string chunk = file->ReadChunk(0).value();
    chunk.back() ^= 1;
    ledger::SnapshotManifest manifest = file->manifest();
    REQUIRE(manifest.chunks.size() == 1);
    manifest.chunks[0] = ledger::LeafHash(AsBytes(chunk));
    manifest.digest = manifest.chunks[0];
    REQUIRE(t.cluster.disk(0).Remove(t.Path(from)).ok());
    const std::string bytes = chunk + ledger::EncodeSnapshotManifest(manifest);
    REQUIRE(t.cluster.disk(0).WriteAtomically(t.Path(kInterval), AsBytes(bytes)).ok());
    from = 0;
  }
  t.Restart();
  if (from > 0) {
    CHECK(t.Logged(absl::StrCat("state begins at the snapshot of height ", from)));
  } else {
    CHECK(t.Logged("no snapshot is of use: state begins at the first block"));
  }
  CHECK(t.Logged("refuses and removes the snapshot") == (from < 2 * kInterval));
  REQUIRE(t.RunTo(height.value()));
  CHECK(t.cluster.node(0)->Snapshot()->StateDigest(height).value() == tip.state_digest);
  // What lies below the snapshot is there too.
  CHECK(t.cluster.node(0)->Snapshot()->GetResults(Height(3)).value() == results);
  CHECK(t.cluster.node(0)->LoadBlock(Height(3)).ok());
  CHECK(SubmitAndWait(&t.cluster, 0, stream.NextBatch(1)).error.ok());
  // A bad one has been replaced, and the chain's headers agree with what is made now.
  REQUIRE(t.RunTo(3 * kInterval + 5));
  CHECK(t.cluster.node(0)->fatal().ok());
  CHECK(t.Heights() == std::vector{Height(2 * kInterval), Height(3 * kInterval)});
  const auto block = t.cluster.node(0)->LoadBlock(Height(3 * kInterval));
  CHECK((*block)->header().snapshot_digest == t.Mark(2 * kInterval).digest);
}

TEST_CASE("snapshot: state past one that is not on disk goes back to the one before",
          "[snapshot]") {
  VIGIL_TEST_SEED(seed, 44);
  Fixture t(1, seed);
  REQUIRE(t.RunTo(2 * kInterval - 1));
  t.cluster.SetFrozen(0, "snapshot");
  REQUIRE(t.RunTo(2 * kInterval + 10));
  const Hash digest =
      t.cluster.node(0)->Snapshot()->StateDigest(Height(2 * kInterval + 10)).value();
  CHECK(t.Heights() == std::vector{Height(kInterval)});
  t.cluster.Crash(0, CrashMode::kProcessOnly);
  t.cluster.SetFrozen(0, "");
  t.log.clear();
  SECTION("it is there") {
    t.Restart();
    CHECK(t.Logged("the snapshot of height 130 is not on disk"));
    CHECK(t.Logged("state begins at the snapshot of height 65"));
  }
  SECTION("it is not, and everything is executed again") {
    REQUIRE(t.cluster.disk(0).Remove(t.Path(kInterval)).ok());
    t.Restart();
    CHECK(t.Logged("state begins at the first block"));
  }
  REQUIRE(t.RunTo(3 * kInterval + 1));
  CHECK(t.cluster.node(0)->fatal().ok());
  CHECK(t.cluster.node(0)->Snapshot()->StateDigest(Height(2 * kInterval + 10)).value() == digest);
}

TEST_CASE("snapshot: a state exactly at its height makes it after a restart", "[snapshot]") {
  VIGIL_TEST_SEED(seed, 45);
  Fixture t(1, seed);
  t.cluster.SetFrozen(0, "snapshot");
  REQUIRE(t.RunTo(kInterval));
  REQUIRE(t.cluster.node(0)->Status().executed == Height(kInterval));
  t.cluster.Crash(0, CrashMode::kProcessOnly);
  t.cluster.SetFrozen(0, "");
  t.log.clear();
  t.Restart();
  CHECK_FALSE(t.Logged("state begins"));
  REQUIRE(t.RunTo(2 * kInterval + 1));
  CHECK(t.cluster.node(0)->fatal().ok());
}

TEST_CASE("snapshot: a node that is ended at any file operation goes on as before", "[snapshot]") {
  VIGIL_TEST_SEED(seed, 46);
  for (const CrashMode mode : {CrashMode::kProcessOnly, CrashMode::kAnyLoss}) {
    bool past = false;
    for (uint64_t operation = 0; operation < 60 && !past; operation += 2) {
      Fixture t(1, seed + operation);
      REQUIRE(t.RunTo(2 * kInterval - 1));
      auto& disk = t.cluster.disk(0);
      disk.CrashAt(disk.operation_count() + operation);
      t.RunTo(2 * kInterval + 6);
      past = t.cluster.node(0)->fatal().ok();
      t.cluster.Crash(0, mode);
      for (const Height height : t.Heights()) t.Mark(height.value());
      t.cluster.config(0).accept_torn_tail = true;  // It is alone.
      t.Restart();
      REQUIRE(t.RunTo(3 * kInterval + 2));
      INFO(t.cluster.node(0)->fatal());
      CHECK(t.cluster.node(0)->fatal().ok());
      CHECK(t.Heights() == std::vector{Height(2 * kInterval), Height(3 * kInterval)});
    }
  }
}

TEST_CASE("snapshot: without room on the disk only the file is missing", "[snapshot]") {
  const sim::TestNetwork network({.validators = 1, .snapshot_interval_blocks = kInterval});
  ledger::MemoryStore store;
  const auto state = ledger::ChainState::Open(&store, &network.genesis()).value();
  // The actor needs no more of a chain than a tip above genesis.
  ledger::Tip tip = state->tip();
  tip.height = Height(kInterval);
  ledger::StoreBatch batch;
  batch.Put(ledger::StoreTipKey(), ledger::EncodeTip(tip));
  REQUIRE(store.Write(batch).ok());
  const ledger::SnapshotMark expected =
      ledger::ComputeSnapshotMark(store.Snapshot(), network.genesis()).value();
  const LogFunction log = [](LogLevel, absl::string_view, absl::string_view) {};
  // Returns the number of file operations.
  const auto run = [&](std::optional<uint64_t> operation, ledger::DiskFault fault) {
    ledger::FaultyFileSystem disk(47);
    REQUIRE(disk.MakeDirs("/d").ok());
    const uint64_t before = disk.operation_count();
    FatalLatch fatal(nullptr);
    int known = 0;
    SnapshotActor actor({.genesis = &network.genesis(),
                         .files = &disk,
                         .fatal = &fatal,
                         .log = &log,
                         .on_known = [&] { ++known; }},
                        "/d/snapshots", std::nullopt);
    CHECK_FALSE(actor.Step());
    actor.Take(Height(kInterval), store.Snapshot());
    CHECK_FALSE(actor.Find(Height(kInterval)).has_value());
    if (operation.has_value()) disk.FailAt(before + *operation, fault);
    while (actor.Step()) continue;
    CAPTURE(operation.value_or(999), static_cast<int>(fault));
    // After any error but that there is no room, what is on that disk is unknown.
    const bool dies = operation.has_value() && fault == ledger::DiskFault::kIoError;
    CHECK(fatal.status().ok() != dies);
    CHECK(known == (dies ? 0 : 1));
    CHECK(actor.Find(Height(kInterval)).has_value() != dies);
    if (!dies) CHECK(actor.Find(Height(kInterval)) == expected);
    CHECK(actor.state().height == Height(operation.has_value() ? 0 : kInterval));
    CHECK(actor.state().failure_count == (operation.has_value() && !dies ? 1 : 0));
    return disk.operation_count() - before;
  };
  const uint64_t operations = run(std::nullopt, ledger::DiskFault::kNoSpace);
  REQUIRE(operations >= 6);
  for (uint64_t operation = 0; operation < operations; ++operation) {
    run(operation, ledger::DiskFault::kNoSpace);
    run(operation, ledger::DiskFault::kShortWrite);
    run(operation, ledger::DiskFault::kIoError);
  }
}

}  // namespace
}  // namespace vigil::node
