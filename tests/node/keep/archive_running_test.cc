// A running validator keeps its journal below a limit, and loses nothing, at whatever moment it
// crashes and whatever its archive's disk does.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/state/archive_manifest.h"
#include "ledger/state/snapshot_file.h"
#include "node/driver/archive.h"
#include "tests/node/keep/archive_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::DiskCall;
using ledger::DiskFault;
using ledger::VerifyReport;
using ledger::VerifyVerdict;

constexpr char kJournal[] = "/vigil/journal";
constexpr uint64_t kSegmentBytes = 32 * 1024;
// What a snapshot's interval and a period of the detector hold, and some more.
constexpr uint64_t kLimitBytes = 40 * kSegmentBytes;

struct Bounded : KeptCluster {
  uint64_t batches = 0;  // Acknowledged.

  explicit Bounded(uint32_t validators = 1, uint64_t seed = 83, uint32_t period_events = 4096)
      : KeptCluster(Options(validators, period_events), seed, kSegmentBytes) {
    for (uint32_t i = 0; i < validators; ++i) {
      cluster.config(i).journal_bytes_max = kLimitBytes;
      cluster.config(i).archive_dir = kArchive;
      cluster.config(i).genesis_file = ledger::WriteGenesis(genesis());
      cluster.config(i).accept_torn_tail = validators == 1;  // It has nobody to ask.
    }
  }
  static sim::NetworkOptions Options(uint32_t validators, uint32_t period_events) {
    sim::NetworkOptions options{.validators = validators, .snapshot_interval_blocks = 65};
    options.detector.window_rows_max = 512;
    options.detector.window_rows_min = 64;
    options.detector.period_events = period_events;
    return options;
  }
  void Restart(uint32_t i = 0) {
    cluster.node(i)->Stop();
    cluster.Crash(i, CrashMode::kProcessOnly);
    REQUIRE(cluster.Start(i).ok());
    REQUIRE_FALSE(cluster.node(i)->Status().refusing);
  }
  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      const auto outcome = SubmitAndWait(&cluster, 0, stream.NextBatch(60));
      INFO(outcome.error.what);
      REQUIRE(outcome.error.ok());
      ++batches;
    }
  }
  uint64_t JournalBytes(uint32_t i = 0) { return *JournalFileBytes(*disk(i), kJournal); }
  const NodeStatus::Archive Archived(uint32_t i = 0) { return cluster.node(i)->Status().archive; }
  void StopAndSync() {
    cluster.node(0)->Stop();
    cluster.Crash(0, CrashMode::kProcessOnly);
    for (const char* store : {"state", "index", "detect"}) {
      const auto opened = StoresIn(disk(), kData)(store, /*wipe=*/false);
      REQUIRE(opened.ok());
      REQUIRE((*opened)->Sync().ok());
    }
  }
  // Every acknowledged event, executed anew from what journal and archive hold together.
  void CheckWhole() {
    StopAndSync();
    const VerifyReport report = Verify(this, true, {kArchive});
    INFO(Describe(report));
    CHECK(report.verdict() == VerifyVerdict::kVerified);
    CHECK(report.event_count == batches * 60);
  }
};

TEST_CASE("archive: a running validator keeps its journal below the limit", "[keep]") {
  Bounded t;
  const bool detects = GENERATE(true, false);
  t.cluster.config(0).detector_enabled = detects;
  t.Restart();
  uint64_t highest = 0;
  for (int i = 0; i < 14; ++i) {
    t.Fill(65);
    t.cluster.RunFor(3 * kSecond);
    highest = std::max(highest, t.JournalBytes());
    // State can be built again above what left.
    const Height base = t.Archived().base;
    const auto snapshots = ledger::ListSnapshots(*t.disk(), "/vigil/snapshots");
    REQUIRE(snapshots.ok());
    if (base > Height(0)) {
      REQUIRE(snapshots->size() == 2);
      CHECK(base <= snapshots->front());
    }
  }
  const auto archive = t.Archived();
  INFO(archive.held_back << ", highest " << highest);
  CHECK(archive.archived_bytes > 10 * kSegmentBytes);
  CHECK(archive.base > Height(65));
  CHECK(archive.journal_bytes <= kLimitBytes);
  CHECK(archive.held_back.empty());
  // Above it at most by what comes between two rounds.
  CHECK(highest <= kLimitBytes + 8 * kSegmentBytes);

  SECTION("it goes on, and so does its next start") {
    const auto gone = t.cluster.node(0)->LoadBlock(Height(3));
    CHECK(absl::IsNotFound(gone.status()));
    t.Restart();
    t.Fill(3);
    t.cluster.RunFor(3 * kSecond);
    // Its windows reach back to what is still here.
    const NodeStatus status = t.cluster.node(0)->Status();
    if (detects) CHECK(status.detector >= status.executed.Previous());
    t.CheckWhole();
  }
  SECTION("without state it begins at a snapshot") {
    t.cluster.node(0)->Stop();
    t.cluster.Crash(0, CrashMode::kProcessOnly);
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/state").ok());
    REQUIRE(t.cluster.Start(0).ok());
    REQUIRE_FALSE(t.cluster.node(0)->Status().refusing);
    t.Fill(3);
    t.CheckWhole();
  }
}

TEST_CASE("archive: whatever the limit what must stay stays", "[keep]") {
  Bounded t;
  t.cluster.config(0).journal_bytes_max = 1;
  const bool detects = GENERATE(true, false);
  t.cluster.config(0).detector_enabled = detects;
  t.Restart();
  for (int i = 0; i < 12; ++i) {
    t.Fill(40);
    t.cluster.RunFor(3 * kSecond);
    const auto snapshots = ledger::ListSnapshots(*t.disk(), "/vigil/snapshots");
    REQUIRE(snapshots.ok());
    const Height base = t.Archived().base;
    if (base == Height(0)) continue;
    REQUIRE(snapshots->size() == 2);
    const bool newest_is_agreed =
        t.cluster.node(0)->Status().executed >= Height(snapshots->back().value() + 65);
    CHECK(base <= (newest_is_agreed ? snapshots->back() : snapshots->front()));
  }
  CHECK(t.Archived().base > Height(65));
  CHECK(absl::StrContains(t.Archived().held_back, "could leave"));
  t.Restart();
  t.Fill(70);  // A period ends.
  t.cluster.RunFor(3 * kSecond);
  const NodeStatus status = t.cluster.node(0)->Status();
  INFO(status.detector.value() << " of " << status.executed.value());
  if (detects) CHECK(status.detector >= status.executed.Previous());
  t.CheckWhole();
}

TEST_CASE("archive: what the detector would read again stays", "[keep]") {
  Bounded t(1, 85, /*period_events=*/100'000);  // No period ends.
  t.cluster.config(0).journal_bytes_max = 1;
  t.Restart();
  t.Fill(280);
  t.cluster.RunFor(3 * kSecond);
  CHECK(absl::StrContains(t.Archived().held_back, "detector"));
}

TEST_CASE("archive: a crash at any moment of a running round loses nothing", "[keep]") {
  VIGIL_TEST_SEED(seed, 4900);
  Bounded t(1, seed);
  t.Restart();
  t.Fill(560);
  t.cluster.RunFor(3 * kSecond);
  REQUIRE(t.Archived().archived_bytes > 0);
  uint64_t crashes = 0;
  uint64_t acknowledged = t.batches;
  for (uint64_t operation = 0; operation < 400; operation += 9) {
    t.disk()->CrashAt(t.disk()->operation_count() + operation);
    // What is not answered may be there or not: each round has a stream of its own.
    sim::SensorStream own = StreamOf(t.cluster, 0, absl::StrCat("round-", operation));
    while (!t.disk()->is_off()) {
      const OutcomeBox box = SubmitTo(t.cluster.node(0), own.NextBatch(60));
      t.cluster.RunUntil([&] { return box->has_value() || t.disk()->is_off(); }, 20 * kSecond);
      if (!box->has_value() || !(*box)->error.ok()) break;
      ++acknowledged;
    }
    crashes += t.disk()->is_off() ? 1 : 0;
    t.cluster.Crash(0, operation % 2 == 0 ? CrashMode::kAnyLoss : CrashMode::kLoseUnsynced);
    INFO("operation " << operation);
    const absl::Status started = t.cluster.Start(0);
    INFO(started);
    REQUIRE(started.ok());
    INFO(t.cluster.node(0)->Status().refusing_reason);
    REQUIRE_FALSE(t.cluster.node(0)->Status().refusing);
    t.cluster.RunFor(2 * kSecond);
  }
  CHECK(crashes > 20);
  t.StopAndSync();
  const VerifyReport report = Verify(&t, true, {kArchive});
  INFO(Describe(report));
  CHECK(report.verdict() == VerifyVerdict::kVerified);
  CHECK(report.event_count >= acknowledged * 60);
}

TEST_CASE("archive: while the archive cannot be written the journal grows and says why", "[keep]") {
  Bounded t;
  t.Restart();
  ledger::FaultRule rule{
      .call = DiskCall::kWrite,
      .matches = [](const std::string& path) { return absl::StartsWith(path, kArchive); },
      .skip = 0,
      .fault = DiskFault::kNoSpace,
      .always = true};
  SECTION("no space") {}
  SECTION("a write that the disk alters") { rule.fault = DiskFault::kBitFlip; }
  SECTION("a failed sync") {
    rule.call = DiskCall::kSync;
    rule.fault = DiskFault::kIoError;
  }
  t.disk()->FailWhen(rule);
  t.Fill(700);
  t.cluster.RunFor(3 * kSecond);
  CHECK(t.Archived().archived_bytes == 0);
  CHECK_FALSE(t.Archived().held_back.empty());
  CHECK(t.JournalBytes() > kLimitBytes);
  t.disk()->Disarm();
  t.Fill(1);
  t.cluster.RunFor(60 * kSecond);
  CHECK(t.Archived().archived_bytes > 0);
  CHECK(t.Archived().held_back.empty());
  t.CheckWhole();
}

std::vector<std::string> FilesIn(Bounded* t, const std::string& directory) {
  return t->disk()->List(directory).value_or(std::vector<std::string>());
}

TEST_CASE("archive: a write that the disk lied about is noticed before a segment goes", "[keep]") {
  Bounded t;
  t.Restart();
  const std::string manifest = absl::StrCat(kArchive, "/", ledger::kArchiveManifestName);
  const auto segments_before = [&] { return FilesIn(&t, kJournal).front(); };
  const std::string first = segments_before();

  SECTION("the manifest's") {
    t.disk()->FailWhen(
        {.call = DiskCall::kWrite,
         .matches = [&](const std::string& path) { return absl::StartsWith(path, manifest); },
         .fault = DiskFault::kLostWrite});
    t.Fill(700);
    t.cluster.RunFor(3 * kSecond);
    REQUIRE_FALSE(t.disk()->fired().empty());
    CHECK(t.Archived().archived_bytes == 0);
    CHECK(absl::StrContains(t.Archived().held_back, "archive manifest"));
    CHECK(segments_before() == first);
    // Without the copy that was in memory there is no manifest, and the journal is whole.
    t.StopAndSync();
    const VerifyReport report = Verify(&t, true, {});
    INFO(Describe(report));
    CHECK(report.verdict() == VerifyVerdict::kVerified);
    CHECK(report.event_count == t.batches * 60);
  }
  SECTION("a copy's") {
    t.disk()->FailWhen({.call = DiskCall::kWrite,
                        .matches =
                            [](const std::string& path) {
                              return absl::StartsWith(path, kArchive) &&
                                     absl::EndsWith(path, ".journal");
                            },
                        .fault = DiskFault::kLostWrite});
    t.Fill(700);
    t.cluster.RunFor(3 * kSecond);
    REQUIRE_FALSE(t.disk()->fired().empty());
    t.CheckWhole();  // It was made again.
    CHECK(segments_before() > first);
  }
  SECTION("what a copy lost after it was read back") {
    bool rotted = false;
    const auto rot = [&] {
      if (rotted || !t.disk()->Exists(manifest)) return;
      rotted = true;
      REQUIRE(t.disk()->RotOnDisk(absl::StrCat(kArchive, "/", first), 900, 3).ok());
    };
    for (int i = 0; i < 700; ++i) {
      const OutcomeBox box = SubmitTo(t.cluster.node(0), t.stream.NextBatch(60));
      REQUIRE(t.cluster.RunUntil([&] { return box->has_value(); }, 20 * kSecond, rot));
      REQUIRE((*box)->error.ok());
      ++t.batches;
    }
    REQUIRE(t.cluster.RunUntil([&] { return rotted; }, 60 * kSecond, rot));
    t.cluster.RunFor(60 * kSecond);
    t.CheckWhole();
    CHECK(segments_before() > first);
  }
}

TEST_CASE("archive: an archive whose genesis file was altered takes nothing", "[keep]") {
  Bounded t;
  t.Restart();
  t.Fill(560);
  t.cluster.RunFor(3 * kSecond);
  const uint64_t archived = t.Archived().archived_bytes;
  REQUIRE(archived > 0);
  const std::string path = absl::StrCat(kArchive, "/", ledger::kArchiveGenesisName);
  const std::string genesis = t.disk()->ReadAll(path).value();
  std::string altered = genesis;
  std::string refusal;
  SECTION("no genesis any more") {
    altered.resize(altered.size() / 2);
    refusal = "is no genesis file";
  }
  SECTION("that of another network") {
    const sim::TestNetwork other(Bounded::Options(2, 4096));
    altered = ledger::WriteGenesis(other.genesis());
    refusal = "of genesis";
  }
  REQUIRE(t.disk()->WriteAtomically(path, AsBytes(altered)).ok());
  t.Fill(300);
  t.cluster.RunFor(3 * kSecond);
  CHECK(t.Archived().archived_bytes == archived);
  CHECK(absl::StrContains(t.Archived().held_back, path));
  CHECK(absl::StrContains(t.Archived().held_back, refusal));
  REQUIRE(t.disk()->WriteAtomically(path, AsBytes(genesis)).ok());
  t.cluster.RunFor(10 * kSecond);
  INFO(t.Archived().held_back);
  CHECK(t.Archived().archived_bytes > archived);
  t.CheckWhole();
}

TEST_CASE("archive: while it is held back a snapshot is read whole only once", "[keep]") {
  Bounded t(1, 87, /*period_events=*/4096);
  t.cluster.config(0).journal_bytes_max = 1;  // Held back for ever.
  t.Restart();
  t.Fill(400);
  t.cluster.RunFor(10 * kSecond);
  REQUIRE(t.Archived().base > Height(0));
  REQUIRE_FALSE(t.Archived().held_back.empty());
  const auto heights = ledger::ListSnapshots(*t.disk(), "/vigil/snapshots");
  REQUIRE(heights.ok());
  const auto read = [&] {
    uint64_t bytes = 0;
    for (const Height height : *heights) {
      bytes += t.disk()->bytes_read(ledger::SnapshotPath("/vigil/snapshots", height));
    }
    return bytes;
  };
  uint64_t size = 0;
  for (const Height height : *heights) {
    size += *t.disk()->Size(ledger::SnapshotPath("/vigil/snapshots", height));
  }
  const uint64_t before = read();
  t.cluster.RunFor(30 * kSecond);
  INFO("read " << read() - before << " of " << size);
  CHECK(read() - before <= 2 * size);
}

TEST_CASE("archive: who was away while the leader archived joins anew by itself", "[keep]") {
  Bounded t(3);
  for (uint32_t i = 0; i < 3; ++i) t.Restart(i);
  t.Fill(20);
  t.cluster.node(2)->Stop();
  t.cluster.Crash(2, CrashMode::kProcessOnly);
  t.Fill(700);
  t.cluster.RunFor(5 * kSecond);
  REQUIRE(t.Archived(0).base > Height(100));
  REQUIRE(t.Archived(1).base > Height(100));
  std::string log;
  t.cluster.SetLogTap([&](uint32_t i, LogLevel, absl::string_view line) {
    absl::StrAppend(&log, i, ": ", line, "\n");
  });
  REQUIRE(t.cluster.Start(2).ok());
  const Height goal = t.cluster.node(0)->Status().executed;
  const bool caught_up = t.cluster.RunUntil(
      [&] { return t.cluster.node(2) != nullptr && t.cluster.node(2)->Status().executed >= goal; },
      120 * kSecond);
  INFO(log);
  CHECK(caught_up);
}

}  // namespace
}  // namespace vigil::node
