// Backup, restore and reindex of validators whose journal begins above genesis: one that joined by
// a snapshot, and one that archived.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/state/archive_manifest.h"
#include "ledger/state/snapshot_file.h"
#include "node/driver/recovery.h"
#include "node/keep/backup.h"
#include "node/keep/base_part.h"
#include "node/keep/reindex.h"
#include "tests/node/keep/archive_support.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using consensus::CoreRole;
using ledger::CrashMode;

constexpr uint32_t kInterval = 65;
constexpr char kSnapshots[] = "/vigil/snapshots";
constexpr uint64_t kSegmentBytes = 32 * 1024;

// A network whose third validator gave up its journal and joined by a snapshot.
struct Joined : KeptCluster {
  static constexpr uint32_t kThird = 2;

  explicit Joined(uint64_t seed = 91)
      : KeptCluster({.validators = 3, .snapshot_interval_blocks = kInterval}, seed, kSegmentBytes) {
    WaitForLeader(&cluster);
    Grow(2 * kInterval + 10);
    cluster.node(kThird)->Stop();
    cluster.Crash(kThird, CrashMode::kProcessOnly);
    const auto rejoined = cluster.Rejoin(kThird, /*even_if_sound=*/true);
    INFO(rejoined.status());
    REQUIRE(rejoined.ok());
    REQUIRE(cluster.Start(kThird).ok());
    REQUIRE(cluster.RunUntil([&] { return Votes(); }, 120 * kSecond));
    Grow(20);
  }
  bool Votes() {
    if (cluster.node(kThird) == nullptr) return false;
    const NodeStatus status = cluster.node(kThird)->Status();
    return !status.refusing && !status.join.active && status.core.role != CoreRole::kNonVoter;
  }
  // So many blocks more, executed by all.
  void Grow(uint64_t blocks) {
    const Height goal(cluster.node(0)->Status().executed.value() + blocks);
    while (cluster.node(0)->Status().executed < goal) Submit(5);
    REQUIRE(cluster.RunUntil([&] { return cluster.node(kThird)->Status().executed >= goal; },
                             60 * kSecond));
  }
  void Stop() {
    cluster.RunFor(2 * kSecond);
    cluster.node(kThird)->Stop();
    cluster.Crash(kThird, CrashMode::kProcessOnly);
  }
  ledger::FaultyFileSystem* third() { return disk(kThird); }
};

// One that archived while it ran.
struct Archived : KeptCluster {
  Archived() : KeptCluster(Options(), /*seed=*/93, kSegmentBytes) {
    cluster.config(0).journal_bytes_max = 1;
    cluster.config(0).archive_dir = kArchive;
    cluster.config(0).genesis_file = ledger::WriteGenesis(genesis());
    cluster.config(0).accept_torn_tail = true;  // It has nobody to ask.
    cluster.config(0).detector_enabled = false;
    Restart();
    for (int i = 0; i < 300; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(60)).error.ok());
    }
    cluster.RunFor(5 * kSecond);
    REQUIRE(cluster.node(0)->Status().archive.base > Height(kInterval));
  }
  static sim::NetworkOptions Options() {
    return {.validators = 1, .snapshot_interval_blocks = kInterval};
  }
  void Restart() {
    cluster.node(0)->Stop();
    cluster.Crash(0, CrashMode::kProcessOnly);
    REQUIRE(cluster.Start(0).ok());
  }
  ledger::Tip StopAtTip() {
    const ledger::Tip tip = cluster.node(0)->Snapshot()->GetTip().value();
    cluster.node(0)->Stop();
    cluster.Crash(0, CrashMode::kProcessOnly);
    return tip;
  }
  void ReachHeight(Height height) {
    REQUIRE(cluster.RunUntil([&] { return cluster.node(0)->Status().executed >= height; },
                             20 * kSecond));
  }
  ReindexRequest request() {
    return {.data_dir = kData, .genesis = &genesis(), .open_store = StoresIn(disk(), kData)};
  }
};

std::vector<std::string> PathsIn(ledger::FaultyFileSystem* disk, const std::string& directory) {
  std::vector<std::string> paths;
  const auto names = disk->List(directory);
  if (!names.ok()) return paths;
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat(directory, "/", name);
    std::vector<std::string> below = PathsIn(disk, path);
    if (below.empty() && disk->Size(path).ok()) below = {path};
    paths.insert(paths.end(), below.begin(), below.end());
  }
  return paths;
}

TEST_CASE("base: one that joined by a snapshot is backed up and brought back and votes again",
          "[keep]") {
  Joined t;
  const bool runs = GENERATE(true, false);
  if (!runs) t.Stop();
  const auto made = t.Backup(Joined::kThird);
  INFO(made.status());
  REQUIRE(made.ok());
  REQUIRE(made->base.has_value());
  CHECK(made->base->height >= Height(kInterval));
  CHECK(made->height > made->base->height);
  CHECK(made->state_digest == *t.cluster.node(0)->Snapshot()->StateDigest(made->height));
  CHECK(PathsIn(t.third(), absl::StrCat(kBackup, "/snapshots")).size() == 1);
  if (runs) t.Stop();
  t.Submit(5);

  const auto restored = t.Restore(Joined::kThird);
  INFO(restored.status());
  REQUIRE(restored.ok());
  CHECK(*restored == *made);
  REQUIRE(t.StartRestored(Joined::kThird).ok());
  const NodeStatus status = t.cluster.node(Joined::kThird)->Status();
  INFO(status.refusing_reason);
  CHECK_FALSE(status.refusing);
  CHECK(status.core.role == CoreRole::kNonVoter);
  REQUIRE(t.cluster.RunUntil([&] { return t.Votes(); }, 60 * kSecond));
  t.Grow(kInterval);  // With a snapshot of its own, whose digest is the others'.
  const Height height = t.cluster.node(0)->Status().executed;
  REQUIRE(t.cluster.RunUntil(
      [&] {
        const NodeStatus now = t.cluster.node(Joined::kThird)->Status();
        return now.final >= height && now.log.cosigned_size > 0;
      },
      60 * kSecond));
  const Node& third = *t.cluster.node(Joined::kThird);
  CHECK(*third.Snapshot()->StateDigest(height) ==
        *t.cluster.node(0)->Snapshot()->StateDigest(height));
  // The log is whole: also what lies below the base.
  const auto root = ledger::RootFromTiles(*third.tiles(), made->tree_size);
  INFO(root.status());
  REQUIRE(root.ok());
  CHECK(*root == made->tree_root);
  CHECK(third.Status().log.refusing_reason.empty());
}

TEST_CASE("base: one that archived is backed up beside its archive and brought back", "[keep]") {
  Archived t;
  const bool runs = GENERATE(true, false);
  ledger::Tip tip = t.cluster.node(0)->Snapshot()->GetTip().value();
  if (!runs) tip = t.StopAtTip();
  const auto made = t.Backup();
  INFO(made.status());
  REQUIRE(made.ok());
  REQUIRE(made->base.has_value());
  CHECK(made->journal_begin > 0);
  if (runs) t.StopAtTip();
  const auto restored = t.Restore();
  INFO(restored.status());
  REQUIRE(restored.ok());
  REQUIRE(t.StartRestored().ok());
  INFO(t.cluster.node(0)->Status().refusing_reason);
  CHECK_FALSE(t.cluster.node(0)->Status().refusing);
  t.ReachHeight(made->height);
  CHECK(*t.cluster.node(0)->Snapshot()->StateDigest(made->height) == made->state_digest);
  REQUIRE(SubmitAndWait(&t.cluster, 0, t.stream.NextBatch(1)).error.ok());
  REQUIRE(t.cluster.RunUntil(
      [&] { return t.cluster.node(0)->Status().log.cosigned_size > made->tree_size; },
      20 * kSecond));
}

TEST_CASE("base: without what the journal lacks there is no backup and it says what is missing",
          "[keep]") {
  Archived t;
  t.StopAtTip();
  const auto heights = ledger::ListSnapshots(*t.disk(), kSnapshots);
  REQUIRE(heights.ok());
  REQUIRE(heights->size() == 2);
  const auto damage = [&](Height height) {
    REQUIRE(t.disk()->FlipBit(ledger::SnapshotPath(kSnapshots, height), 700, 2).ok());
  };
  SECTION("every snapshot is damaged") {
    damage(heights->front());
    damage(heights->back());
    const absl::Status refused = t.Backup().status();
    INFO(refused);
    CHECK(absl::IsFailedPrecondition(refused));
    CHECK(absl::StrContains(refused.message(), "no sound snapshot"));
    CHECK(absl::StrContains(refused.message(), ledger::SnapshotPath("", heights->back())));
  }
  SECTION("there is no snapshot") {
    for (const Height height : *heights) {
      REQUIRE(t.disk()->Remove(ledger::SnapshotPath(kSnapshots, height)).ok());
    }
    CHECK(absl::IsFailedPrecondition(t.Backup().status()));
  }
  SECTION("a bundle of the log is gone") {
    REQUIRE(t.disk()->Remove("/vigil/log/tile/entries/000").ok());
    const absl::Status refused = t.Backup().status();
    INFO(refused);
    CHECK(absl::IsFailedPrecondition(refused));
    CHECK(absl::StrContains(refused.message(), "tile/entries/000"));
  }
  SECTION("a leaf of the log was altered") {
    REQUIRE(t.disk()->FlipBit("/vigil/log/tile/entries/000", 40, 2).ok());
    CHECK(absl::IsDataLoss(t.Backup().status()));
  }
  CHECK_FALSE(t.disk()->Exists(absl::StrCat(kBackup, "/", kManifestName)));
}

TEST_CASE("base: whatever is altered in a backup above a base is found before anything may start",
          "[keep]") {
  VIGIL_TEST_SEED(seed, 4600);
  SplitMix64 random(seed);
  Archived t;
  t.StopAtTip();
  const auto made = t.Backup();
  REQUIRE(made.ok());
  for (const char* part : {"/journal", "/snapshots", "/log/tile/entries"}) {
    const std::vector<std::string> paths = PathsIn(t.disk(), absl::StrCat(kBackup, part));
    REQUIRE_FALSE(paths.empty());
    for (int i = 0; i < 6; ++i) {
      const std::string& path = paths[random.Below(paths.size())];
      const uint64_t at = random.Below(*t.disk()->Size(path));
      const int bit = static_cast<int>(random.Below(8));
      REQUIRE(t.disk()->FlipBit(path, at, bit).ok());
      const absl::Status restored = t.Restore().status();
      INFO(path << " at " << at << ": " << restored);
      CHECK(absl::IsDataLoss(restored));
      CHECK(absl::IsFailedPrecondition(CheckNoRestore(*t.disk(), kRestored)));
      REQUIRE(t.disk()->FlipBit(path, at, bit).ok());
    }
    const std::string gone = paths[random.Below(paths.size())];
    REQUIRE(t.disk()->Rename(gone, gone + ".away").ok());
    CHECK_FALSE(t.Restore().ok());
    CHECK(absl::IsFailedPrecondition(CheckNoRestore(*t.disk(), kRestored)));
    REQUIRE(t.disk()->Rename(gone + ".away", gone).ok());
  }
  CHECK(t.Restore().ok());
}

TEST_CASE("base: a manifest that promises another base is not believed", "[keep]") {
  Archived t;
  t.StopAtTip();
  BackupManifest manifest = t.Backup().value();
  SECTION("height") { manifest.base->height = manifest.base->height.Next(); }
  SECTION("block") { manifest.base->block_hash.bytes[3] ^= 1; }
  SECTION("tree size") { --manifest.base->tree_size; }
  SECTION("tree root") { manifest.base->tree_root.bytes[3] ^= 1; }
  SECTION("snapshot") { manifest.base->snapshot.sha256.bytes[3] ^= 1; }
  SECTION("none at all") { manifest.base.reset(); }
  REQUIRE(t.disk()
              ->WriteAtomically(absl::StrCat(kBackup, "/", kManifestName),
                                AsBytes(EncodeManifest(manifest)))
              .ok());
  const absl::Status restored = t.Restore().status();
  INFO(restored);
  CHECK(absl::IsDataLoss(restored));
  CHECK(absl::IsFailedPrecondition(CheckNoRestore(*t.disk(), kRestored)));
}

TEST_CASE("base: the manifest of a backup above a base is read back and nothing else is one",
          "[keep]") {
  BackupManifest manifest{
      .network = "test.vigil",
      .genesis_hash = Hash(),
      .validator = "acme/v0",
      .journal_id = {},
      .journal_begin = 64,
      .journal_end = 4711,
      .base = BackupBase{.height = Height(9),
                         .block_hash = Hash(),
                         .tree_size = 20,
                         .tree_root = Hash(),
                         .snapshot = {.name = "9.snapshot", .bytes = 3, .sha256 = Hash()}},
      .height = Height(12),
      .block_hash = Hash(),
      .state_digest = Hash(),
      .tree_size = 30,
      .tree_root = Hash(),
      .segments = {{.name = "a.journal", .bytes = 40, .sha256 = Hash()}}};
  const std::string text = EncodeManifest(manifest);
  const auto decoded = DecodeManifest(text);
  INFO(decoded.status());
  REQUIRE(decoded.ok());
  CHECK(*decoded == manifest);
  for (size_t at = 0; at < text.size(); ++at) {
    CHECK(absl::IsDataLoss(DecodeManifest(text.substr(0, at)).status()));
    std::string altered = text;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    CHECK(absl::IsDataLoss(DecodeManifest(altered).status()));
  }
}

TEST_CASE("base: an interrupted restore above a base lets no node start and is begun anew",
          "[keep]") {
  VIGIL_TEST_SEED(seed, 4700);
  SplitMix64 random(seed);
  Archived t;
  t.StopAtTip();
  const auto made = t.Backup();
  REQUIRE(made.ok());
  const uint64_t before = t.disk()->operation_count();
  REQUIRE(t.Restore().ok());
  const uint64_t operations = t.disk()->operation_count() - before;
  int refused = 0;
  for (int i = 0; i < 12; ++i) {
    const std::string target = absl::StrCat(kRestored, i);
    const RestoreRequest request{
        .backup = kBackup, .data_dir = target, .guard_path = kGuard, .genesis = &t.genesis()};
    const uint64_t step = random.Below(operations);
    t.disk()->CrashAt(t.disk()->operation_count() + step);
    RestoreData(t.disk(), request, nullptr).IgnoreError();
    t.disk()->Crash(CrashMode::kAnyLoss);
    INFO("operation " << step << " of " << operations);
    t.cluster.config(0).data_dir = target;
    if (t.disk()->Exists(RestoreMarker(target))) {
      ++refused;
      CHECK(absl::IsFailedPrecondition(t.cluster.Start(0)));
    }
    const auto second = RestoreData(t.disk(), request, nullptr);
    INFO(second.status());
    CHECK((second.ok() || absl::IsAlreadyExists(second.status())));
    REQUIRE(t.cluster.Start(0).ok());
    CHECK_FALSE(t.cluster.node(0)->Status().refusing);
    t.ReachHeight(made->height);
    CHECK(*t.cluster.node(0)->Snapshot()->StateDigest(made->height) == made->state_digest);
    t.cluster.Crash(0, CrashMode::kProcessOnly);
  }
  CHECK(refused > 6);
}

TEST_CASE("base: reindex builds state on the newest sound snapshot and indexes every block here",
          "[keep]") {
  Archived t;
  const Height indexed = t.cluster.node(0)->Status().indexed;
  const ledger::Tip tip = t.StopAtTip();
  const auto heights = ledger::ListSnapshots(*t.disk(), kSnapshots);
  REQUIRE(heights.ok());
  REQUIRE(heights->size() == 2);
  Height expected = heights->back();
  SECTION("the newest is sound") {}
  SECTION("and else the one before") {
    expected = heights->front();
    REQUIRE(t.disk()->FlipBit(ledger::SnapshotPath(kSnapshots, heights->back()), 700, 2).ok());
  }
  const auto report = Reindex(t.disk(), t.request(), nullptr);
  INFO(report.status());
  REQUIRE(report.ok());
  CHECK(report->begun_at == expected);
  CHECK(report->height >= tip.height);
  CHECK(report->indexed == report->height);
  if (report->height == tip.height) CHECK(report->state_digest == tip.state_digest);
  absl::Status damage;
  const auto journal =
      ledger::OpenJournalForReading(t.disk(), absl::StrCat(kData, "/journal"), &damage);
  REQUIRE(journal.ok());
  CHECK(report->indexed_from == (*ReadBase(**journal))->block.height.Next());
  REQUIRE(t.cluster.Start(0).ok());
  CHECK_FALSE(t.cluster.node(0)->Status().refusing);
  REQUIRE(t.cluster.RunUntil([&] { return t.cluster.node(0)->Status().indexed >= indexed; },
                             20 * kSecond));
  t.ReachHeight(tip.height);
  CHECK(*t.cluster.node(0)->Snapshot()->StateDigest(tip.height) == tip.state_digest);
  REQUIRE(SubmitAndWait(&t.cluster, 0, t.stream.NextBatch(1)).error.ok());
}

TEST_CASE("base: reindex without a sound snapshot changes nothing and says why", "[keep]") {
  Archived t;
  t.StopAtTip();
  const auto heights = ledger::ListSnapshots(*t.disk(), kSnapshots);
  REQUIRE(heights.ok());
  for (const Height height : *heights) {
    REQUIRE(t.disk()->FlipBit(ledger::SnapshotPath(kSnapshots, height), 700, 2).ok());
  }
  const uint64_t operations = t.disk()->operation_count();
  const absl::Status refused = Reindex(t.disk(), t.request(), nullptr).status();
  INFO(refused);
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK(absl::StrContains(refused.message(), "nothing was changed"));
  CHECK(absl::StrContains(refused.message(), ledger::SnapshotPath("", heights->front())));
  CHECK(t.disk()->operation_count() == operations);
}

TEST_CASE("base: a start after an interrupted reindex above a base ends it", "[keep]") {
  VIGIL_TEST_SEED(seed, 4800);
  SplitMix64 random(seed);
  Archived t;
  const ledger::Tip tip = t.StopAtTip();
  const uint64_t before = t.disk()->operation_count();
  REQUIRE(Reindex(t.disk(), t.request(), nullptr).ok());
  const uint64_t operations = t.disk()->operation_count() - before;
  for (int i = 0; i < 12; ++i) {
    const uint64_t step = random.Below(operations);
    INFO("operation " << step << " of " << operations);
    t.disk()->CrashAt(t.disk()->operation_count() + step);
    Reindex(t.disk(), t.request(), nullptr).IgnoreError();
    t.disk()->Crash(CrashMode::kAnyLoss);
    REQUIRE(t.cluster.Start(0).ok());
    CHECK_FALSE(t.cluster.node(0)->Status().refusing);
    REQUIRE(t.cluster.RunUntil(
        [&] {
          const NodeStatus status = t.cluster.node(0)->Status();
          return status.executed >= tip.height && status.indexed >= tip.height;
        },
        20 * kSecond));
    CHECK(*t.cluster.node(0)->Snapshot()->StateDigest(tip.height) == tip.state_digest);
    t.cluster.Crash(0, CrashMode::kProcessOnly);
  }
}

}  // namespace
}  // namespace vigil::node
