// Each kind of damage to a data folder is named, with what to do about it; nothing is changed.
#include "node/keep/data_check.h"

#include <string>

#include "node/keep/reindex.h"
#include "node/log/tile_store.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;

struct StoppedFolder : KeptCluster {
  StoppedFolder() : KeptCluster({.validators = 1, .snapshot_interval_blocks = 65}, 77, 16 * 1024) {
    // Enough leaves for full tiles.
    for (int round = 0; round < 8; ++round) {
      std::vector<OutcomeBox> boxes;
      for (int i = 0; i < 40; ++i) {
        boxes.push_back(SubmitTo(cluster.node(0), stream.NextBatch(2)));
      }
      REQUIRE(cluster.RunUntil([&] { return boxes.back()->has_value(); }, 20 * kSecond));
    }
    while (cluster.node(0)->Status().executed < Height(70)) Submit(1);  // For a snapshot.
    cluster.RunFor(3 * kSecond);
    cluster.node(0)->Stop();  // Saves how far the tiles are.
    cluster.Crash(0, CrashMode::kProcessOnly);
  }
  DataReport Check() {
    const uint64_t operations = disk()->operation_count();
    const auto report =
        CheckData(disk(), {.data_dir = kData, .guard_path = kGuard, .genesis = &genesis()});
    INFO(report.status());
    REQUIRE(report.ok());
    CHECK(disk()->operation_count() == operations);  // Nothing was changed.
    return *report;
  }
  static const DataPart& PartOf(const DataReport& report, absl::string_view name) {
    for (const DataPart& part : report.parts) {
      if (part.name == name) return part;
    }
    FAIL("no part " << name);
    return report.parts.front();
  }
  std::string FileIn(const std::string& folder, absl::string_view ending) {
    const std::vector<std::string> names = disk()->List(folder).value();
    for (const std::string& name : names) {
      if (name.size() > ending.size() &&
          name.substr(name.size() - ending.size()) == std::string(ending)) {
        return folder + "/" + name;
      }
    }
    FAIL("no file *" << ending << " in " << folder);
    return "";
  }
  void CheckOnly(absl::string_view name, PartVerdict verdict) {
    const DataReport report = Check();
    CHECK(report.verdict() == verdict);
    for (const DataPart& part : report.parts) {
      INFO(part.name << ": " << part.what);
      CHECK(part.verdict == (part.name == std::string(name) ? verdict : PartVerdict::kSound));
      if (part.verdict != PartVerdict::kSound) CHECK_FALSE(part.remedy.empty());
    }
  }
};

TEST_CASE("data check: a folder in order is sound in every part", "[keep]") {
  StoppedFolder folder;
  const DataReport report = folder.Check();
  for (const DataPart& part : report.parts) {
    INFO(part.name << ": " << part.what);
    CHECK(part.verdict == PartVerdict::kSound);
  }
  CHECK(report.validator == "acme/v0");
  CHECK(report.parts.size() == 8);
  REQUIRE(folder.cluster.Start(0).ok());
  CHECK(absl::IsAlreadyExists(
      CheckData(folder.disk(),
                {.data_dir = kData, .guard_path = kGuard, .genesis = &folder.genesis()})
          .status()));
}

TEST_CASE("data check: damage to what cannot be made again is told from the rest", "[keep]") {
  StoppedFolder folder;
  const std::string first = folder.FileIn(std::string(kData) + "/journal", ".journal");
  SECTION("a bit of the journal") {
    REQUIRE(folder.disk()->FlipBit(first, 700, 2).ok());
    const DataReport report = folder.Check();
    CHECK(report.verdict() == PartVerdict::kDamaged);
    const DataPart& part = StoppedFolder::PartOf(report, "journal");
    CHECK(part.verdict == PartVerdict::kDamaged);
    CHECK(part.what.find(first) != std::string::npos);
    CHECK(part.remedy.find("must not vote") == std::string::npos);
    CHECK(part.remedy.find("refuses to vote") != std::string::npos);
  }
  SECTION("its torn end") {
    const auto names = folder.disk()->List(std::string(kData) + "/journal").value();
    std::string last;
    for (const std::string& name : names) {
      if (name.find(".journal") != std::string::npos) last = kData + ("/journal/" + name);
    }
    const uint64_t size = folder.disk()->Size(last).value();
    REQUIRE(folder.disk()->Overwrite(last, size, AsBytes("VJF half a frame")).ok());
    folder.CheckOnly("journal", PartVerdict::kTorn);
  }
  SECTION("the guard") {
    REQUIRE(folder.disk()->FlipBit(kGuard, 20, 1).ok());
    folder.CheckOnly("guard", PartVerdict::kDamaged);
  }
  SECTION("a journal that ends before its guard") {
    ledger::RollbackGuard guard = ledger::LoadRollbackGuard(folder.disk(), kGuard).value();
    guard.durable_offset += 1'000'000;
    REQUIRE(ledger::SaveRollbackGuard(folder.disk(), kGuard, guard).ok());
    folder.CheckOnly("guard", PartVerdict::kDamaged);
  }
  SECTION("a restore that has not ended") {
    REQUIRE(folder.disk()->WriteAtomically(RestoreMarker(kData), AsBytes("x")).ok());
    CHECK(folder.Check().verdict() == PartVerdict::kDamaged);
  }
}

TEST_CASE("data check: what is derived is told to be built anew", "[keep]") {
  StoppedFolder folder;
  SECTION("a store that was found damaged") {
    REQUIRE(folder.disk()->WriteAtomically("/vigil/index.rebuild", AsBytes("x")).ok());
    folder.CheckOnly("index", PartVerdict::kRebuildable);
  }
  SECTION("the state's manifest") {
    const std::string current = folder.disk()->ReadAll("/vigil/state/CURRENT").value();
    const std::string manifest = "/vigil/state/" + current.substr(0, current.size() - 1);
    REQUIRE(folder.disk()->FlipBit(manifest, 12, 3).ok());
    folder.CheckOnly("state", PartVerdict::kRebuildable);
  }
  SECTION("a tile below the right edge") {
    const std::string tile = std::string(kData) + "/log/tile/0/000";
    REQUIRE(folder.disk()->FlipBit(tile, 40, 3).ok());
    const DataReport report = folder.Check();
    const DataPart& part = StoppedFolder::PartOf(report, "tiles");
    CHECK(part.verdict == PartVerdict::kRebuildable);
    CHECK(part.what.find(tile) != std::string::npos);
    // The remedy that it names helps.
    REQUIRE(folder.disk()->Remove(std::string(kData) + "/log/progress").ok());
    REQUIRE(folder.cluster.Start(0).ok());
    folder.cluster.RunFor(3 * kSecond);
    folder.cluster.node(0)->Stop();
    folder.cluster.Crash(0, CrashMode::kProcessOnly);
    CHECK(folder.Check().verdict() == PartVerdict::kSound);
  }
  SECTION("a snapshot") {
    const std::string snapshot = folder.FileIn(std::string(kData) + "/snapshots", ".snapshot");
    REQUIRE(folder.disk()->FlipBit(snapshot, *folder.disk()->Size(snapshot) / 2, 4).ok());
    folder.CheckOnly("snapshots", PartVerdict::kRebuildable);
    CHECK(StoppedFolder::PartOf(folder.Check(), "snapshots").what.find(snapshot) !=
          std::string::npos);
  }
  SECTION("an entry bundle") {
    REQUIRE(folder.disk()->FlipBit(std::string(kData) + "/log/tile/entries/000", 60, 1).ok());
    CHECK(folder.Check().verdict() == PartVerdict::kRebuildable);
  }
}

}  // namespace
}  // namespace vigil::node
