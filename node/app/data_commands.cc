#include "node/app/data_commands.h"

#include <unistd.h>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/storage/file.h"
#include "ledger/storage/leveldb_store.h"
#include "node/app/config.h"
#include "node/keep/archive.h"
#include "node/keep/backup.h"
#include "node/keep/data_check.h"
#include "node/keep/data_export.h"
#include "node/keep/prune.h"
#include "node/keep/reindex.h"

namespace vigil::node {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitNotFound = 5;
constexpr int kExitDamaged = 6;
constexpr int kExitUnhealthy = 8;

int Report(const absl::Status& status) {
  std::cerr << "vigild: " << status.message() << '\n';
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kDataLoss:
      return kExitDamaged;
    default:
      return kExitFailed;
  }
}

absl::StatusOr<ledger::Genesis> ReadGenesis(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ledger::PosixFileSystem()->ReadAll(path));
  absl::StatusOr<ledger::Genesis> genesis = ledger::ParseGenesis(bytes);
  if (!genesis.ok()) return Annotate(genesis.status(), path);
  return genesis;
}

// Restated for the last epoch of which the data folder, or the backup of one, holds the anchor.
absl::StatusOr<ledger::Genesis> ReadGenesis(const DataCommand& command, const std::string& folder) {
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, ReadGenesis(command.genesis));
  return ledger::LoadEpochs(*ledger::PosixFileSystem(), folder, genesis);
}
absl::StatusOr<ledger::Genesis> ReadGenesis(const DataCommand& command) {
  return ReadGenesis(command, command.data_dir);
}

// The epoch chain goes where the journal goes.
absl::Status CopyEpochChain(const std::string& from, const std::string& to) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  const absl::StatusOr<std::string> chain = files->ReadAll(ledger::EpochChainPath(from));
  if (absl::IsNotFound(chain.status())) return absl::OkStatus();
  RETURN_IF_ERROR(chain.status());
  return files->WriteAtomically(ledger::EpochChainPath(to), AsBytes(*chain));
}

// Repaints one line on a terminal, at most ten times a second.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (painted_) std::cerr << "\r\033[K" << std::flush;
  }
  void Show(absl::string_view what, uint64_t done, uint64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    painted_ = true;
    std::cerr << "\r\033[K" << what << ' ' << done;
    if (total > 0) std::cerr << " of " << total;
    std::cerr << std::flush;
  }

 private:
  const bool shown_ = isatty(STDERR_FILENO) != 0;
  bool painted_ = false;
  std::chrono::steady_clock::time_point last_;
};

ledger::VerifyProgressFn ShowVerify(ProgressLine* line) {
  return [line](const ledger::VerifyProgress& progress) {
    line->Show(progress.phase, progress.done, progress.total);
  };
}

std::function<void(Height, Height)> ShowHeights(ProgressLine* line) {
  return [line](Height done, Height last) { line->Show("block", done.value(), last.value()); };
}

void PrintManifest(const BackupManifest& manifest) {
  std::cout << "validator     " << manifest.validator << "\nheight        "
            << manifest.height.value() << "\nblock_hash    " << manifest.block_hash.ToHex()
            << "\nstate_digest  " << manifest.state_digest.ToHex() << "\ntree_size     "
            << manifest.tree_size << "\ntree_root     " << manifest.tree_root.ToHex()
            << "\nsegments      " << manifest.segments.size() << "\njournal_end   "
            << manifest.journal_end << '\n';
  if (!manifest.base.has_value()) return;
  std::cout << "base_height   " << manifest.base->height.value() << "\nsnapshot      "
            << manifest.base->snapshot.name << '\n';
}

}  // namespace

int RunDataCheck(const DataCommand& command) {
  const absl::StatusOr<ledger::Genesis> genesis = ReadGenesis(command);
  if (!genesis.ok()) return Report(genesis.status());
  const absl::StatusOr<DataReport> report =
      CheckData(ledger::PosixFileSystem(),
                {.data_dir = command.data_dir, .guard_path = command.guard, .genesis = &*genesis});
  if (!report.ok()) return Report(report.status());
  std::cout << "data of " << report->validator << " in " << command.data_dir << ": "
            << PartVerdictName(report->verdict()) << '\n';
  for (const DataPart& part : report->parts) {
    std::cout << "  " << std::left << std::setw(8) << part.name << std::setw(12)
              << PartVerdictName(part.verdict) << part.what << '\n';
    if (!part.remedy.empty()) std::cout << std::string(22, ' ') << "-> " << part.remedy << '\n';
  }
  if (report->verdict() == PartVerdict::kSound) return 0;
  return report->verdict() == PartVerdict::kDamaged ? kExitDamaged : kExitUnhealthy;
}

int RunDataBackup(const DataCommand& command) {
  const absl::StatusOr<ledger::Genesis> genesis = ReadGenesis(command);
  if (!genesis.ok()) return Report(genesis.status());
  absl::StatusOr<BackupManifest> manifest;
  {
    ProgressLine line;
    manifest =
        BackupData(ledger::PosixFileSystem(),
                   {.data_dir = command.data_dir, .target = command.other, .genesis = &*genesis},
                   ShowVerify(&line));
  }
  if (!manifest.ok()) return Report(manifest.status());
  const absl::Status copied = CopyEpochChain(command.data_dir, command.other);
  if (!copied.ok()) return Report(copied);
  PrintManifest(*manifest);
  std::cerr << "backup written to " << command.other << "; keys are not in it\n";
  return 0;
}

int RunDataRestore(const DataCommand& command) {
  const absl::StatusOr<ledger::Genesis> genesis = ReadGenesis(command, command.other);
  if (!genesis.ok()) return Report(genesis.status());
  absl::StatusOr<BackupManifest> manifest;
  {
    ProgressLine line;
    manifest = RestoreData(ledger::PosixFileSystem(),
                           {.backup = command.other,
                            .data_dir = command.data_dir,
                            .guard_path = command.guard,
                            .genesis = &*genesis},
                           ShowVerify(&line));
  }
  if (!manifest.ok()) return Report(manifest.status());
  const absl::Status copied = CopyEpochChain(command.other, command.data_dir);
  if (!copied.ok()) return Report(copied);
  PrintManifest(*manifest);
  std::cerr << "restored to " << command.data_dir
            << "; next: vigild start. It follows, but does not vote or cosign before a quorum has "
               "told it what it may have forgotten\n";
  return 0;
}

int RunDataExport(const DataCommand& command) {
  const absl::StatusOr<ledger::Genesis> genesis = ReadGenesis(command);
  if (!genesis.ok()) return Report(genesis.status());
  absl::StatusOr<ExportReport> report;
  {
    ProgressLine line;
    report =
        ExportEvents(ledger::PosixFileSystem(),
                     {.data_dir = command.data_dir, .file = command.other, .genesis = &*genesis},
                     ShowHeights(&line));
  }
  if (!report.ok()) return Report(report.status());
  std::cout << "events  " << report->events << "\npruned  " << report->pruned << "\nheight  "
            << report->height.value() << '\n';
  return 0;
}

int RunDataPrune(const DataCommand& command) {
  const absl::StatusOr<uint64_t> age = ParseAgeMillis(command.older_than);
  if (!age.ok()) return Report(Annotate(age.status(), "--older-than"));
  const absl::StatusOr<ledger::Genesis> genesis = ReadGenesis(command);
  if (!genesis.ok()) return Report(genesis.status());
  const absl::StatusOr<PruneReport> report =
      PruneData(ledger::PosixFileSystem(),
                {.data_dir = command.data_dir, .genesis = &*genesis, .older_than_millis = *age});
  if (!report.ok()) return Report(report.status());
  std::cout << "segments     " << report->segments << "\nblocks       " << report->blocks
            << "\nbytes_freed  " << report->bytes_freed << "\nheight_max   "
            << report->height_max.value() << '\n';
  return 0;
}

int RunDataArchive(const DataCommand& command) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  const absl::StatusOr<ledger::Genesis> genesis = ReadGenesis(command);
  if (!genesis.ok()) return Report(genesis.status());
  const absl::StatusOr<std::string> genesis_file = files->ReadAll(command.genesis);
  if (!genesis_file.ok()) return Report(genesis_file.status());
  const absl::StatusOr<ArchiveReport> report =
      ArchiveData(files, {.data_dir = command.data_dir,
                          .guard_path = command.guard,
                          .archive = command.other,
                          .genesis = &*genesis,
                          .genesis_file = *genesis_file,
                          .journal_bytes_max = command.keep_bytes,
                          .journal = {}});
  if (!report.ok()) return Report(report.status());
  std::cout << "segments       " << report->segments << "\nbytes_freed    " << report->bytes
            << "\njournal_bytes  " << report->journal_bytes << "\nbegins_above   "
            << report->base.value() << '\n';
  if (report->held_back.empty()) return 0;
  std::cerr << "vigild: the journal keeps more than " << command.keep_bytes
            << " bytes: " << report->held_back << '\n';
  return kExitUnhealthy;
}

int RunReindex(const DataCommand& command) {
  const absl::StatusOr<ledger::Genesis> genesis = ReadGenesis(command);
  if (!genesis.ok()) return Report(genesis.status());
  ReindexRequest request;
  request.data_dir = command.data_dir;
  request.genesis = &*genesis;
  request.open_store = [&](absl::string_view name,
                           bool wipe) -> absl::StatusOr<std::unique_ptr<ledger::Store>> {
    const std::string directory = absl::StrCat(command.data_dir, "/", name);
    if (wipe) RETURN_IF_ERROR(ledger::RemoveLevelDbStore(ledger::PosixFileSystem(), directory));
    return ledger::OpenLevelDbStore(ledger::PosixFileSystem(), directory, {});
  };
  absl::StatusOr<ReindexReport> report;
  {
    ProgressLine line;
    report = Reindex(ledger::PosixFileSystem(), request, ShowHeights(&line));
  }
  if (!report.ok()) return Report(report.status());
  std::cout << "height        " << report->height.value() << "\nstate_digest  "
            << report->state_digest.ToHex() << "\nrecords       " << report->records
            << "\nindexed_from  " << report->indexed_from.value() << "\nindexed       "
            << report->indexed.value() << "\nbegun_at      " << report->begun_at.value() << '\n';
  return 0;
}

}  // namespace vigil::node
