#include "node/keep/reindex.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/index/event_index.h"
#include "ledger/state/chain_state.h"
#include "ledger/state/journal_block.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/storage/journal.h"
#include "node/driver/indexer.h"
#include "node/driver/recovery.h"
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

// Executes every committed block of `scan` into the two stores.
absl::StatusOr<ReindexReport> ExecuteInto(
    const ledger::Genesis& genesis, const JournalReader& reader, const JournalScan& scan,
    ledger::ChainState* state, ledger::EventIndex* index,
    const std::function<void(Height done, Height last)>& progress) {
  ReindexReport report;
  for (uint64_t i = 0; i < scan.committed.value(); ++i) {
    ASSIGN_OR_RETURN(JournalReader::Frame frame, reader.Read(scan.positions[i]));
    ASSIGN_OR_RETURN(ledger::BlockPtr block, ledger::DecodeJournalBlock(std::move(frame)));
    ASSIGN_OR_RETURN(const ledger::ExecutedBlock executed,
                     state->Execute(block, scan.positions[i]));
    RETURN_IF_ERROR(AddToIndex(executed, index));
    // A later header carries its digest, and is executed only against our own.
    if (genesis.HasSnapshot(executed.tip.height)) {
      ASSIGN_OR_RETURN(const ledger::SnapshotMark mark,
                       ledger::ComputeSnapshotMark(state->StoreSnapshot(), genesis));
      state->KnowSnapshot(mark);
    }
    report.records += block->records().size();
    if (progress) progress(executed.tip.height, scan.committed);
  }
  report.height = state->tip().height;
  report.state_digest = state->tip().state_digest;
  report.indexed = index->complete_height();
  return report;
}

}  // namespace

absl::StatusOr<ReindexReport> Reindex(
    FileSystem* files, const ReindexRequest& request,
    const std::function<void(Height done, Height last)>& progress) {
  ASSIGN_OR_RETURN(const std::shared_ptr<void> lock, LockFolder(files, request.data_dir));
  RETURN_IF_ERROR(CheckNoRestore(*files, request.data_dir));
  ASSIGN_OR_RETURN(const std::shared_ptr<const JournalReader> reader, OpenSound(files, request));
  ASSIGN_OR_RETURN(const JournalScan scan, ScanJournal(*request.genesis, *reader));
  if (scan.base.id.height > Height(0)) {
    return absl::FailedPreconditionError(absl::StrCat(
        request.data_dir, ": the journal begins above block ", scan.base.id.height.value(),
        ", so that state cannot be built from it alone; "
        "remove state/ and start: it begins at the snapshot on disk"));
  }
  for (const char* name : kRebuilt) {
    RETURN_IF_ERROR(files->WriteAtomically(MarkerOf(request, name),
                                           AsBytes("a rebuild by command has not ended")));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::Store> state_store,
                   request.open_store("state", /*wipe=*/true));
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::Store> index_store,
                   request.open_store("index", /*wipe=*/true));
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::ChainState> state,
                   ledger::ChainState::Open(state_store.get(), request.genesis));
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::EventIndex> index,
                   ledger::EventIndex::Open(index_store.get()));
  ASSIGN_OR_RETURN(const ReindexReport report, ExecuteInto(*request.genesis, *reader, scan,
                                                           state.get(), index.get(), progress));
  RETURN_IF_ERROR(state_store->Sync());
  RETURN_IF_ERROR(index_store->Sync());
  for (const char* name : kRebuilt) RETURN_IF_ERROR(files->Remove(MarkerOf(request, name)));
  RETURN_IF_ERROR(files->SyncDir(request.data_dir));
  return report;
}

}  // namespace vigil::node
