// A backup is what its manifest says, or none; a restored validator promises nothing it forgot.
#include "node/keep/backup.h"

#include <string>
#include <vector>

#include "consensus/raft/codec.h"
#include "ledger/base/random.h"
#include "ledger/state/base_frame.h"
#include "node/driver/recovery.h"
#include "node/log/cosign_guard.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

using consensus::CoreRole;
using ledger::CrashMode;

CoreRole RoleOf(KeptCluster* kept, uint32_t i) { return kept->cluster.node(i)->Status().core.role; }

// The last vote and the last guard of the cosigner in a journal that nobody has open.
struct LastPromises {
  consensus::RaftVoteRecord vote;
  CosignGuard cosigned;
};
LastPromises PromisesIn(KeptCluster* kept, uint32_t i, const std::string& data_dir) {
  absl::Status damage;
  const auto reader =
      ledger::OpenJournalForReading(kept->disk(i), data_dir + "/journal", &damage, nullptr);
  REQUIRE(reader.ok());
  const auto scan = ScanJournal(kept->genesis(), **reader);
  REQUIRE(scan.ok());
  const auto vote = consensus::DecodeRaftVoteRecord(scan->vote);
  REQUIRE(vote.ok());
  return {.vote = *vote, .cosigned = scan->cosigned};
}

TEST_CASE("backup: the manifest is read back as it was written and nothing else is one", "[keep]") {
  BackupManifest manifest{.network = "test.vigil",
                          .genesis_hash = Hash(),
                          .validator = "acme/v0",
                          .journal_id = {},
                          .journal_begin = 0,
                          .journal_end = 4711,
                          .base = std::nullopt,
                          .height = Height(12),
                          .block_hash = Hash(),
                          .state_digest = Hash(),
                          .tree_size = 30,
                          .tree_root = Hash(),
                          .segments = {{.name = "a.journal", .bytes = 40, .sha256 = Hash()},
                                       {.name = "b.journal", .bytes = 41, .sha256 = Hash()}}};
  const std::string text = EncodeManifest(manifest);
  const auto decoded = DecodeManifest(text);
  INFO(decoded.status());
  REQUIRE(decoded.ok());
  CHECK(*decoded == manifest);
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK(absl::IsDataLoss(DecodeManifest(text.substr(0, size)).status()));
  }
  for (size_t at = 0; at < text.size(); ++at) {
    std::string altered = text;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    CHECK(absl::IsDataLoss(DecodeManifest(altered).status()));
  }
  CHECK(absl::IsDataLoss(DecodeManifest(text + "more\n").status()));
}

TEST_CASE("backup: a stopped validator is brought back with its state and does not vote",
          "[keep]") {
  KeptCluster kept(1);
  kept.Submit(30);
  const ledger::Tip tip = kept.cluster.node(0)->Snapshot()->GetTip().value();
  kept.cluster.RunFor(1'500'000);
  const uint64_t size = kept.cluster.node(0)->Status().executed.value();
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  const auto made = kept.Backup();
  INFO(made.status());
  REQUIRE(made.ok());
  CHECK(made->height.value() >= tip.height.value());
  CHECK(made->validator == "acme/v0");
  CHECK(made->segments.size() > 1);
  const auto restored = kept.Restore();
  INFO(restored.status());
  REQUIRE(restored.ok());
  CHECK(*restored == *made);
  const LastPromises promises = PromisesIn(&kept, 0, kRestored);
  CHECK_FALSE(promises.vote.may_vote);
  CHECK(promises.cosigned.floor == kFloorUntilVoter);
  CHECK(promises.cosigned.size > 0);

  SECTION("alone it waits for its operator") {
    REQUIRE(kept.StartRestored().ok());
    kept.cluster.RunFor(20 * kSecond);
    CHECK(RoleOf(&kept, 0) == CoreRole::kNonVoter);
    CHECK(kept.cluster.node(0)->Snapshot()->StateDigest(tip.height).value() == tip.state_digest);
    CHECK(kept.cluster.node(0)->Status().log.cosigned_size == 0);
  }
  SECTION("and goes on at its word, signing above what it had") {
    kept.cluster.config(0).accept_torn_tail = true;
    REQUIRE(kept.StartRestored().ok());
    REQUIRE(SubmitAndWait(&kept.cluster, 0, kept.stream.NextBatch(1)).error.ok());
    REQUIRE(kept.cluster.RunUntil(
        [&] { return kept.cluster.node(0)->Status().log.cosigned_size > 0; }, 20 * kSecond));
    kept.cluster.RunFor(1'500'000);
    kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
    CHECK(PromisesIn(&kept, 0, kRestored).cosigned.floor.value() >= size);
    CHECK(PromisesIn(&kept, 0, kRestored).cosigned.floor != kFloorUntilVoter);
  }
}

TEST_CASE("backup: a journal that begins above genesis is none that state can be made from",
          "[keep]") {
  KeptCluster kept(1);
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  const std::string directory = std::string(kData) + "/journal";
  const auto names = kept.disk()->List(directory);
  REQUIRE(names.ok());
  for (const std::string& name : *names) {
    REQUIRE(kept.disk()->Remove(directory + "/" + name).ok());
  }
  const ledger::JournalId id = kept.genesis().validators[0].journal_id;
  REQUIRE(ledger::Journal::Create(kept.disk(), directory, id).ok());
  ledger::BaseFrame base;
  base.block = {.height = Height(100), .view = View(1), .hash = Hash()};
  base.tree_size = 300;
  {
    ledger::JournalOpenReport report;
    const auto journal = ledger::Journal::Open(kept.disk(), directory, id, 0, {}, &report);
    REQUIRE(journal.ok());
    const std::string body = ledger::EncodeBaseFrame(base);
    REQUIRE((*journal)->Append(ledger::JournalType::kBase, AsBytes(body)).ok());
    REQUIRE((*journal)->Sync().ok());
  }
  CHECK(absl::IsFailedPrecondition(kept.Backup().status()));
  CHECK_FALSE(kept.disk()->Exists(std::string(kBackup) + "/" + kManifestName));
}

TEST_CASE("backup: one of a running validator is of a prefix and the restored one catches up",
          "[keep]") {
  KeptCluster kept(3);
  WaitForLeader(&kept.cluster);
  kept.Submit(20);
  const auto made = kept.Backup(2);
  INFO(made.status());
  REQUIRE(made.ok());
  kept.Submit(20);
  kept.cluster.RunFor(3 * kSecond);
  const Height executed = kept.cluster.node(2)->Status().executed;
  const uint64_t signed_before = kept.cluster.node(2)->Status().log.cosigned_size;
  REQUIRE(signed_before > made->tree_size);
  REQUIRE(executed > made->height);
  kept.cluster.Crash(2, CrashMode::kLoseUnsynced);
  REQUIRE(kept.Restore(2).ok());
  REQUIRE(kept.StartRestored(2).ok());
  CHECK(RoleOf(&kept, 2) == CoreRole::kNonVoter);
  uint64_t first_signed = 0;
  bool signed_as_non_voter = false;
  const auto watch = [&] {
    const uint64_t size = kept.cluster.node(2)->Status().log.cosigned_size;
    if (size > 0 && RoleOf(&kept, 2) == CoreRole::kNonVoter) signed_as_non_voter = true;
    if (first_signed == 0) first_signed = size;
  };
  REQUIRE(kept.cluster.RunUntil([&] { return RoleOf(&kept, 2) != CoreRole::kNonVoter; },
                                20 * kSecond, watch));
  REQUIRE(SubmitAndWait(&kept.cluster, 0, kept.stream.NextBatch(2)).error.ok());
  REQUIRE(kept.cluster.RunUntil([&] { return first_signed > 0; }, 20 * kSecond, watch));
  CHECK_FALSE(signed_as_non_voter);
  // Whatever it had signed lies below what it signs now, although it had forgotten it.
  CHECK(first_signed > signed_before);
  kept.cluster.RunFor(1'500'000);
  kept.cluster.Crash(2, CrashMode::kProcessOnly);
  const LastPromises promises = PromisesIn(&kept, 2, kRestored);
  CHECK(promises.vote.may_vote);
  CHECK(promises.cosigned.floor >= executed);
  CHECK(promises.cosigned.floor != kFloorUntilVoter);
}

TEST_CASE("backup: at every moment of a run it is sound and restores", "[keep]") {
  VIGIL_TEST_SEED(seed, 4100);
  KeptCluster kept(1, seed);
  kept.cluster.SetHurried(true);
  SplitMix64 random(seed);
  for (int round = 0; round < 12; ++round) {
    kept.Submit(1 + static_cast<int>(random.Below(4)));
    SubmitTo(kept.cluster.node(0), kept.stream.NextBatch(3));
    kept.cluster.RunFor(static_cast<int64_t>(random.Below(20'000)));
    const std::string target = absl::StrCat(kBackup, round);
    const auto made = kept.Backup(0, target);
    INFO(made.status());
    REQUIRE(made.ok());
    CHECK(made->height <= kept.cluster.node(0)->Status().executed);
  }
  kept.cluster.Crash(0, CrashMode::kProcessOnly);
  REQUIRE(kept.Restore(0, absl::StrCat(kBackup, random.Below(12))).ok());
}

TEST_CASE("backup: an interrupted one has no manifest at whatever operation it ended", "[keep]") {
  KeptCluster kept(1);
  kept.Submit(10);
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  int crashed = 0;
  for (uint64_t step = 0;; ++step) {
    const std::string target = absl::StrCat(kBackup, step);
    kept.disk()->CrashAt(kept.disk()->operation_count() + step);
    const auto made = kept.Backup(0, target);
    const bool off = kept.disk()->is_off();
    kept.disk()->Crash(step % 2 == 0 ? CrashMode::kAnyLoss : CrashMode::kLoseUnsynced);
    const std::string manifest = target + "/" + kManifestName;
    if (kept.disk()->Exists(manifest)) {
      // The name is there: then everything that it speaks of is.
      const auto decoded = DecodeManifest(kept.disk()->ReadAll(manifest).value());
      INFO("operation " << step << ": " << decoded.status());
      REQUIRE(decoded.ok());
      for (const ledger::FileDigest& segment : decoded->segments) {
        CHECK(ledger::DigestFile(*kept.disk(), target + "/journal/" + segment.name).value() ==
              segment);
      }
    } else {
      CHECK_FALSE(made.ok());
      CHECK(absl::IsNotFound(kept.Restore(0, target).status()));
      CHECK_FALSE(kept.disk()->Exists(kRestored));
    }
    if (!off) break;
    ++crashed;
  }
  CHECK(crashed > 8);
}

TEST_CASE("backup: an interrupted restore lets no node start and is begun anew", "[keep]") {
  KeptCluster kept(1);
  kept.Submit(10);
  kept.cluster.RunFor(1'500'000);
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  REQUIRE(kept.Backup().ok());
  int refused = 0;
  for (uint64_t step = 0;; ++step) {
    const std::string target = absl::StrCat(kRestored, step);
    const RestoreRequest request{
        .backup = kBackup, .data_dir = target, .guard_path = kGuard, .genesis = &kept.genesis()};
    kept.disk()->CrashAt(kept.disk()->operation_count() + step);
    const auto first = RestoreData(kept.disk(), request, nullptr);
    const bool off = kept.disk()->is_off();
    kept.disk()->Crash(CrashMode::kAnyLoss);
    kept.cluster.config(0).data_dir = target;
    INFO("operation " << step << ": " << first.status());
    if (kept.disk()->Exists(RestoreMarker(target))) {
      ++refused;
      CHECK(absl::IsFailedPrecondition(kept.cluster.Start(0)));
    }
    if (off) {
      const auto second = RestoreData(kept.disk(), request, nullptr);
      INFO(second.status());
      // Only a crash after the very last change leaves a folder that is whole already.
      CHECK((second.ok() || absl::IsAlreadyExists(second.status())));
    } else {
      CHECK(first.ok());
    }
    CHECK_FALSE(PromisesIn(&kept, 0, target).vote.may_vote);
    REQUIRE(kept.cluster.Start(0).ok());
    CHECK_FALSE(kept.cluster.node(0)->Status().refusing);
    CHECK(RoleOf(&kept, 0) == CoreRole::kNonVoter);
    kept.cluster.Crash(0, CrashMode::kProcessOnly);
    if (!off) break;
  }
  CHECK(refused > 8);
}

TEST_CASE("backup: one flipped bit anywhere in it is found before anything may start", "[keep]") {
  VIGIL_TEST_SEED(seed, 4200);
  KeptCluster kept(1);
  kept.Submit(10);
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  const auto made = kept.Backup();
  REQUIRE(made.ok());
  SplitMix64 random(seed);
  for (int i = 0; i < 40; ++i) {
    const ledger::FileDigest& segment = made->segments[random.Below(made->segments.size())];
    const std::string path = absl::StrCat(kBackup, "/journal/", segment.name);
    const uint64_t at = random.Below(segment.bytes);
    const int bit = static_cast<int>(random.Below(8));
    REQUIRE(kept.disk()->FlipBit(path, at, bit).ok());
    const auto restored = kept.Restore();
    CHECK(absl::IsDataLoss(restored.status()));
    CHECK(restored.status().message().find(segment.name) != absl::string_view::npos);
    CHECK(absl::IsFailedPrecondition(CheckNoRestore(*kept.disk(), kRestored)));
    REQUIRE(kept.disk()->FlipBit(path, at, bit).ok());
  }
  CHECK(kept.Restore().ok());
}

TEST_CASE("backup: a sound frame that was added to it is found", "[keep]") {
  KeptCluster kept(1);
  kept.Submit(5);
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  const BackupManifest manifest = kept.Backup().value();
  {
    ledger::JournalOpenReport report;
    auto journal = ledger::Journal::Open(kept.disk(), absl::StrCat(kBackup, "/journal"),
                                         manifest.journal_id, 0, {}, &report);
    REQUIRE(journal.ok());
    const std::string vote = consensus::EncodeRaftVoteRecord(
        {.epoch = Epoch(1), .term = View(9), .voted_for = std::nullopt, .may_vote = true});
    REQUIRE((*journal)->Append(ledger::JournalType::kVote, AsBytes(vote)).ok());
    REQUIRE((*journal)->Sync().ok());
  }
  CHECK(absl::IsDataLoss(kept.Restore().status()));
}

TEST_CASE("backup: a manifest that promises another state is not believed", "[keep]") {
  KeptCluster kept(1);
  kept.Submit(5);
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  BackupManifest manifest = kept.Backup().value();
  SECTION("state digest") { manifest.state_digest.bytes[3] ^= 1; }
  SECTION("height") { manifest.height = manifest.height.Next(); }
  SECTION("block") { manifest.block_hash.bytes[3] ^= 1; }
  SECTION("tree") { manifest.tree_root.bytes[3] ^= 1; }
  SECTION("validator") { manifest.validator = "acme/v9"; }
  SECTION("a segment is left out") { manifest.segments.pop_back(); }
  REQUIRE(kept.disk()
              ->WriteAtomically(absl::StrCat(kBackup, "/", kManifestName),
                                AsBytes(EncodeManifest(manifest)))
              .ok());
  CHECK(absl::IsDataLoss(kept.Restore().status()));
}

TEST_CASE("backup: nothing is overwritten and nothing is restored without its guard", "[keep]") {
  KeptCluster kept(1);
  kept.Submit(5);
  kept.cluster.Crash(0, CrashMode::kLoseUnsynced);
  REQUIRE(kept.Backup().ok());
  CHECK(absl::IsAlreadyExists(kept.Backup().status()));
  SECTION("a folder with anything in it") {
    REQUIRE(kept.disk()->MakeDirs(kRestored).ok());
    REQUIRE(kept.disk()->WriteAtomically(absl::StrCat(kRestored, "/x"), AsBytes("x")).ok());
    CHECK(absl::IsAlreadyExists(kept.Restore().status()));
  }
  SECTION("no guard") {
    REQUIRE(kept.disk()->Remove(kGuard).ok());
    CHECK(absl::IsFailedPrecondition(kept.Restore().status()));
    CHECK_FALSE(kept.disk()->Exists(kRestored));
  }
  SECTION("the guard of another validator") {
    ledger::RollbackGuard other;
    other.journal_id.bytes.fill(9);
    REQUIRE(ledger::SaveRollbackGuard(kept.disk(), kGuard, other).ok());
    CHECK(absl::IsFailedPrecondition(kept.Restore().status()));
  }
  SECTION("the view of the guard stays, its offset is that of the backup") {
    ledger::RollbackGuard guard = ledger::LoadRollbackGuard(kept.disk(), kGuard).value();
    guard.view += 7;
    guard.durable_offset += 100'000;
    REQUIRE(ledger::SaveRollbackGuard(kept.disk(), kGuard, guard).ok());
    REQUIRE(kept.Restore().ok());
    const ledger::RollbackGuard after = ledger::LoadRollbackGuard(kept.disk(), kGuard).value();
    CHECK(after.view == guard.view);
    CHECK(after.durable_offset < guard.durable_offset);
    REQUIRE(kept.StartRestored().ok());
    CHECK_FALSE(kept.cluster.node(0)->Status().refusing);
    CHECK(kept.cluster.node(0)->Status().core.view >= View(guard.view));
  }
}

}  // namespace
}  // namespace vigil::node
