#include "node/keep/data_check.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/status_macros.h"
#include "ledger/index/event_index.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/overlay_file_system.h"
#include "node/driver/recovery.h"
#include "node/driver/snapshot_folder.h"
#include "node/keep/folder.h"
#include "node/keep/tile_check.h"

namespace vigil::node {
namespace {

using ledger::FileSystem;
using ledger::RollbackGuard;

constexpr absl::string_view kMustNotVote =
    "the validator refuses to vote on it and so must you: keep the folder for examination, and see "
    "docs/operating.md, When a node refuses; `vigild data restore` brings back a backup, `vigild "
    "rejoin` joins anew";
constexpr absl::string_view kRebuild =
    "the next start builds it anew; to do so before: vigild reindex";

DataPart Part(absl::string_view name, PartVerdict verdict, std::string what,
              absl::string_view remedy = "") {
  return {.name = std::string(name),
          .verdict = verdict,
          .what = std::move(what),
          .remedy = std::string(remedy)};
}

class Checker {
 public:
  Checker(FileSystem* files, const DataCheckRequest& request)
      : files_(files), request_(request), overlay_(files) {}

  absl::StatusOr<DataReport> Run() {
    const absl::Status unfinished = CheckNoRestore(*files_, request_.data_dir);
    if (!unfinished.ok()) {
      Add(Part("folder", PartVerdict::kDamaged, std::string(unfinished.message()),
               "run `vigild data restore` again"));
    }
    RETURN_IF_ERROR(CheckJournalFiles());
    if (!request_.guard_path.empty()) CheckGuard();
    if (reader_ != nullptr) CheckChain();
    RETURN_IF_ERROR(CheckStore("state"));
    RETURN_IF_ERROR(CheckStore("index"));
    RETURN_IF_ERROR(CheckStore("detect"));
    RETURN_IF_ERROR(CheckTileFiles());
    RETURN_IF_ERROR(CheckSnapshots());
    return std::move(report_);
  }

 private:
  void Add(DataPart part) { report_.parts.push_back(std::move(part)); }

  absl::Status CheckJournalFiles() {
    const std::string directory = request_.data_dir + "/journal";
    absl::StatusOr<ledger::JournalCheck> check =
        ledger::CheckJournal(*files_, directory, std::nullopt);
    if (absl::IsNotFound(check.status())) {
      Add(Part("journal", PartVerdict::kDamaged, std::string(check.status().message()),
               kMustNotVote));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(check.status());
    journal_id_ = check->journal_id;
    end_ = check->end;
    const absl::StatusOr<std::string> owner = OwnerOf(check->journal_id, *request_.genesis);
    report_.validator = owner.value_or("nobody's");
    if (!owner.ok()) {
      Add(Part("journal", PartVerdict::kDamaged, std::string(owner.status().message()),
               "name the genesis file of this validator's network"));
    } else if (check->damage.ok()) {
      Add(Part("journal", PartVerdict::kSound,
               absl::StrCat(check->segments.size(), " segments, offsets ",
                            check->segments.front().start, " to ", check->end)));
    } else if (absl::IsAborted(check->damage)) {
      Add(Part("journal", PartVerdict::kTorn, std::string(check->damage.message()),
               "start it: the torn end is cut off, and the validator votes again once a quorum has "
               "told it what it may have forgotten"));
    } else {
      Add(Part("journal", PartVerdict::kDamaged, std::string(check->damage.message()),
               kMustNotVote));
    }
    if (check->segments.empty()) return absl::OkStatus();
    absl::Status ignored;
    ASSIGN_OR_RETURN(reader_, ledger::OpenJournalForReading(files_, directory, &ignored));
    return absl::OkStatus();
  }

  void CheckGuard() {
    const absl::StatusOr<RollbackGuard> guard =
        ledger::LoadRollbackGuard(files_, request_.guard_path);
    if (!guard.ok()) {
      Add(Part("guard", PartVerdict::kDamaged, std::string(guard.status().message()),
               kMustNotVote));
    } else if (guard->journal_id != journal_id_) {
      Add(Part("guard", PartVerdict::kDamaged,
               absl::StrCat(request_.guard_path, " guards journal ", guard->journal_id.ToHex(),
                            ", this one is ", journal_id_.ToHex()),
               "name the guard in this validator's keys_dir"));
    } else if (end_ < guard->durable_offset) {
      Add(Part("guard", PartVerdict::kDamaged,
               absl::StrCat("the journal ends at offset ", end_, ", its guard knows it up to ",
                            guard->durable_offset, ": cut off, rolled back or a copy"),
               kMustNotVote));
    } else {
      Add(Part(
          "guard", PartVerdict::kSound,
          absl::StrCat("view ", guard->view, ", durable up to offset ", guard->durable_offset)));
    }
  }

  void CheckChain() {
    absl::StatusOr<JournalScan> scan = ScanJournal(*request_.genesis, *reader_);
    if (!scan.ok()) {
      Add(Part("chain", PartVerdict::kDamaged, std::string(scan.status().message()), kMustNotVote));
      return;
    }
    Add(Part("chain", PartVerdict::kSound,
             absl::StrCat(scan->chain.size(), " blocks, ", scan->committed.value(),
                          " of them known to be committed")));
    scan_ = *std::move(scan);
  }

  absl::Status CheckStore(absl::string_view name) {
    const std::string directory = absl::StrCat(request_.data_dir, "/", name);
    if (files_->Exists(absl::StrCat(request_.data_dir, "/", name, ".rebuild"))) {
      Add(Part(name, PartVerdict::kRebuildable, "was found damaged while the validator ran",
               kRebuild));
      return absl::OkStatus();
    }
    if (!files_->Exists(directory)) {
      Add(Part(name, PartVerdict::kMissing, "not there", kRebuild));
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::vector<absl::Status> tables,
                     ledger::CheckLevelDbTables(files_, directory));
    std::string what;
    for (const absl::Status& table : tables) {
      absl::StrAppend(&what, what.empty() ? "" : "; ", table.message());
    }
    const absl::StatusOr<std::string> contents = OpenStore(name, directory);
    if (!contents.ok() && !absl::IsDataLoss(contents.status())) return contents.status();
    if (!contents.ok()) {
      absl::StrAppend(&what, what.empty() ? "" : "; ", contents.status().message());
    }
    if (what.empty()) {
      Add(Part(name, PartVerdict::kSound, *contents));
    } else {
      Add(Part(name, PartVerdict::kRebuildable, std::move(what), kRebuild));
    }
    return absl::OkStatus();
  }

  // What the store holds, in a few words. Errors: kDataLoss for damage.
  absl::StatusOr<std::string> OpenStore(absl::string_view name, const std::string& directory) {
    ASSIGN_OR_RETURN(const std::shared_ptr<ledger::Store> store,
                     ledger::OpenLevelDbStore(&overlay_, directory, {}));
    if (name == "state") return StateFacts(store);
    if (name != "index") return std::string("every table can be read");
    ASSIGN_OR_RETURN(const std::unique_ptr<ledger::EventIndex> index,
                     ledger::EventIndex::Open(store.get()));
    return absl::StrCat("heights ", index->first_height().value(), " to ",
                        index->complete_height().value(), " on disk");
  }

  absl::StatusOr<std::string> StateFacts(const std::shared_ptr<ledger::Store>& store) const {
    const absl::StatusOr<ledger::Tip> tip = ledger::ChainReader(store).GetTip();
    if (absl::IsNotFound(tip.status())) return std::string("empty");
    RETURN_IF_ERROR(tip.status());
    if (scan_.has_value()) {
      const absl::Status on_chain = CheckStateOnChain(*tip, *scan_);
      if (!on_chain.ok()) return absl::DataLossError(on_chain.message());
    }
    return absl::StrCat("height ", tip->height.value(), ", state digest ",
                        tip->state_digest.ToHex());
  }

  absl::Status CheckTileFiles() {
    const std::string directory = request_.data_dir + "/log";
    if (!files_->Exists(directory)) {
      Add(Part("tiles", PartVerdict::kMissing, "not there", "the next start makes them"));
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const TileVerdict tiles, CheckTiles(&overlay_, directory));
    if (tiles.damage.empty()) {
      Add(Part("tiles", PartVerdict::kSound,
               absl::StrCat(tiles.size, " leaves, every hash computed again")));
    } else {
      Add(Part("tiles", PartVerdict::kRebuildable, tiles.damage,
               absl::StrCat("stop the validator, remove ", directory,
                            "/progress and start it: the tiles are made again from the journal")));
    }
    return absl::OkStatus();
  }

  // Every byte of each, and its place on the journal's branch.
  absl::Status CheckSnapshots() {
    const std::string directory = request_.data_dir + "/snapshots";
    ASSIGN_OR_RETURN(const std::vector<Height> heights, ledger::ListSnapshots(*files_, directory));
    if (heights.empty()) {
      Add(Part("snapshots", PartVerdict::kSound, "none yet"));
      return absl::OkStatus();
    }
    std::string what;
    for (const Height height : heights) {
      if (!scan_.has_value()) break;  // The chain's finding says why.
      const absl::Status sound =
          SnapshotFolder(files_, directory, request_.genesis, &*scan_, nullptr)
              .Judge(height)
              .status();
      if (sound.ok()) continue;
      if (!absl::IsDataLoss(sound)) return sound;
      absl::StrAppend(&what, what.empty() ? "" : "; ", ledger::SnapshotPath(directory, height),
                      ": ", sound.message());
    }
    if (what.empty()) {
      Add(Part(
          "snapshots", PartVerdict::kSound,
          absl::StrCat(heights.size(), " files, the newest of height ", heights.back().value())));
    } else {
      Add(Part("snapshots", PartVerdict::kRebuildable, std::move(what),
               "the next start removes what is damaged, and the validator makes another"));
    }
    return absl::OkStatus();
  }

  FileSystem* const files_;
  const DataCheckRequest& request_;
  ledger::OverlayFileSystem overlay_;
  DataReport report_;
  ledger::JournalId journal_id_;
  uint64_t end_ = 0;
  std::shared_ptr<const ledger::JournalReader> reader_;
  std::optional<JournalScan> scan_;
};

}  // namespace

absl::string_view PartVerdictName(PartVerdict verdict) {
  switch (verdict) {
    case PartVerdict::kSound:
      return "sound";
    case PartVerdict::kMissing:
      return "missing";
    case PartVerdict::kRebuildable:
      return "rebuildable";
    case PartVerdict::kTorn:
      return "torn";
    case PartVerdict::kDamaged:
      return "damaged";
  }
  return "?";
}

PartVerdict DataReport::verdict() const {
  PartVerdict worst = PartVerdict::kSound;
  for (const DataPart& part : parts) worst = std::max(worst, part.verdict);
  return worst;
}

absl::StatusOr<DataReport> CheckData(FileSystem* files, const DataCheckRequest& request) {
  const absl::StatusOr<std::shared_ptr<void>> lock = LockFolder(files, request.data_dir);
  // A folder that nobody here can write is one that no validator can start on.
  if (absl::IsAlreadyExists(lock.status()) || absl::IsNotFound(lock.status())) {
    return lock.status();
  }
  return Checker(files, request).Run();
}

}  // namespace vigil::node
