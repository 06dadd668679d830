#include "node/keep/reindex.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/index/event_index.h"
#include "ledger/state/chain_state.h"
#include "ledger/state/journal_block.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/storage/journal.h"
#include "node/driver/block_cache.h"
#include "node/driver/chain_access.h"
#include "node/driver/indexer.h"
#include "node/driver/recovery.h"
#include "node/driver/snapshot_folder.h"
#include "node/keep/base_part.h"
#include "node/keep/folder.h"

namespace vigil::node {
namespace {

using ledger::FileSystem;
using ledger::JournalReader;

constexpr const char* kRebuilt[] = {"state", "index"};

std::string MarkerOf(const ReindexRequest& request, absl::string_view name) {
  return absl::StrCat(request.data_dir, "/", name, ".rebuild");
}

absl::StatusOr<std::shared_ptr<const JournalReader>> OpenSound(FileSystem* files,
                                                               const ReindexRequest& request) {
  absl::Status damage;
  ledger::JournalId id;
  ASSIGN_OR_RETURN(
      std::shared_ptr<const JournalReader> reader,
      ledger::OpenJournalForReading(files, request.data_dir + "/journal", &damage, &id));
  if (absl::IsDataLoss(damage)) {
    return Annotate(damage, "nothing was changed: the journal itself is damaged");
  }
  RETURN_IF_ERROR(OwnerOf(id, *request.genesis).status());
  return reader;
}

// Rebuilds both stores from what was found sound before they were emptied.
class Rebuilding {
 public:
  using Progress = std::function<void(Height done, Height last)>;
  Rebuilding(const ledger::Genesis& genesis, std::shared_ptr<const JournalReader> reader,
             const JournalScan& scan, ledger::Store* state_store, ledger::Store* index_store,
             const Progress& progress)
      : genesis_(genesis),
        reader_(std::move(reader)),
        scan_(scan),
        state_store_(state_store),
        index_store_(index_store),
        progress_(progress) {}

  // From `start`, a snapshot of `folder`, or from genesis.
  absl::StatusOr<ReindexReport> Run(const SnapshotFolder& folder,
                                    const std::optional<ledger::SnapshotMark>& start) {
    if (start.has_value()) {
      const absl::Status loaded = folder.Load(start->height, state_store_);
      if (!loaded.ok()) return Annotate(loaded, "load a snapshot");
    }
    ASSIGN_OR_RETURN(state_, ledger::ChainState::Open(state_store_, &genesis_));
    ASSIGN_OR_RETURN(index_, ledger::EventIndex::Open(index_store_));
    if (start.has_value()) {
      state_->KnowSnapshot(*start);
      RETURN_IF_ERROR(IndexUpTo(start->height));
    }
    ReindexReport report;
    report.begun_at = state_->tip().height;
    RETURN_IF_ERROR(ExecuteAbove(&report));
    report.height = state_->tip().height;
    report.state_digest = state_->tip().state_digest;
    report.indexed_from = index_->first_height();
    report.indexed = index_->complete_height();
    return report;
  }

 private:
  // What lies between the base and the snapshot was executed before; its results are in it.
  absl::Status IndexUpTo(Height last) {
    BlockCache cache(1);
    const ChainAccess chain(state_store_, reader_, &cache, state_->tip(), /*recent_bytes_max=*/1);
    for (Height height = scan_.base.id.height.Next(); height <= last; height = height.Next()) {
      ASSIGN_OR_RETURN(const ExecutedPtr executed, chain.LoadExecuted(height));
      RETURN_IF_ERROR(AddToIndex(*executed, index_.get()));
      if (progress_) progress_(height, scan_.committed);
    }
    return absl::OkStatus();
  }

  absl::Status ExecuteAbove(ReindexReport* report) {
    for (Height height = state_->tip().height.Next(); height <= scan_.committed;
         height = height.Next()) {
      const ledger::JournalPosition position = scan_.positions[scan_.IndexOf(height)];
      ASSIGN_OR_RETURN(JournalReader::Frame frame, reader_->Read(position));
      ASSIGN_OR_RETURN(ledger::BlockPtr block, ledger::DecodeJournalBlock(std::move(frame)));
      ASSIGN_OR_RETURN(const ledger::ExecutedBlock executed, state_->Execute(block, position));
      RETURN_IF_ERROR(AddToIndex(executed, index_.get()));
      // A later header carries its digest, and is executed only against our own.
      if (genesis_.HasSnapshot(height)) {
        ASSIGN_OR_RETURN(const ledger::SnapshotMark mark,
                         ledger::ComputeSnapshotMark(state_->StoreSnapshot(), genesis_));
        state_->KnowSnapshot(mark);
      }
      report->records += block->records().size();
      if (progress_) progress_(height, scan_.committed);
    }
    return absl::OkStatus();
  }

  const ledger::Genesis& genesis_;
  const std::shared_ptr<const JournalReader> reader_;  // Shared with who reads blocks back.
  const JournalScan& scan_;
  ledger::Store* const state_store_;
  ledger::Store* const index_store_;
  const Progress& progress_;
  std::unique_ptr<ledger::ChainState> state_;
  std::unique_ptr<ledger::EventIndex> index_;
};

}  // namespace

absl::StatusOr<ReindexReport> Reindex(
    FileSystem* files, const ReindexRequest& request,
    const std::function<void(Height done, Height last)>& progress) {
  ASSIGN_OR_RETURN(const std::shared_ptr<void> lock, LockFolder(files, request.data_dir));
  RETURN_IF_ERROR(CheckNoRestore(*files, request.data_dir));
  ASSIGN_OR_RETURN(const std::shared_ptr<const JournalReader> reader, OpenSound(files, request));
  ASSIGN_OR_RETURN(const JournalScan scan, ScanJournal(*request.genesis, *reader));
  const LogFunction silent = [](LogLevel, absl::string_view, absl::string_view) {};
  const std::string snapshots = request.data_dir + "/snapshots";
  const SnapshotFolder folder(files, snapshots, request.genesis, &scan, &silent);
  std::optional<ledger::SnapshotMark> start;
  if (scan.base.id.height > Height(0)) {
    const absl::StatusOr<ledger::SnapshotMark> newest = NewestSound(*files, snapshots, folder);
    if (!newest.ok()) {
      return Annotate(newest.status(),
                      absl::StrCat(request.data_dir,
                                   ": nothing was changed: the journal begins "
                                   "above block ",
                                   scan.base.id.height.value(),
                                   ", so that state can only be built on a snapshot"));
    }
    start = *newest;
  }
  for (const char* name : kRebuilt) {
    RETURN_IF_ERROR(files->WriteAtomically(MarkerOf(request, name),
                                           AsBytes("a rebuild by command has not ended")));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::Store> state_store,
                   request.open_store("state", /*wipe=*/true));
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::Store> index_store,
                   request.open_store("index", /*wipe=*/true));
  ASSIGN_OR_RETURN(
      const ReindexReport report,
      Rebuilding(*request.genesis, reader, scan, state_store.get(), index_store.get(), progress)
          .Run(folder, start));
  RETURN_IF_ERROR(state_store->Sync());
  RETURN_IF_ERROR(index_store->Sync());
  for (const char* name : kRebuilt) RETURN_IF_ERROR(files->Remove(MarkerOf(request, name)));
  RETURN_IF_ERROR(files->SyncDir(request.data_dir));
  return report;
}

}  // namespace vigil::node
