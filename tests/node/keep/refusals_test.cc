// What the commands on a data folder refuse, before they change anything.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/chain/header.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/tables.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_format.h"
#include "node/driver/recovery.h"
#include "node/keep/data_check.h"
#include "node/keep/data_export.h"
#include "node/keep/prune.h"
#include "node/keep/reindex.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::CrashMode;

constexpr char kJournal[] = "/vigil/journal";

struct Folder : KeptCluster {
  // Of a network that gives this journal to nobody.
  ledger::Genesis strange;

  Folder() : KeptCluster(1) {
    Submit(20);
    cluster.RunFor(3 * kSecond);
    strange = genesis();
    strange.validators[0].journal_id.bytes.fill(9);
    strange.genesis_hash.bytes[0] ^= 1;
  }
  void Stop() {
    cluster.node(0)->Stop();
    cluster.Crash(0, CrashMode::kProcessOnly);
  }
  absl::Status Prune(const ledger::Genesis& of) {
    return PruneData(disk(), {.data_dir = kData, .genesis = &of, .older_than_millis = 1}).status();
  }
  absl::Status BuildAnew(const ledger::Genesis& of) {
    return Reindex(disk(),
                   {.data_dir = kData, .genesis = &of, .open_store = StoresIn(disk(), kData)},
                   nullptr)
        .status();
  }
  absl::Status Export(const ledger::Genesis& of) {
    return ExportEvents(disk(), {.data_dir = kData, .file = "/out", .genesis = &of}, nullptr)
        .status();
  }
  DataReport Check(const ledger::Genesis& of) {
    const auto report =
        CheckData(disk(), {.data_dir = kData, .guard_path = kGuard, .genesis = &of});
    REQUIRE(report.ok());
    return *report;
  }
  PartVerdict VerdictOf(absl::string_view name) {
    const DataReport report = Check(genesis());
    for (const DataPart& part : report.parts) {
      if (part.name == std::string(name)) return part.verdict;
    }
    FAIL("no part " << name);
    return PartVerdict::kSound;
  }
  // Each command that changes or reads out the folder.
  std::vector<std::function<absl::Status(const ledger::Genesis&)>> Commands() {
    return {[this](const ledger::Genesis& of) { return Prune(of); },
            [this](const ledger::Genesis& of) { return BuildAnew(of); },
            [this](const ledger::Genesis& of) { return Export(of); }};
  }
  void Append(ledger::JournalType type, const std::string& body) {
    ledger::JournalOpenReport report;
    const auto journal =
        ledger::Journal::Open(disk(), kJournal, genesis().validators[0].journal_id, 0, {}, &report);
    REQUIRE(journal.ok());
    REQUIRE((*journal)->Append(type, AsBytes(body)).ok());
    REQUIRE((*journal)->Sync().ok());
  }
  // Changes the body of a frame and repairs its checksums.
  void Rewrite(uint64_t offset, const std::function<void(std::string* body)>& change) {
    absl::Status damage;
    const auto reader = ledger::OpenJournalForReading(disk(), kJournal, &damage);
    REQUIRE(reader.ok());
    const auto frame = (*reader)->Read({.offset = offset});
    REQUIRE(frame.ok());
    std::string body = frame->body;
    change(&body);
    std::string bytes;
    ledger::AppendFrame(
        genesis().validators[0].journal_id,
        {.type = frame->type, .offset = offset, .synced_up_to = frame->synced_up_to}, AsBytes(body),
        &bytes);
    const auto segments = ledger::ListSegments(*disk(), kJournal);
    REQUIRE(segments.ok());
    const ledger::SegmentFile* holds = nullptr;
    for (const ledger::SegmentFile& segment : *segments) {
      if (segment.start <= offset) holds = &segment;
    }
    REQUIRE(holds != nullptr);
    REQUIRE(disk()
                ->Overwrite(holds->path, ledger::kSegmentHeaderBytes + offset - holds->start,
                            AsBytes(bytes))
                .ok());
  }
  // Where a block with events lies.
  uint64_t OffsetOfEvents() {
    const auto store = StoresIn(disk(), kData)("state", /*wipe=*/false);
    REQUIRE(store.ok());
    const ledger::ChainReader reader{std::shared_ptr<const ledger::StoreReader>(
        (*store).get(), [](const ledger::StoreReader*) {})};
    for (uint64_t height = 1;; ++height) {
      const auto info = reader.GetBlock(Height(height));
      REQUIRE(info.ok());
      if (info->event_count > 0) return info->position.offset;
    }
  }
};

}  // namespace

TEST_CASE("refusals: a folder in use or half restored or of another network", "[keep]") {
  Folder folder;
  SECTION("a validator runs on it") {
    for (const auto& command : folder.Commands()) {
      CHECK(absl::IsAlreadyExists(command(folder.genesis())));
    }
  }
  SECTION("a restore into it has not ended") {
    folder.Stop();
    REQUIRE(folder.disk()->WriteAtomically(RestoreMarker(kData), AsBytes("x")).ok());
    for (const auto& command : folder.Commands()) {
      CHECK(absl::IsFailedPrecondition(command(folder.genesis())));
    }
  }
  SECTION("its journal is none of this genesis") {
    folder.Stop();
    const uint64_t operations = folder.disk()->operation_count();
    for (const auto& command : folder.Commands()) {
      CHECK(absl::IsDataLoss(command(folder.strange)));
    }
    CHECK(folder.disk()->operation_count() == operations);
    const DataReport report = folder.Check(folder.strange);
    CHECK(report.verdict() == PartVerdict::kDamaged);
    CHECK(report.parts.front().name == "journal");
    CHECK(report.parts.front().verdict == PartVerdict::kDamaged);
  }
}

TEST_CASE("refusals: pruning leaves a damaged journal and one that a detector would read alone",
          "[keep]") {
  Folder folder;
  folder.Stop();
  SECTION("damage") {
    const auto segments = ledger::ListSegments(*folder.disk(), kJournal);
    REQUIRE(segments.ok());
    REQUIRE(folder.disk()->FlipBit(segments->front().path, 900, 1).ok());
    const uint64_t operations = folder.disk()->operation_count();
    const absl::Status refused = folder.Prune(folder.genesis());
    CHECK(absl::IsDataLoss(refused));
    CHECK(refused.message().find("nothing was changed") != absl::string_view::npos);
    CHECK(folder.disk()->operation_count() == operations);
  }
  SECTION("no bookkeeping of the detector") {
    REQUIRE(ledger::RemoveLevelDbStore(folder.disk(), "/vigil/detect").ok());
    if (folder.disk()->Exists("/vigil/detect")) {
      REQUIRE(folder.disk()->RemoveDir("/vigil/detect").ok());
    }
    const absl::Status refused = folder.Prune(folder.genesis());
    CHECK(absl::IsFailedPrecondition(refused));
    CHECK(refused.message().find("not there") != absl::string_view::npos);
  }
}

TEST_CASE("refusals: a journal above genesis is not built upon", "[keep]") {
  Folder folder;
  folder.Stop();
  const auto names = folder.disk()->List(kJournal);
  REQUIRE(names.ok());
  for (const std::string& name : *names) {
    REQUIRE(folder.disk()->Remove(absl::StrCat(kJournal, "/", name)).ok());
  }
  REQUIRE(folder.disk()->Remove(kGuard).ok());
  REQUIRE(CreateJournal(
              {folder.disk(), kJournal, kGuard, folder.genesis().validators[0].journal_id, {}},
              Beginning::kJoin)
              .ok());
  ledger::BaseFrame base;
  base.block = {.height = Height(100), .view = View(1), .hash = Hash()};
  base.tree_size = 300;
  folder.Append(ledger::JournalType::kBase, ledger::EncodeBaseFrame(base));
  CHECK(absl::IsFailedPrecondition(folder.BuildAnew(folder.genesis())));
  CHECK(folder.disk()->Exists("/vigil/state"));
}

TEST_CASE("refusals: check tells a guard of another and a chain that contradicts itself",
          "[keep]") {
  Folder folder;
  folder.Stop();
  SECTION("the guard of another journal") {
    ledger::RollbackGuard guard = ledger::LoadRollbackGuard(folder.disk(), kGuard).value();
    guard.journal_id.bytes.fill(7);
    REQUIRE(ledger::SaveRollbackGuard(folder.disk(), kGuard, guard).ok());
    CHECK(folder.VerdictOf("guard") == PartVerdict::kDamaged);
    CHECK(folder.VerdictOf("journal") == PartVerdict::kSound);
  }
  SECTION("a commit mark for a block that the chain has not") {
    consensus::RaftCommitRecord commit;
    commit.block = {.height = Height(2), .view = View(1), .hash = Hash()};
    folder.Append(ledger::JournalType::kCommit, consensus::EncodeRaftCommitRecord(commit));
    CHECK(folder.VerdictOf("journal") == PartVerdict::kSound);
    CHECK(folder.VerdictOf("chain") == PartVerdict::kDamaged);
  }
  SECTION("a state that is not of the chain") {
    {
      const auto store = StoresIn(folder.disk(), kData)("state", /*wipe=*/false);
      REQUIRE(store.ok());
      ledger::Tip tip = ledger::ChainReader{std::shared_ptr<const ledger::StoreReader>(
                                                (*store).get(), [](const ledger::StoreReader*) {})}
                            .GetTip()
                            .value();
      tip.block_hash.bytes[0] ^= 1;
      ledger::StoreBatch batch;
      batch.Put(ledger::StoreTipKey(), ledger::EncodeTip(tip));
      REQUIRE((*store)->Write(batch).ok());
      REQUIRE((*store)->Sync().ok());
    }
    CHECK(folder.VerdictOf("state") == PartVerdict::kRebuildable);
    CHECK(folder.VerdictOf("chain") == PartVerdict::kSound);
  }
}

TEST_CASE("refusals: export writes no event that its author did not sign", "[keep]") {
  Folder folder;
  folder.Stop();
  const uint64_t offset = folder.OffsetOfEvents();
  SECTION("a payload whose checksum was repaired") {
    folder.Rewrite(offset, [](std::string* body) { body->back() ^= 1; });
  }
  SECTION("another block where the state names one") {
    // The proposer's signature is not in the body root, so that only the header tells.
    folder.Rewrite(offset, [](std::string* body) { (*body)[2 + ledger::kHeaderBytes - 9] ^= 1; });
  }
  CHECK(absl::IsDataLoss(folder.Export(folder.genesis())));
  CHECK_FALSE(folder.disk()->Exists("/out"));
}

}  // namespace vigil::node
