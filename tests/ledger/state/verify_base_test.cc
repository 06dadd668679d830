// Verification of journals that do not begin at genesis: of a validator that joined by a snapshot.
#include "ledger/state/verify_base.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/state/snapshot_loader.h"
#include "ledger/state/verify_ledger.h"
#include "tests/ledger/state/chain_folder.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr uint64_t kBase = kInterval;

// The chain of a network, and the folder of a validator that joined it by the snapshot of height
// kBase: log files, a checkpoint, snapshots, a journal that goes on above, and a store.
struct Joined : ChainFolder {
  // The first block above the base speaks of the state `lag` heights below itself.
  explicit Joined(int blocks = 2 * kInterval + 10, uint64_t lag = 1)
      : ChainFolder(blocks, kBase + 1, lag), base(bases[kBase - 1]) {
    WriteJournal();
  }

  // The journal above the base, and the store that loading and executing gives.
  void WriteJournal() {
    journal.Append(JournalType::kVote, "");
    base_position = journal.Append(JournalType::kBase, EncodeBaseFrame(base));
    const auto file =
        SnapshotFile::Open(&files, SnapshotPath(kSnapshots, base.block.height)).value();
    REQUIRE(LoadSnapshot(*file, &store, &network.genesis(), [](const BlockInfo&) {
              return BlockPlace();
            }).ok());
    const auto state = ChainState::Open(&store, &network.genesis()).value();
    for (size_t i = kBase; i < chain.blocks().size(); ++i) {
      const BlockPtr& block = chain.blocks()[i];
      positions.push_back(journal.Append(JournalType::kBlock, block->frame()));
      journal.AppendCommit(*block);
      if (block->header().snapshot_height != Height(0)) {
        state->KnowSnapshot(
            {.height = block->header().snapshot_height, .digest = block->header().snapshot_digest});
      }
      REQUIRE(state->Execute(block, positions.back()).ok());
    }
  }

  void PutBase(const BaseFrame& other) { *journal.body(base_position) = EncodeBaseFrame(other); }
  std::string* Frame(uint64_t height) { return journal.body(positions.at(height - kBase - 1)); }
  VerifyReport Verify(bool with_store = true, bool with_log = true) {
    VerifyOptions options;
    options.files = &files;
    if (with_log) options.log_directory = kLog;
    options.snapshot_directory = kSnapshots;
    return VerifyLedger(journal, network.genesis(), with_store ? &store : nullptr, options,
                        nullptr);
  }

  BaseFrame base;
  MemoryJournal journal;
  JournalPosition base_position;
  std::vector<JournalPosition> positions;
  MemoryStore store;
};

}  // namespace

TEST_CASE("verify from a base: everything above it is executed from its snapshot", "[base]") {
  Joined joined;
  for (const bool with_store : {true, false}) {
    const VerifyReport report = joined.Verify(with_store);
    INFO(Describe(report));
    CHECK(report.ok());
    CHECK(report.verdict() == VerifyVerdict::kVerifiedFromBase);
    REQUIRE(report.missing.size() == 1);
    CHECK(report.missing[0] == HeightRange{.first = Height(1), .last = Height(kBase)});
    CHECK(report.not_executed.empty());
    CHECK(report.block_count == kInterval + 10);
    CHECK(report.store_compared == with_store);
    CHECK(report.tip.state_digest == joined.chain.tip().state_digest);
    CHECK(report.executed_height == joined.chain.tip().height);
    CHECK(report.tip.tree.Root() == joined.chain.tip().tree.Root());
    REQUIRE(report.base.has_value());
    CHECK(report.base->frame == joined.base);
    CHECK(report.base->in_log);
    CHECK(report.base->digest_signed_by == Height(kBase + 1));
    REQUIRE(report.snapshot.has_value());
    CHECK(report.snapshot->height == Height(kBase));
    CHECK(report.snapshot->carried_by == Height(2 * kInterval));
    REQUIRE(report.checkpoint.has_value());
    CHECK(report.checkpoint->state == CheckpointJudgement::State::kMatches);
    CHECK(report.checkpoint->witnesses.size() == 2);
  }
}

TEST_CASE("verify from a base: where nothing is committed above it", "[base]") {
  Joined joined(kBase);
  const VerifyReport report = joined.Verify();
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK(report.verdict() == VerifyVerdict::kVerifiedFromBase);
  CHECK(report.store_compared);
  CHECK(report.block_count == 0);
  CHECK(report.snapshot->carried_by == Height(0));
  CHECK(report.checkpoint->state == CheckpointJudgement::State::kMatches);
}

TEST_CASE("verify from a base: what no snapshot leads to is said not to be executed", "[base]") {
  Joined joined;
  joined.RemoveSnapshot(kBase);
  SECTION("none that the chain vouches for is left") {
    const VerifyReport report = joined.Verify();
    INFO(Describe(report));
    CHECK(report.ok());
    REQUIRE(report.not_executed.size() == 1);
    CHECK(report.not_executed[0] ==
          HeightRange{.first = Height(kBase + 1), .last = joined.chain.tip().height});
    CHECK(report.executed_height == Height(0));
    CHECK_FALSE(report.store_compared);
    CHECK(report.tip.tree.Root() == joined.chain.tip().tree.Root());
    CHECK(report.checkpoint->state == CheckpointJudgement::State::kMatches);
  }
  SECTION("a later one that it vouches for") {
    Joined longer(3 * kInterval + 5);
    longer.RemoveSnapshot(kBase);
    const VerifyReport report = longer.Verify();
    INFO(Describe(report));
    CHECK(report.ok());
    REQUIRE(report.not_executed.size() == 1);
    CHECK(report.not_executed[0] ==
          HeightRange{.first = Height(kBase + 1), .last = Height(2 * kInterval)});
    CHECK(report.snapshot->height == Height(2 * kInterval));
    CHECK(report.snapshot->carried_by == Height(3 * kInterval));
    CHECK(report.executed_height == longer.chain.tip().height);
    CHECK(report.store_compared);
  }
}

TEST_CASE("verify from a base: without the log's files that is said", "[base]") {
  Joined joined;
  const VerifyReport report = joined.Verify(true, /*with_log=*/false);
  INFO(Describe(report));
  CHECK(report.ok());
  CHECK_FALSE(report.base->in_log);
  CHECK_FALSE(report.base->not_in_log_reason.empty());
  CHECK_FALSE(report.checkpoint.has_value());
  joined.RemoveSnapshot(kBase);
  const VerifyReport blind = joined.Verify(true, /*with_log=*/false);
  CHECK(blind.ok());
  CHECK_FALSE(blind.tree_known);
}

TEST_CASE("verify from a base: no field of a base frame can be forged", "[base]") {
  Joined joined;
  // Also where no snapshot of the base helps, and where there is no store.
  const bool with_snapshot = GENERATE(true, false);
  const bool with_store = GENERATE(true, false);
  if (!with_snapshot) joined.RemoveSnapshot(kBase);
  const auto refuses = [&](const char* what, const BaseFrame& forged) {
    joined.PutBase(forged);
    const VerifyReport report = joined.Verify(with_store);
    INFO(what << "\n" << Describe(report));
    CHECK_FALSE(report.ok());
    CHECK(report.verdict() == VerifyVerdict::kDamaged);
    const bool named = std::any_of(report.findings.begin(), report.findings.end(),
                                   [](const VerifyFinding& finding) {
                                     return finding.type == FindingType::kBaseDiffers ||
                                            finding.type == FindingType::kSnapshotDiffers;
                                   });
    CHECK(named);
  };
  BaseFrame forged = joined.base;
  forged.block.height = Height(kBase - 1);
  refuses("lower height", forged);
  forged.block.height = Height(kBase + 3);
  refuses("greater height", forged);
  forged = joined.base;
  forged.block.hash = TestHash(1);
  refuses("hash", forged);
  forged = joined.base;
  forged.block.view = View(7);
  refuses("view", forged);
  forged = joined.base;
  forged.executed_in_header = Height(3);
  refuses("executed height", forged);
  forged = joined.base;
  --forged.time_unix_millis;
  refuses("time", forged);
  forged = joined.base;
  ++forged.tree_size;
  refuses("log size", forged);
  forged.tree_size = 0;
  refuses("empty log", forged);
  forged = joined.base;
  forged.tree_root = TestHash(2);
  refuses("log root", forged);
  forged = joined.base;
  forged.seal_leaf = TestHash(3);
  refuses("seal", forged);
  forged = joined.base;
  forged.state_digest = TestHash(4);
  refuses("state digest", forged);
  forged = joined.base;
  forged.snapshot_digest = TestHash(5);
  refuses("snapshot digest", forged);
  forged = joined.base;
  forged.base_offset = 1'000'000'000;
  refuses("offset", forged);
}

TEST_CASE("verify from a base: a state digest that no header carries is in the snapshot",
          "[base]") {
  Joined joined(3 * kInterval + 5, /*lag=*/2);
  joined.RemoveSnapshot(kBase);
  const VerifyReport sound = joined.Verify(false);
  INFO(Describe(sound));
  CHECK(sound.ok());
  CHECK(sound.base->digest_signed_by == Height(0));
  CHECK(sound.base->digest_in_snapshot);
  BaseFrame forged = joined.base;
  forged.state_digest = TestHash(4);
  joined.PutBase(forged);
  const VerifyReport report = joined.Verify(false);
  CHECK(report.finding_count == 1);
  CHECK(report.counts.contains(FindingType::kBaseDiffers));
}

TEST_CASE("verify from a base: a base and a log that were forged together", "[base]") {
  Joined joined;
  joined.RemoveSnapshot(kBase);
  // Another leaf below the base, in the files and in the base's root; no quorum cosigned it.
  joined.leaves[3][20] = static_cast<char>(joined.leaves[3][20] ^ 1);
  joined.WriteLog();
  BaseFrame forged = joined.base;
  MerkleFrontier tree;
  for (uint64_t i = 0; i < forged.tree_size; ++i) {
    tree.Append(LeafHash(AsBytes(joined.leaves[static_cast<size_t>(i)])));
  }
  forged.tree_root = tree.Root();
  joined.PutBase(forged);
  SECTION("before a checkpoint above the base") {}
  SECTION("before a checkpoint at the base") {
    joined.WriteCheckpoint(joined.base.tree_size, joined.base.tree_root);
  }
  SECTION("before a checkpoint below the base") {
    joined.WriteCheckpoint(joined.roots[kBase - 3].size(), joined.roots[kBase - 3].Root());
  }
  const VerifyReport report = joined.Verify(false);
  INFO(Describe(report));
  CHECK(report.counts.contains(FindingType::kCheckpointDiffers));
}

TEST_CASE("verify from a base: a checkpoint below it or beyond the end", "[base]") {
  Joined joined;
  SECTION("below") {
    joined.WriteCheckpoint(joined.roots[kBase - 3].size(), joined.roots[kBase - 3].Root());
    const VerifyReport report = joined.Verify();
    INFO(Describe(report));
    CHECK(report.ok());
    CHECK(report.checkpoint->state == CheckpointJudgement::State::kBelowBase);
  }
  SECTION("beyond") {
    joined.WriteCheckpoint(joined.leaves.size() + 5, TestHash(9));
    const VerifyReport report = joined.Verify(false);
    INFO(Describe(report));
    CHECK(report.counts.contains(FindingType::kEndMissing));
  }
  SECTION("that too few cosigned") {
    joined.WriteCheckpoint(joined.leaves.size(), joined.chain.tip().tree.Root(), 1);
    CHECK(joined.Verify().counts.contains(FindingType::kCheckpointDiffers));
  }
  SECTION("where no block ends") {
    joined.WriteCheckpoint(joined.leaves.size() - 1, TestHash(9));
    CHECK(joined.Verify().counts.contains(FindingType::kCheckpointDiffers));
  }
}

TEST_CASE("verify from a base: no bit above it can flip unnoticed", "[base]") {
  VIGIL_TEST_SEED(seed, 79);
  SplitMix64 random(seed);
  Joined joined(kBase + 4);
  if (random.Chance(500)) joined.RemoveSnapshot(kBase);
  constexpr uint64_t kHeight = kBase + 2;
  const std::string sound = *joined.Frame(kHeight);
  for (size_t offset = 0; offset < sound.size(); offset += 1 + random.Below(25)) {
    std::string altered = sound;
    altered[offset] = static_cast<char>(altered[offset] ^ (1 << random.Below(8)));
    *joined.Frame(kHeight) = altered;
    const VerifyReport report = joined.Verify(random.Chance(500));
    INFO("offset " << offset << " of " << sound.size() << "\n" << Describe(report));
    REQUIRE_FALSE(report.ok());
  }
}

TEST_CASE("verify from a base: a snapshot or store that is another", "[base]") {
  Joined joined;
  const std::string path = SnapshotPath(kSnapshots, Height(kBase));
  SECTION("a chunk of the snapshot") {
    REQUIRE(joined.files.FlipBit(path, 5000, 3).ok());
    CHECK(joined.Verify().counts.contains(FindingType::kSnapshotDiffers));
  }
  SECTION("a snapshot of another chain") {
    const TestNetwork other(4, kInterval);
    TestChain chain(&other);
    for (uint64_t i = 0; i < kInterval; ++i) chain.Commit({});
    const auto builder = SnapshotBuilder::Begin(chain.store()->Snapshot(), other.genesis());
    REQUIRE(joined.files.Remove(path).ok());
    const auto file = SnapshotFileWriter::Create(&joined.files, path).value();
    while ((*builder)->Step([&](ByteSpan chunk) { return file->Append(chunk); }).value()) {
    }
    REQUIRE(file->Finish((*builder)->manifest()).ok());
    CHECK(joined.Verify().counts.contains(FindingType::kSnapshotDiffers));
  }
  SECTION("a value of the store") {
    StoreBatch damage;
    damage.Put(StoreNumberKey(Space::kResults, 7), "x");
    REQUIRE(joined.store.Write(damage).ok());
    CHECK(joined.Verify().counts.contains(FindingType::kStoreDiffers));
  }
}

TEST_CASE("verify from a base: a base in a journal that is whole is held against the chain",
          "[base]") {
  Joined joined;
  BaseFrame base = joined.base;
  MemoryJournal* const journal = joined.chain.journal();
  base.base_offset = joined.chain.position(kBase + 1).offset;
  const auto verify = [&] {
    return VerifyLedger(*journal, joined.network.genesis(), nullptr, {}, nullptr);
  };
  const JournalPosition position = journal->Append(JournalType::kBase, EncodeBaseFrame(base));
  const VerifyReport whole = verify();
  INFO(Describe(whole));
  CHECK(whole.verdict() == VerifyVerdict::kVerified);
  base.tree_root = TestHash(1);
  *journal->body(position) = EncodeBaseFrame(base);
  CHECK(verify().counts.contains(FindingType::kBaseDiffers));
  base = joined.base;
  base.base_offset = joined.chain.position(kBase).offset;
  *journal->body(position) = EncodeBaseFrame(base);
  CHECK(verify().counts.contains(FindingType::kBaseDiffers));
  *journal->body(position) = "short";
  CHECK(verify().counts.contains(FindingType::kFrameMalformed));
}

TEST_CASE("verify from a base: blocks above it that are missing are a finding", "[base]") {
  Joined joined;
  joined.journal.Remove(joined.positions[0]);
  joined.journal.Remove(joined.positions[1]);
  const VerifyReport report = joined.Verify();
  INFO(Describe(report));
  REQUIRE(report.counts.contains(FindingType::kBlockMissing));
  const auto missing = std::find_if(
      report.findings.begin(), report.findings.end(),
      [](const VerifyFinding& finding) { return finding.type == FindingType::kBlockMissing; });
  CHECK(missing->height == Height(kBase + 1));
  CHECK(missing->last_height == Height(kBase + 2));
}

}  // namespace vigil::ledger
