// Pruning drops the bytes of events and nothing else, at whatever moment it is interrupted.
#include "node/keep/prune.h"

#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/state/journal_block.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_rewrite.h"
#include "ledger/storage/journal_scrub.h"
#include "node/driver/pruner.h"
#include "node/keep/reindex.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;
using ledger::JournalReader;
using ledger::JournalType;

constexpr char kJournal[] = "/vigil/journal";

sim::NetworkOptions SmallWindows() {
  sim::NetworkOptions options{.validators = 1};
  options.detector.window_rows_max = 512;
  options.detector.window_rows_min = 64;
  options.detector.period_events = 100'000;
  return options;
}

// A validator with more events than its detector looks back.
struct LongChain : KeptCluster {
  ledger::Tip tip;

  LongChain() : KeptCluster(SmallWindows(), 78, 48 * 1024) {
    for (int i = 0; i < 140; ++i) {
      REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(100)).error.ok());
    }
    cluster.RunFor(3 * kSecond);
  }
  void Stop() {
    tip = cluster.node(0)->Snapshot()->GetTip().value();
    cluster.node(0)->Stop();
    cluster.Crash(0, CrashMode::kProcessOnly);
    // So that every store is on disk, too, when the tests lose power.
    for (const char* store : {"state", "index", "detect"}) {
      const auto opened = StoresIn(disk(), kData)(store, /*wipe=*/false);
      REQUIRE(opened.ok());
      REQUIRE((*opened)->Sync().ok());
    }
  }
  absl::StatusOr<PruneReport> Prune() {
    return PruneData(disk(), {.data_dir = kData, .genesis = &genesis(), .older_than_millis = 100});
  }
  ledger::VerifyReport Verify() {
    ledger::VerifyOptions options;
    const auto reader = ledger::OpenJournalForReading(disk(), kJournal, &options.journal_damage);
    REQUIRE(reader.ok());
    const auto state = StoresIn(disk(), kData)("state", /*wipe=*/false);
    REQUIRE(state.ok());
    return VerifyLedger(**reader, genesis(), state->get(), options, nullptr);
  }
  uint64_t JournalBytes() {
    uint64_t bytes = 0;
    const std::vector<std::string> names = disk()->List(kJournal).value();
    for (const std::string& name : names) {
      if (name != "LOCK") bytes += disk()->Size(absl::StrCat(kJournal, "/", name)).value();
    }
    return bytes;
  }
  void CheckStarts() {
    REQUIRE(cluster.Start(0).ok());
    INFO(cluster.node(0)->Status().refusing_reason);
    REQUIRE_FALSE(cluster.node(0)->Status().refusing);
    REQUIRE(cluster.RunUntil([&] { return cluster.node(0)->Status().executed >= tip.height; },
                             20 * kSecond));
    CHECK(cluster.node(0)->Snapshot()->StateDigest(tip.height).value() == tip.state_digest);
    REQUIRE(SubmitAndWait(&cluster, 0, stream.NextBatch(1)).error.ok());
  }
};

std::string Describe(const ledger::VerifyReport& report) {
  std::string text;
  for (const auto& finding : report.findings) text += ledger::DescribeFinding(finding) + "\n";
  return text;
}

TEST_CASE("prune: bytes of events go and everything that is hashed and signed stays", "[keep]") {
  LongChain t;
  t.Stop();
  const ledger::VerifyReport before = t.Verify();
  REQUIRE(before.ok());
  CHECK(before.pruned.payload_count == 0);
  const uint64_t bytes_before = t.JournalBytes();
  const auto report = t.Prune();
  INFO(report.status());
  REQUIRE(report.ok());
  CHECK(report->segments > 2);
  CHECK(report->height_max < t.tip.height);
  CHECK(t.JournalBytes() + report->bytes_freed == bytes_before);

  const ledger::VerifyReport after = t.Verify();
  INFO(Describe(after));
  CHECK(after.ok());
  CHECK(after.tip.state_digest == before.tip.state_digest);
  CHECK(after.tip.tree.Root() == before.tip.tree.Root());
  CHECK(after.store_compared);
  CHECK(after.record_count == before.record_count);
  CHECK(after.pruned.payload_count == report->blocks);  // One batch in each block.
  CHECK(after.pruned.event_count + after.event_count == before.event_count);
  CHECK(after.pruned.payload_bytes + after.payload_bytes == before.payload_bytes);
  CHECK(after.pruned.last_height <= report->height_max);
  CHECK(after.pruned.first_height > Height(0));
  // What is left to prune the next time is what has become old since: nothing.
  CHECK(t.Prune()->segments == 0);

  SECTION("a start goes on") {
    t.CheckStarts();
    t.cluster.RunFor(2 * kSecond);
    CHECK(t.cluster.node(0)->Status().detector >= t.tip.height);
    CHECK(t.cluster.node(0)->Status().log.refusing_reason.empty());
  }
  SECTION("state can be built anew") {
    const auto rebuilt = Reindex(
        t.disk(),
        {.data_dir = kData, .genesis = &t.genesis(), .open_store = StoresIn(t.disk(), kData)},
        nullptr);
    INFO(rebuilt.status());
    REQUIRE(rebuilt.ok());
    t.CheckStarts();
  }
  SECTION("tiles can be built anew") {
    REQUIRE(t.disk()->Remove("/vigil/log/progress").ok());
    t.CheckStarts();
    REQUIRE(t.cluster.RunUntil(
        [&] { return t.cluster.node(0)->Status().log.size >= t.tip.tree.size(); }, 20 * kSecond));
    CHECK(t.cluster.node(0)->Status().log.refusing_reason.empty());
  }
  SECTION("a backup of it is one") {
    REQUIRE(t.Backup().ok());
    REQUIRE(t.Restore().ok());
  }
  SECTION("a detector that lost its bookkeeping pauses and the rest goes on") {
    REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/detect").ok());
    t.CheckStarts();
    t.cluster.RunFor(10 * kSecond);
    CHECK(t.cluster.node(0)->Status().detector < after.pruned.first_height);
    t.Stop();
    CHECK(t.Prune()->segments == 0);
  }
}

TEST_CASE("prune: an interruption at any operation leaves a whole journal", "[keep]") {
  VIGIL_TEST_SEED(seed, 4500);
  LongChain t;
  t.Stop();
  SplitMix64 random(seed);
  uint64_t crashes = 0;
  for (bool off = true; off; ++crashes) {
    REQUIRE(crashes < 400);
    // Each round gets at most a few steps further than the one before.
    t.disk()->CrashAt(t.disk()->operation_count() + random.Below(9));
    const auto report = t.Prune();
    off = t.disk()->is_off();
    t.disk()->Crash(CrashMode::kAnyLoss);
    if (!off) {
      INFO(report.status());
      REQUIRE(report.ok());
    }
    const auto check = ledger::CheckJournal(*t.disk(), kJournal, std::nullopt);
    REQUIRE(check.ok());
    INFO(check->damage);
    REQUIRE(check->damage.ok());
    if (crashes % 8 == 0 || !off) {
      const ledger::VerifyReport verified = t.Verify();
      INFO(Describe(verified));
      REQUIRE(verified.ok());
    }
  }
  CHECK(crashes > 5);
  CHECK(t.Verify().pruned.payload_count > 0);
  t.CheckStarts();
}

TEST_CASE("prune: one flipped bit of what is left is found", "[keep]") {
  VIGIL_TEST_SEED(seed, 4600);
  LongChain t;
  t.Stop();
  REQUIRE(t.Prune()->segments > 0);
  SplitMix64 random(seed);
  const auto segments = ledger::ListSegments(*t.disk(), kJournal).value();
  REQUIRE(ledger::IsCompacted(*t.disk(), segments[1]).value());
  const uint64_t size = t.disk()->Size(segments[1].path).value();
  for (int i = 0; i < 60; ++i) {
    const uint64_t at = random.Below(size);
    const int bit = static_cast<int>(random.Below(8));
    REQUIRE(t.disk()->FlipBit(segments[1].path, at, bit).ok());
    const auto check = ledger::CheckJournal(*t.disk(), kJournal, std::nullopt);
    REQUIRE(check.ok());
    CHECK(absl::IsDataLoss(check->damage));
    CHECK(absl::IsDataLoss(t.Prune().status()));
    REQUIRE(t.disk()->FlipBit(segments[1].path, at, bit).ok());
  }
  SECTION("so is a compacted segment at the end") {
    for (size_t i = 2; i < segments.size(); ++i) {
      REQUIRE(t.disk()->Remove(segments[i].path).ok());
    }
    const auto check = ledger::CheckJournal(*t.disk(), kJournal, std::nullopt);
    CHECK(absl::IsDataLoss(check->damage));
  }
}

TEST_CASE("prune: the scrub reads what was compacted and never rewrites it", "[keep]") {
  VIGIL_TEST_SEED(seed, 4700);
  LongChain t;
  t.Stop();
  REQUIRE(t.Prune()->segments > 0);
  const auto segments = ledger::ListSegments(*t.disk(), kJournal).value();
  const ledger::SegmentFile& segment = segments[1];
  const uint64_t end = segments[2].start;
  const ledger::JournalId id = t.cluster.test_network().journal_id(0);
  const auto count_damage = [&] {
    const auto scrub = ledger::SegmentScrub::Open(t.disk(), segment, end, id);
    REQUIRE(scrub.ok());
    int damaged = (*scrub)->header_is_sound() ? 0 : 1;
    CHECK((damaged == 1 || (*scrub)->compacted()));
    while (!(*scrub)->done()) damaged += (*scrub)->Next()->is_sound ? 0 : 1;
    return damaged;
  };
  CHECK(count_damage() == 0);
  SplitMix64 random(seed);
  const std::string before = t.disk()->ReadAll(segment.path).value();
  for (int i = 0; i < 40; ++i) {
    // Behind the segment's header, whose damage is told apart.
    const uint64_t at = 40 + random.Below(before.size() - 40);
    REQUIRE(t.disk()->FlipBit(segment.path, at, 3).ok());
    CHECK(count_damage() == 1);
    CHECK(absl::IsDataLoss(ledger::RewriteSegment(t.disk(), segment, end, id, {})));
    REQUIRE(t.disk()->FlipBit(segment.path, at, 3).ok());
  }
  CHECK(t.disk()->ReadAll(segment.path).value() == before);
}

TEST_CASE("prune: every frame stays where it was", "[keep]") {
  LongChain t;
  t.Stop();
  std::vector<std::pair<uint64_t, JournalType>> before;
  absl::Status damage;
  {
    const auto reader = ledger::OpenJournalForReading(t.disk(), kJournal, &damage);
    REQUIRE((*reader)
                ->ForEach((*reader)->begin(),
                          [&](const JournalReader::Frame& frame) {
                            before.emplace_back(frame.position.offset, frame.type);
                            return true;
                          })
                .ok());
  }
  REQUIRE(t.Prune()->segments > 0);
  const auto reader = ledger::OpenJournalForReading(t.disk(), kJournal, &damage);
  size_t i = 0;
  uint64_t pruned = 0;
  REQUIRE((*reader)
              ->ForEach((*reader)->begin(),
                        [&](const JournalReader::Frame& frame) {
                          REQUIRE(i < before.size());
                          CHECK(frame.position.offset == before[i].first);
                          const bool is_pruned = frame.type == JournalType::kPrunedBlock;
                          CHECK((is_pruned ? JournalType::kBlock : frame.type) == before[i].second);
                          pruned += is_pruned ? 1 : 0;
                          ++i;
                          return true;
                        })
              .ok());
  CHECK(i == before.size());
  CHECK(pruned > 10);
  for (const auto& [offset, type] : before) {
    const auto frame = (*reader)->Read({.offset = offset});
    REQUIRE(frame.ok());
    CHECK(frame->position.offset == offset);
    if (frame->type != JournalType::kPrunedBlock) continue;
    // Nobody takes it for a block.
    CHECK(absl::IsInvalidArgument(ledger::Block::Decode(frame->body).status()));
    const auto block = ledger::DecodeJournalBlock(*frame);
    REQUIRE(block.ok());
    CHECK(absl::IsInvalidArgument(ledger::CheckBlock(t.genesis(), **block)));
    CHECK(ledger::CheckPrunedBlock(t.genesis(), **block).ok());
  }
}

TEST_CASE("prune: a running validator prunes what is old and final while it serves", "[keep]") {
  LongChain t;
  t.Stop();
  t.cluster.config(0).payload_age_millis = 500;
  t.CheckStarts();
  t.cluster.RunFor(130 * kSecond);  // The detector's word comes one round later.
  Node* const node = t.cluster.node(0);
  CHECK(node->Status().pruned_bytes > 0);
  CHECK_FALSE(node->Status().refusing);
  REQUIRE(SubmitAndWait(&t.cluster, 0, t.stream.NextBatch(3)).error.ok());
  bool any_pruned = false;
  for (uint64_t height = 1; height <= t.tip.height.value(); ++height) {
    const auto block = node->LoadBlock(Height(height));
    REQUIRE(block.ok());
    any_pruned = any_pruned || (*block)->pruned();
  }
  CHECK(any_pruned);
  CHECK_FALSE((*node->LoadBlock(t.tip.height))->pruned());
  t.Stop();
  CHECK(t.Verify().ok());
}

TEST_CASE("prune: a validator whose detector has yet to read loses nothing", "[keep]") {
  LongChain t;
  t.Stop();
  REQUIRE(ledger::RemoveLevelDbStore(t.disk(), "/vigil/detect").ok());
  CHECK(t.Prune().value_or(PruneReport{}).segments == 0);
  CHECK(t.Verify().pruned.payload_count == 0);
}

}  // namespace
}  // namespace vigil::node
