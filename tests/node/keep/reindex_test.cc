// State and search index come back from the journal: by command, and by themselves when a file of
// LevelDB is damaged in whatever way.
#include "node/keep/reindex.h"

#include <algorithm>
#include <string>
#include <vector>

#include "ledger/base/limits.h"
#include "ledger/base/random.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;

constexpr uint32_t kIntervalMin = kExecutionLagHeightsMax + 1;

struct Rebuilt : KeptCluster {
  ledger::Tip tip;

  Rebuilt() : KeptCluster(1) {
    for (int i = 0; i < 60; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(40)).error.ok());
    }
    cluster.RunFor(3 * kSecond);
    tip = cluster.node(0)->Snapshot()->GetTip().value();
    cluster.Crash(0, CrashMode::kProcessOnly);
  }
  ReindexRequest request() {
    return {.data_dir = kData, .genesis = &genesis(), .open_store = StoresIn(disk(), kData)};
  }
  // Starts the validator; it must have the same state as before and index all of it.
  void CheckStarts() {
    const absl::Status started = cluster.Start(0);
    INFO(started);
    REQUIRE(started.ok());
    CHECK_FALSE(cluster.node(0)->Status().refusing);
    REQUIRE(cluster.RunUntil(
        [&] {
          const NodeStatus status = cluster.node(0)->Status();
          return status.executed >= tip.height && status.indexed >= tip.height;
        },
        20 * kSecond));
    CHECK(cluster.node(0)->Snapshot()->StateDigest(tip.height).value() == tip.state_digest);
    REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(1)).error.ok());
    cluster.Crash(0, CrashMode::kProcessOnly);
  }
};

TEST_CASE("reindex: state and index are the same as before", "[keep]") {
  Rebuilt t;
  SECTION("over what is there") {}
  SECTION("where nothing is left of the state") {
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/state").ok());
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/index").ok());
  }
  const auto report = Reindex(t.disk(), t.request(), nullptr);
  INFO(report.status());
  REQUIRE(report.ok());
  CHECK(report->height >= t.tip.height);
  CHECK(report->indexed == report->height);
  if (report->height == t.tip.height) CHECK(report->state_digest == t.tip.state_digest);
  t.CheckStarts();
}

TEST_CASE("reindex: headers that carry the digests of snapshots are held against our own",
          "[keep]") {
  sim::NetworkOptions options{.validators = 1};
  options.snapshot_interval_blocks = kIntervalMin;
  KeptCluster kept(options, 79, 16 * 1024);
  while (kept.cluster.node(0)->Status().executed.value() < 2 * kIntervalMin + 10) kept.Submit(5);
  const ledger::Tip tip = kept.cluster.node(0)->Snapshot()->GetTip().value();
  kept.cluster.RunFor(2 * kSecond);
  kept.cluster.Crash(0, CrashMode::kProcessOnly);
  const auto report = Reindex(
      kept.disk(),
      {.data_dir = kData, .genesis = &kept.genesis(), .open_store = StoresIn(kept.disk(), kData)},
      nullptr);
  INFO(report.status());
  REQUIRE(report.ok());
  CHECK(report->height >= tip.height);
  REQUIRE(kept.cluster.Start(0).ok());
  CHECK(kept.cluster.node(0)->Snapshot()->StateDigest(tip.height).value() == tip.state_digest);
  REQUIRE(SubmitAndWait(&kept.cluster, 0, kept.stream.NextBatch(1)).error.ok());
}

TEST_CASE("reindex: a damaged journal is not built upon and nothing is changed", "[keep]") {
  Rebuilt t;
  const auto names = t.disk()->List("/vigil/journal").value();
  REQUIRE(t.disk()->FlipBit("/vigil/journal/" + names.front(), 900, 1).ok());
  const uint64_t operations = t.disk()->operation_count();
  CHECK(absl::IsDataLoss(Reindex(t.disk(), t.request(), nullptr).status()));
  CHECK(t.disk()->operation_count() == operations);
}

TEST_CASE("reindex: a start after an interruption at any operation ends it", "[keep]") {
  VIGIL_TEST_SEED(seed, 4300);
  Rebuilt t;
  SplitMix64 random(seed);
  const uint64_t before = t.disk()->operation_count();
  REQUIRE(Reindex(t.disk(), t.request(), nullptr).ok());
  const uint64_t operations = t.disk()->operation_count() - before;
  for (int i = 0; i < 25; ++i) {
    const uint64_t step = random.Below(operations);
    INFO("operation " << step);
    t.disk()->CrashAt(t.disk()->operation_count() + step);
    Reindex(t.disk(), t.request(), nullptr).IgnoreError();
    t.disk()->Crash(CrashMode::kAnyLoss);
    t.CheckStarts();
  }
}

enum class Wound { kGone, kEmpty, kHalf, kZeroed, kFlipped };

void Inflict(ledger::FaultyFileSystem* disk, const std::string& path, Wound wound,
             SplitMix64* random) {
  const uint64_t size = disk->Size(path).value();
  switch (wound) {
    case Wound::kGone:
      REQUIRE(disk->Remove(path).ok());
      return;
    case Wound::kEmpty:
      REQUIRE(disk->Truncate(path, 0).ok());
      return;
    case Wound::kHalf:
      REQUIRE(disk->Truncate(path, size / 2).ok());
      return;
    case Wound::kZeroed:
      if (size == 0) return;
      REQUIRE(disk->Overwrite(path, 0, AsBytes(std::string(size, '\0'))).ok());
      return;
    case Wound::kFlipped:
      if (size == 0) return;
      REQUIRE(disk->FlipBit(path, random->Below(size), 5).ok());
      return;
  }
}

TEST_CASE("reindex: each kind of LevelDB file may be damaged in each way", "[keep]") {
  VIGIL_TEST_SEED(seed, 4400);
  SplitMix64 random(seed);
  Rebuilt t;
  std::vector<std::string> seen;
  for (const char* const folder : {"/vigil/state", "/vigil/index", "/vigil/detect"}) {
    for (const absl::string_view kind : {"CURRENT", "MANIFEST-", ".log", ".ldb", "LOCK"}) {
      for (const Wound wound :
           {Wound::kGone, Wound::kEmpty, Wound::kHalf, Wound::kZeroed, Wound::kFlipped}) {
        std::vector<std::string> files;
        const std::vector<std::string> names = t.disk()->List(folder).value();
        for (const std::string& name : names) {
          if (name.find(std::string(kind)) != std::string::npos) files.push_back(name);
        }
        if (files.empty()) continue;
        const std::string path = std::string(folder) + "/" + files[random.Below(files.size())];
        INFO(path << ", wound " << static_cast<int>(wound));
        Inflict(t.disk(), path, wound, &random);
        seen.push_back(std::string(kind));
        t.CheckStarts();
      }
    }
  }
  for (const char* kind : {"CURRENT", "MANIFEST-", ".log", ".ldb"}) {
    INFO(kind);
    CHECK(std::count(seen.begin(), seen.end(), kind) > 0);
  }
}

}  // namespace
}  // namespace vigil::node
