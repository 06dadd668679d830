// Archiving moves whole segments and loses nothing, at whatever moment it is interrupted.
#include "node/keep/archive.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "ledger/state/archive_manifest.h"
#include "ledger/state/base_frame.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_copy.h"
#include "node/driver/recovery.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::ArchiveManifest;
using ledger::CrashMode;
using ledger::DiskCall;
using ledger::DiskFault;
using ledger::JournalType;

constexpr char kJournal[] = "/vigil/journal";
constexpr char kArchive[] = "/archive";
constexpr uint64_t kSegmentBytes = 32 * 1024;

sim::NetworkOptions ManySnapshots() {
  sim::NetworkOptions options{.validators = 1, .snapshot_interval_blocks = 65};
  options.detector.window_rows_max = 512;
  options.detector.window_rows_min = 64;
  options.detector.period_events = 100'000;
  return options;
}

// A stopped validator with several snapshots.
struct LongChain : KeptCluster {
  ledger::Tip tip;

  LongChain() : KeptCluster(ManySnapshots(), 79, kSegmentBytes) {
    for (int i = 0; i < 290; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(60)).error.ok());
    }
    cluster.RunFor(3 * kSecond);
    Stop();
  }
  void Stop() {
    tip = cluster.node(0)->Snapshot()->GetTip().value();
    cluster.node(0)->Stop();
    cluster.Crash(0, CrashMode::kProcessOnly);
    for (const char* store : {"state", "index", "detect"}) {
      const auto opened = StoresIn(disk(), kData)(store, /*wipe=*/false);
      REQUIRE(opened.ok());
      REQUIRE((*opened)->Sync().ok());
    }
  }
  ArchiveRequest Request(uint64_t journal_bytes_max) {
    return {.data_dir = kData,
            .guard_path = kGuard,
            .archive = kArchive,
            .genesis = &genesis(),
            .genesis_file = ledger::WriteGenesis(genesis()),
            .journal_bytes_max = journal_bytes_max,
            .journal = {.segment_bytes = kSegmentBytes}};
  }
  absl::StatusOr<ArchiveReport> Archive(uint64_t journal_bytes_max = 0) {
    return ArchiveData(disk(), Request(journal_bytes_max));
  }
  // As little as there is to be done.
  absl::StatusOr<ArchiveReport> ArchiveOneSegment() { return Archive(JournalBytes() - 1); }
  uint64_t JournalBytes() {
    uint64_t bytes = 0;
    for (const ledger::SegmentFile& segment : Segments()) {
      bytes += disk()->Size(segment.path).value();
    }
    return bytes;
  }
  std::vector<ledger::SegmentFile> Segments() {
    return ledger::ListSegments(*disk(), kJournal).value();
  }
  ArchiveManifest Manifest() {
    const auto text = disk()->ReadAll("/archive/MANIFEST");
    REQUIRE(text.ok());
    const auto manifest = ledger::DecodeArchiveManifest(*text);
    INFO(manifest.status());
    REQUIRE(manifest.ok());
    return *manifest;
  }
  // Every segment that ever was is whole, here or in the archive, and the journal can be followed.
  void CheckNothingLost(const std::vector<ledger::FileDigest>& before) {
    const auto check = ledger::CheckJournal(*disk(), kJournal, std::nullopt);
    REQUIRE(check.ok());
    INFO(check->damage);
    // A torn end is that of the group that was being written.
    REQUIRE_FALSE(absl::IsDataLoss(check->damage));
    absl::Status damage;
    const auto reader = ledger::OpenJournalForReading(disk(), kJournal, &damage);
    REQUIRE(reader.ok());
    const auto scan = ScanJournal(genesis(), **reader);
    INFO(scan.status());
    REQUIRE(scan.ok());
    CHECK(scan->last_height() >= tip.height);
    CHECK_FALSE(scan->vote.empty());
    CHECK(scan->cosigned.size > 0);
    for (const ledger::FileDigest& file : before) {
      if (disk()->Exists(absl::StrCat(kJournal, "/", file.name))) continue;
      INFO(file.name);
      const ArchiveManifest manifest = Manifest();
      REQUIRE(manifest.Find(file.name) != nullptr);
      CHECK(manifest.Find(file.name)->file == file);
      CHECK(ledger::DigestFile(*disk(), absl::StrCat(kArchive, "/", file.name)).value() == file);
    }
  }
  std::vector<ledger::FileDigest> Digests() {
    std::vector<ledger::FileDigest> digests;
    for (const ledger::SegmentFile& segment : Segments()) {
      digests.push_back(ledger::DigestFile(*disk(), segment.path).value());
    }
    digests.pop_back();  // The last one still grows.
    return digests;
  }
  void CheckStarts() {
    REQUIRE(cluster.Start(0).ok());
    INFO(cluster.node(0)->Status().refusing_reason);
    REQUIRE_FALSE(cluster.node(0)->Status().refusing);
    REQUIRE(cluster.RunUntil([&] { return cluster.node(0)->Status().executed >= tip.height; },
                             20 * kSecond));
    CHECK(cluster.node(0)->Snapshot()->StateDigest(tip.height).value() == tip.state_digest);
    REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(1)).error.ok());
    const Height submitted = cluster.node(0)->Status().executed;
    INFO(cluster.node(0)->Status().log.refusing_reason);
    CHECK(cluster.RunUntil([&] { return cluster.node(0)->Status().final >= submitted; },
                           20 * kSecond));
  }
};

TEST_CASE("archive: whole segments move and the validator goes on above them", "[keep]") {
  LongChain t;
  const std::vector<ledger::FileDigest> before = t.Digests();
  REQUIRE(before.size() > 12);
  const uint64_t bytes_before = t.JournalBytes();
  const auto report = t.Archive();
  INFO(report.status());
  REQUIRE(report.ok());
  INFO(report->held_back << " of " << t.tip.height.value());
  CHECK(report->segments > 5);
  CHECK(report->base > Height(65));
  CHECK(report->bytes + report->journal_bytes >= bytes_before);
  CHECK(report->journal_bytes == t.JournalBytes());
  CHECK(absl::StrContains(report->held_back, "could leave"));
  t.CheckNothingLost(before);
  const ArchiveManifest manifest = t.Manifest();
  CHECK(manifest.segments.size() == report->segments);
  CHECK(manifest.segments.front().first == Height(1));
  CHECK(manifest.segments.back().last == report->base);
  CHECK(manifest.journal_begin() == 0);
  CHECK(manifest.journal_end() == t.Segments().front().start);
  CHECK(manifest.validator == "acme/v0");
  CHECK(t.disk()->ReadAll("/archive/checkpoint").value() == manifest.checkpoint);
  CHECK(ledger::ParseGenesis(t.disk()->ReadAll("/archive/genesis.json").value())->genesis_hash ==
        t.genesis().genesis_hash);
  // What is left may not leave: the second time there is nothing to do.
  CHECK(t.Archive()->segments == 0);

  SECTION("a start goes on, and says of an archived block where it is") {
    t.CheckStarts();
    Node* const node = t.cluster.node(0);
    const auto archived = node->LoadBlock(report->base);
    CHECK(absl::IsNotFound(archived.status()));
    CHECK(absl::StrContains(archived.status().message(), "archive"));
    CHECK(node->LoadBlock(report->base.Next()).ok());
    t.cluster.RunFor(3 * kSecond);
    CHECK(node->Status().detector >= t.tip.height);
    CHECK(node->Status().indexed >= t.tip.height);
  }
  SECTION("state and index are built anew from a snapshot") {
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/state").ok());
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/index").ok());
    t.CheckStarts();
    t.cluster.RunFor(3 * kSecond);
    CHECK(t.cluster.node(0)->Status().indexed >= t.tip.height);
  }
  SECTION("without its detector's bookkeeping the rest goes on") {
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/detect").ok());
    t.CheckStarts();
  }
  SECTION("lost tiles come back with the archive's segments") {
    REQUIRE(t.disk()->Remove("/vigil/log/progress").ok());
    REQUIRE(t.cluster.Start(0).ok());
    t.cluster.RunFor(3 * kSecond);
    const std::string why = t.cluster.node(0)->Status().log.refusing_reason;
    CHECK(absl::StrContains(why, "put the archive's segments back"));
    t.Stop();
    for (const ledger::ArchivedSegment& segment : manifest.segments) {
      REQUIRE(ledger::CopyFile(t.disk(), absl::StrCat(kArchive, "/", segment.file.name),
                               absl::StrCat(kJournal, "/", segment.file.name))
                  .ok());
    }
    REQUIRE(t.disk()->SyncDir(kJournal).ok());
    t.CheckStarts();
    t.Stop();
    // And they leave again.
    CHECK(t.Archive()->bytes > 0);
    CHECK(t.Segments().front().start >= manifest.journal_end());
  }
  SECTION("a further archive goes on where the first one ends") {
    t.CheckStarts();
    for (int i = 0; i < 140; ++i) {
      REQUIRE(SubmitAndWait(&t.cluster, 0, t.stream.NextBatch(60)).error.ok());
    }
    t.cluster.RunFor(3 * kSecond);
    t.Stop();
    const auto again = t.Archive();
    INFO(again.status());
    REQUIRE(again.ok());
    CHECK(again->base > report->base);
    CHECK(t.Manifest().segments.size() == manifest.segments.size() + again->segments);
    CHECK(t.Manifest().segments.back().last == again->base);
    t.CheckStarts();
  }
}

TEST_CASE("archive: an interruption at any operation loses nothing", "[keep]") {
  VIGIL_TEST_SEED(seed, 4800);
  LongChain t;
  // Each step moves one segment, and is interrupted one operation later than the one before.
  t.cluster.config(0).accept_torn_tail = true;  // A lone validator has nobody to ask.
  uint64_t crashes = 0;
  for (uint64_t operation = 0;; ++operation) {
    const std::vector<ledger::FileDigest> before = t.Digests();
    t.disk()->CrashAt(t.disk()->operation_count() + operation);
    const auto report = t.ArchiveOneSegment();
    const bool off = t.disk()->is_off();
    t.disk()->Crash(operation % 4 == 3 ? CrashMode::kLoseUnsynced : CrashMode::kAnyLoss);
    INFO("operation " << operation << ": " << report.status());
    t.CheckNothingLost(before);
    if (!off) {
      REQUIRE(report.ok());
      break;
    }
    ++crashes;
    const bool torn = !ledger::CheckJournal(*t.disk(), kJournal, std::nullopt)->damage.ok();
    if (crashes % 5 == 0 || torn) {
      t.CheckStarts();
      t.Stop();
    }
    // The next one begins afresh.
    const auto finished = t.ArchiveOneSegment();
    INFO(finished.status());
    REQUIRE(finished.ok());
    REQUIRE(finished->held_back.empty());
  }
  CHECK(crashes > 15);
  t.CheckStarts();
}

TEST_CASE("archive: what the archive's disk does wrong keeps the segment here", "[keep]") {
  LongChain t;
  const std::vector<ledger::FileDigest> before = t.Digests();
  const auto in_archive = [](const std::string& path) { return absl::StartsWith(path, kArchive); };
  const auto is_segment = [](const std::string& path) {
    return absl::StartsWith(path, kArchive) && absl::EndsWith(path, ".journal");
  };
  const auto refused = [&](ledger::FaultRule rule, absl::StatusCode code) {
    t.disk()->FailWhen(std::move(rule));
    const auto report = t.ArchiveOneSegment();
    INFO(t.disk()->fired() << ": " << report.status());
    CHECK_FALSE(t.disk()->fired().empty());
    CHECK(report.status().code() == code);
    CHECK(t.Digests() == before);
    CHECK(t.Segments().front().start == 0);
    t.CheckNothingLost(before);
  };
  for (uint64_t skip = 0; skip < 3; ++skip) {
    refused({.call = DiskCall::kWrite,
             .matches = in_archive,
             .skip = skip,
             .fault = DiskFault::kNoSpace},
            absl::StatusCode::kResourceExhausted);
    refused({.call = DiskCall::kSync,
             .matches = in_archive,
             .skip = skip,
             .fault = DiskFault::kIoError},
            absl::StatusCode::kUnavailable);
  }
  refused({.call = DiskCall::kWrite, .matches = is_segment, .fault = DiskFault::kShortWrite},
          absl::StatusCode::kResourceExhausted);
  CHECK_FALSE(t.disk()->Exists(absl::StrCat(kArchive, "/", before.front().name)));  // No torn copy.
  refused({.call = DiskCall::kWrite, .matches = is_segment, .fault = DiskFault::kBitFlip},
          absl::StatusCode::kDataLoss);
  refused({.call = DiskCall::kRead, .matches = is_segment, .fault = DiskFault::kBitFlip},
          absl::StatusCode::kDataLoss);
  const auto report = t.ArchiveOneSegment();
  INFO(report.status());
  CHECK(report.ok());
  CHECK(t.Segments().front().start > 0);
  t.CheckNothingLost(before);
}

TEST_CASE("archive: a segment that is damaged here is not archived", "[keep]") {
  LongChain t;
  const std::string first = t.Segments().front().path;
  REQUIRE(t.disk()->FlipBit(first, 5000, 2).ok());
  CHECK(absl::IsDataLoss(t.Archive().status()));
  REQUIRE(t.disk()->FlipBit(first, 5000, 2).ok());
  // A disk that gives a wrong bit only while it is copied.
  int reads = 0;
  for (uint64_t skip = 0; skip < 12; ++skip) {
    t.disk()->FailWhen({.call = DiskCall::kRead,
                        .matches = [&](const std::string& path) { return path == first; },
                        .skip = skip,
                        .fault = DiskFault::kBitFlip});
    const auto report = t.ArchiveOneSegment();
    if (t.disk()->fired().empty() || report.ok()) break;
    ++reads;
    CHECK(absl::IsDataLoss(report.status()));
    CHECK(t.Segments().front().path == first);
  }
  CHECK(reads > 1);
}

TEST_CASE("archive: a copy that is altered before its segment is dropped is made again", "[keep]") {
  LongChain t;
  const std::vector<ledger::FileDigest> before = t.Digests();
  // The manifest is written; the base frame is not.
  t.disk()->FailWhen(
      {.call = DiskCall::kWrite,
       .matches = [](const std::string& path) { return absl::StartsWith(path, kJournal); },
       .fault = DiskFault::kIoError});
  REQUIRE_FALSE(t.ArchiveOneSegment().ok());
  REQUIRE(t.Manifest().segments.size() == 1);
  const std::string copy = absl::StrCat(kArchive, "/", before.front().name);
  REQUIRE(t.disk()->FlipBit(copy, 1000, 1).ok());
  const auto report = t.ArchiveOneSegment();
  INFO(report.status());
  REQUIRE(report.ok());
  t.CheckNothingLost(before);

  SECTION("when it cannot be made again nothing is dropped") {
    const std::vector<ledger::FileDigest> kept = t.Digests();
    // The base frame is on disk, the removal fails.
    t.disk()->FailWhen(
        {.call = DiskCall::kRemove,
         .matches = [](const std::string& path) { return absl::StartsWith(path, kJournal); },
         .fault = DiskFault::kIoError});
    REQUIRE_FALSE(t.ArchiveOneSegment().ok());
    const std::string other = absl::StrCat(kArchive, "/", kept.front().name);
    REQUIRE(t.disk()->FlipBit(other, 1000, 1).ok());
    CHECK(absl::IsDataLoss(t.ArchiveOneSegment().status()));
    CHECK(t.Digests() == kept);
    t.CheckStarts();
    t.Stop();
    REQUIRE(t.disk()->Remove("/archive/MANIFEST").ok());
    CHECK(absl::IsFailedPrecondition(t.ArchiveOneSegment().status()));
    CHECK(t.Segments().front().path == absl::StrCat(kJournal, "/", kept.front().name));
  }
}

TEST_CASE("archive: it is refused when it would hide something", "[keep]") {
  LongChain t;
  const auto refused = [&](const ArchiveRequest& request, absl::StatusCode code,
                           absl::string_view what) {
    const auto report = ArchiveData(t.disk(), request);
    INFO(report.status());
    CHECK(report.status().code() == code);
    CHECK(absl::StrContains(report.status().message(), what));
    CHECK(t.Segments().front().start == 0);
  };
  SECTION("a torn end") {
    const std::string last = t.Segments().back().path;
    REQUIRE(t.disk()->Overwrite(last, t.disk()->Size(last).value(), AsBytes("torn")).ok());
    refused(t.Request(0), absl::StatusCode::kFailedPrecondition, "start the validator once");
  }
  SECTION("a journal that was rolled back") {
    auto guard = ledger::LoadRollbackGuard(t.disk(), kGuard);
    guard->durable_offset += 1'000'000;
    REQUIRE(ledger::SaveRollbackGuard(t.disk(), kGuard, *guard).ok());
    refused(t.Request(0), absl::StatusCode::kDataLoss, "rolled back");
  }
  SECTION("the archive of another validator") {
    REQUIRE(t.ArchiveOneSegment().ok());
    ArchiveManifest manifest = t.Manifest();
    manifest.journal_id.bytes.fill(9);
    REQUIRE(
        t.disk()
            ->WriteAtomically("/archive/MANIFEST", AsBytes(ledger::EncodeArchiveManifest(manifest)))
            .ok());
    const auto report = t.Archive();
    CHECK(absl::IsFailedPrecondition(report.status()));
    CHECK(absl::StrContains(report.status().message(), "a directory of its own"));
  }
  SECTION("a directory that is a journal") {
    const std::vector<ledger::FileDigest> before = t.Digests();
    ArchiveRequest request = t.Request(0);
    request.archive = kJournal;
    refused(request, absl::StatusCode::kFailedPrecondition, "is it a journal");
    CHECK(t.Digests() == before);
  }
  SECTION("an archive of this journal before it was made anew") {
    t.disk()->FailWhen(
        {.call = DiskCall::kWrite,
         .matches = [](const std::string& path) { return absl::StartsWith(path, kJournal); },
         .fault = DiskFault::kIoError});
    REQUIRE_FALSE(t.ArchiveOneSegment().ok());
    ArchiveManifest manifest = t.Manifest();
    manifest.segments.front().last = manifest.segments.front().last.Next();
    REQUIRE(
        t.disk()
            ->WriteAtomically("/archive/MANIFEST", AsBytes(ledger::EncodeArchiveManifest(manifest)))
            .ok());
    refused(t.Request(t.JournalBytes() - 1), absl::StatusCode::kFailedPrecondition, "made anew");
  }
  SECTION("a gap between archive and journal") {
    REQUIRE(t.ArchiveOneSegment().ok());
    REQUIRE(t.disk()->Rename("/archive/MANIFEST", "/archive/older").ok());
    REQUIRE(t.ArchiveOneSegment().ok());  // A partial archive, from where the journal began.
    CHECK(t.Manifest().segments.size() == 1);
    REQUIRE(t.disk()->Rename("/archive/older", "/archive/MANIFEST").ok());
    const auto report = t.Archive();
    CHECK(absl::IsFailedPrecondition(report.status()));
    CHECK(absl::StrContains(report.status().message(), "archived elsewhere"));
  }
  SECTION("a validator without a detector's bookkeeping") {
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/detect").ok());
    const auto report = t.Archive();
    REQUIRE(report.ok());
    CHECK(report->segments == 0);
    CHECK(absl::StrContains(report->held_back, "detector"));
  }
  SECTION("without snapshots nothing may leave") {
    const std::vector<std::string> names = t.disk()->List("/vigil/snapshots").value();
    for (const std::string& name : names) {
      REQUIRE(t.disk()->Remove("/vigil/snapshots/" + name).ok());
    }
    const auto report = t.Archive();
    REQUIRE(report.ok());
    CHECK(report->segments == 0);
    CHECK(absl::StrContains(report->held_back, "snapshot"));
  }
}

TEST_CASE("archive: only a base frame explains missing segments", "[keep]") {
  LongChain t;
  const auto reason = [&] {
    REQUIRE(t.cluster.Start(0).ok());
    return t.cluster.node(0)->Status().refusing_reason;
  };
  SECTION("there is none") {
    REQUIRE(t.disk()->Remove(t.Segments().front().path).ok());
    CHECK(absl::StrContains(reason(), "no base frame says"));
  }
  SECTION("more is missing than it says") {
    REQUIRE(t.Archive().ok());
    REQUIRE(t.disk()->Remove(t.Segments().front().path).ok());
    CHECK(absl::StrContains(reason(), "segments are missing"));
  }
  SECTION("a forged one names a block that is not below the journal's") {
    REQUIRE(t.Archive().ok());
    const auto forge = [&](const std::function<void(ledger::BaseFrame*)>& edit) {
      ledger::JournalOpenReport opened;
      auto journal = ledger::Journal::Open(t.disk(), kJournal,
                                           t.cluster.test_network().journal_id(0), 0, {}, &opened);
      REQUIRE(journal.ok());
      const auto frame = (*journal)->reader()->Read(*(*journal)->reader()->newest_base());
      ledger::BaseFrame base = ledger::DecodeBaseFrame(frame->body).value();
      edit(&base);
      REQUIRE((*journal)->Append(JournalType::kBase, AsBytes(ledger::EncodeBaseFrame(base))).ok());
      REQUIRE((*journal)->Sync().ok());
      return ScanJournal(t.genesis(), *(*journal)->reader()).status();
    };
    CHECK(forge([](ledger::BaseFrame*) {}).ok());
    const auto status = forge(GENERATE(
        +[](ledger::BaseFrame* base) { base->block.hash.bytes[3] ^= 1; },
        +[](ledger::BaseFrame* base) { base->block.height = base->block.height.Next(); },
        +[](ledger::BaseFrame* base) { base->block.height = base->block.height.Previous(); },
        +[](ledger::BaseFrame* base) { base->base_offset += 3 * kSegmentBytes; },
        +[](ledger::BaseFrame* base) { base->base_offset = 0; },
        +[](ledger::BaseFrame* base) { base->base_offset = uint64_t{1} << 40; }));
    INFO(status);
    CHECK(absl::IsDataLoss(status));
    CHECK_FALSE(reason().empty());
  }
}

}  // namespace
}  // namespace vigil::node
