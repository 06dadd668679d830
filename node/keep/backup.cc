#include "node/keep/backup.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_check.h"
#include "node/driver/recovery.h"
#include "node/keep/base_part.h"
#include "node/keep/folder.h"

namespace vigil::node {
namespace {

using ledger::FileDigest;
using ledger::FileSystem;
using ledger::JournalId;
using ledger::VerifyReport;

// What of a backup, or of a folder that is made from one, the chain bears out.
struct Executed {
  VerifyReport report;
  std::optional<ledger::BaseFrame> base;  // nullopt: the journal begins at genesis.
};

// Executes the journal in `folder` again; it must be sound to its end, from genesis or, with the
// snapshot and the log beside it, from its base.
absl::StatusOr<Executed> ExecuteAgain(FileSystem* files, const std::string& folder,
                                      const ledger::Genesis& genesis,
                                      const ledger::VerifyProgressFn& progress) {
  const std::string directory = folder + "/journal";
  ledger::VerifyOptions options;
  options.stop_at_first = true;
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const ledger::JournalReader> journal,
      ledger::OpenJournalForReading(files, directory, &options.journal_damage, nullptr));
  Executed executed;
  ASSIGN_OR_RETURN(executed.base, ReadBase(*journal));
  if (executed.base.has_value()) {
    options.files = files;
    options.log_directory = folder + "/log";
    options.snapshot_directory = folder + "/snapshots";
  }
  executed.report = VerifyLedger(*journal, genesis, /*store=*/nullptr, options, progress);
  const VerifyReport& report = executed.report;
  if (!report.ok()) {
    return absl::DataLossError(
        absl::StrCat(directory, ": ", ledger::DescribeFinding(report.findings.front())));
  }
  if (report.verdict() == ledger::VerifyVerdict::kVerified) return executed;
  if (!executed.base.has_value() || report.from_base != executed.base->block.height) {
    return absl::DataLossError(absl::StrCat(directory, ": the journal lacks blocks up to height ",
                                            report.missing.back().last.value(),
                                            ", and no base stands for them"));
  }
  if (report.snapshot.has_value() &&
      (report.executed_height != report.tip.height || !report.tree_known)) {
    return absl::DataLossError(absl::StrCat(
        directory, ": executed up to height ", report.executed_height.value(), " of ",
        report.tip.height.value(), report.tree_known ? "" : ", and the log's root is not known"));
  }
  return executed;
}

absl::StatusOr<std::optional<ledger::BaseFrame>> BaseOfCopy(FileSystem* files,
                                                            const std::string& directory) {
  absl::Status damage;  // Judged when it is executed.
  ASSIGN_OR_RETURN(const std::shared_ptr<const ledger::JournalReader> journal,
                   ledger::OpenJournalForReading(files, directory, &damage, nullptr));
  return ReadBase(*journal);
}

// Segments of a copy that lie below the base are not needed, and would be no whole journal.
absl::Status DropBelowBase(FileSystem* files, const std::string& directory, uint64_t base_offset,
                           ledger::JournalCopy* copy) {
  ASSIGN_OR_RETURN(const std::vector<ledger::SegmentFile> segments,
                   ledger::ListSegments(*files, directory));
  for (size_t i = 0; i + 1 < segments.size() && segments[i + 1].start <= base_offset; ++i) {
    RETURN_IF_ERROR(files->Remove(segments[i].path));
    copy->segments.erase(copy->segments.begin());
    copy->begin = segments[i + 1].start;
  }
  return files->SyncDir(directory);
}

// Copies what nobody can make from the journal. Returns what was wrong with snapshots.
absl::StatusOr<std::string> CopyBasePart(FileSystem* files, const BackupRequest& request,
                                         const HeldSnapshots& snapshots,
                                         const ledger::BaseFrame& base) {
  RETURN_IF_ERROR(CopyLog(files, request.data_dir + "/log", request.target + "/log", base));
  return snapshots.CopyTo(files, request.target + "/snapshots", base.block.height);
}

// Of the copied snapshots the one that was executed from stays.
absl::StatusOr<BackupBase> KeepSnapshot(FileSystem* files, const BackupRequest& request,
                                        const Executed& executed, absl::string_view wrong) {
  const ledger::BaseFrame& frame = *executed.base;
  const std::string directory = request.target + "/snapshots";
  if (!executed.report.snapshot.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(
        request.data_dir, ": the journal begins above block ", frame.block.height.value(),
        ", and no sound snapshot from there on, whose digest the chain carries, is in snapshots/",
        wrong.empty() ? "" : ": ", wrong,
        "; let the validator run until it has made the next two"));
  }
  const Height height = executed.report.snapshot->height;
  ASSIGN_OR_RETURN(const std::vector<Height> copied, ledger::ListSnapshots(*files, directory));
  for (const Height other : copied) {
    if (other != height) RETURN_IF_ERROR(files->Remove(ledger::SnapshotPath(directory, other)));
  }
  RETURN_IF_ERROR(files->SyncDir(directory));
  BackupBase base{.height = frame.block.height,
                  .block_hash = frame.block.hash,
                  .tree_size = frame.tree_size,
                  .tree_root = frame.tree_root,
                  .snapshot = {}};
  ASSIGN_OR_RETURN(base.snapshot, DigestFile(*files, ledger::SnapshotPath(directory, height)));
  return base;
}

absl::Status Differs(absl::string_view what, absl::string_view got, absl::string_view want) {
  return absl::DataLossError(
      absl::StrCat("the backup's ", what, " is ", got, ", its manifest says ", want));
}

absl::Status CompareBase(const std::optional<ledger::BaseFrame>& frame,
                         const std::optional<BackupBase>& base) {
  if (frame.has_value() != base.has_value()) {
    return Differs("beginning", frame.has_value() ? "a base" : "genesis",
                   base.has_value() ? "a base" : "genesis");
  }
  if (!frame.has_value()) return absl::OkStatus();
  if (frame->block.height != base->height || frame->block.hash != base->block_hash) {
    return Differs("base",
                   absl::StrCat(frame->block.height.value(), " ", frame->block.hash.ToHex()),
                   absl::StrCat(base->height.value(), " ", base->block_hash.ToHex()));
  }
  if (frame->tree_size == base->tree_size && frame->tree_root == base->tree_root) {
    return absl::OkStatus();
  }
  return Differs("log below its base", frame->tree_root.ToHex(), base->tree_root.ToHex());
}

absl::Status CompareReport(const VerifyReport& report, const BackupManifest& manifest) {
  if (report.tip.height != manifest.height) {
    return Differs("height", absl::StrCat(report.tip.height.value()),
                   absl::StrCat(manifest.height.value()));
  }
  if (report.tip.block_hash != manifest.block_hash) {
    return Differs("block", report.tip.block_hash.ToHex(), manifest.block_hash.ToHex());
  }
  if (report.tip.state_digest != manifest.state_digest) {
    return Differs("state digest", report.tip.state_digest.ToHex(), manifest.state_digest.ToHex());
  }
  if (report.tip.tree.size() != manifest.tree_size ||
      report.tip.tree.Root() != manifest.tree_root) {
    return Differs("tree", report.tip.tree.Root().ToHex(), manifest.tree_root.ToHex());
  }
  return absl::OkStatus();
}

absl::StatusOr<BackupManifest> ReadManifest(FileSystem* files, const RestoreRequest& request) {
  const std::string path = request.backup + "/" + kManifestName;
  absl::StatusOr<std::string> text = files->ReadAll(path);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        absl::StrCat(path, ": not there: this is no backup, or one that was never finished"));
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(BackupManifest manifest, DecodeManifest(*text));
  if (manifest.genesis_hash != request.genesis->genesis_hash) {
    return absl::DataLossError(absl::StrCat(path, ": of the network ", manifest.network,
                                            " with genesis ", manifest.genesis_hash.ToHex(),
                                            ", not ", request.genesis->genesis_hash.ToHex()));
  }
  ASSIGN_OR_RETURN(const std::string owner, OwnerOf(manifest.journal_id, *request.genesis));
  if (owner != manifest.validator) return Differs("validator", owner, manifest.validator);
  return manifest;
}

// The guard of the last run bounds the terms in which this validator may have voted.
absl::StatusOr<ledger::RollbackGuard> ReadGuard(FileSystem* files, const RestoreRequest& request,
                                                const BackupManifest& manifest) {
  absl::StatusOr<ledger::RollbackGuard> guard =
      ledger::LoadRollbackGuard(files, request.guard_path);
  if (!guard.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        request.guard_path, ": ", guard.status().message(),
        "; without the rollback guard of its last run nobody knows in which terms this validator "
        "has voted: let it join anew instead, with vigild rejoin"));
  }
  if (guard->journal_id != manifest.journal_id) {
    return absl::FailedPreconditionError(
        absl::StrCat(request.guard_path, ": guards journal ", guard->journal_id.ToHex(),
                     ", the backup is of ", manifest.journal_id.ToHex()));
  }
  return guard;
}

// Makes the marked folder, or empties the one that an interrupted restore left.
absl::Status BeginRestore(FileSystem* files, const RestoreRequest& request) {
  const std::string marker = RestoreMarker(request.data_dir);
  if (!files->Exists(marker)) {
    // What a crash left of writing the mark says nothing.
    if (files->Exists(marker + ".tmp")) RETURN_IF_ERROR(files->Remove(marker + ".tmp"));
    RETURN_IF_ERROR(CheckEmptyOrMissing(*files, request.data_dir));
    RETURN_IF_ERROR(files->MakeDirs(request.data_dir));
    RETURN_IF_ERROR(files->WriteAtomically(
        marker, AsBytes(absl::StrCat("restore of ", request.backup, " has not ended\n"))));
  }
  for (const char* folder : {"/journal", "/snapshots"}) {
    const std::string directory = request.data_dir + folder;
    RETURN_IF_ERROR(files->MakeDirs(directory));
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(directory));
    for (const std::string& name : names) {
      RETURN_IF_ERROR(files->Remove(absl::StrCat(directory, "/", name)));
    }
    RETURN_IF_ERROR(files->SyncDir(directory));
  }
  return absl::OkStatus();
}

absl::Status CopyBack(FileSystem* files, const RestoreRequest& request, absl::string_view folder,
                      const FileDigest& file) {
  const std::string from = absl::StrCat(request.backup, "/", folder, "/", file.name);
  const std::string to = absl::StrCat(request.data_dir, "/", folder, "/", file.name);
  ASSIGN_OR_RETURN(const FileDigest copied, CopyFile(files, from, to));
  // From the copy's own bytes: what was written counts.
  RETURN_IF_ERROR(files->DropCached(to));
  ASSIGN_OR_RETURN(const FileDigest written, DigestFile(*files, to));
  if (written == file && copied == file) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(from, ": ", written.bytes, " bytes with SHA-256 ", written.sha256.ToHex(),
                   ", the manifest says ", file.bytes, " with ", file.sha256.ToHex(),
                   ": the backup is damaged, or the disk is; take another backup"));
}

absl::Status CopyAllBack(FileSystem* files, const RestoreRequest& request,
                         const BackupManifest& manifest) {
  for (const FileDigest& segment : manifest.segments) {
    RETURN_IF_ERROR(CopyBack(files, request, "journal", segment));
  }
  RETURN_IF_ERROR(files->SyncDir(request.data_dir + "/journal"));
  if (!manifest.base.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(CopyBack(files, request, "snapshots", manifest.base->snapshot));
  RETURN_IF_ERROR(files->SyncDir(request.data_dir + "/snapshots"));
  ASSIGN_OR_RETURN(const std::optional<ledger::BaseFrame> base,
                   BaseOfCopy(files, request.data_dir + "/journal"));
  RETURN_IF_ERROR(CompareBase(base, manifest.base));
  const absl::Status log =
      CopyLog(files, request.backup + "/log", request.data_dir + "/log", *base);
  // What a backup was written with is there, or was lost.
  return absl::IsFailedPrecondition(log) ? absl::DataLossError(log.message()) : log;
}

// protocol.md, R21 and C5: what was promised after the backup is forgotten.
absl::Status RecordForgotten(FileSystem* files, const RestoreRequest& request, const JournalId& id,
                             uint64_t* end) {
  ledger::JournalOpenReport opened;
  ASSIGN_OR_RETURN(const std::unique_ptr<ledger::Journal> journal,
                   ledger::Journal::Open(files, request.data_dir + "/journal", id,
                                         /*durable_offset_min=*/0, {}, &opened));
  ASSIGN_OR_RETURN(const JournalScan scan, ScanJournal(*request.genesis, *journal->reader()));
  consensus::RaftVoteRecord vote;
  if (!scan.vote.empty()) {
    ASSIGN_OR_RETURN(vote, consensus::DecodeRaftVoteRecord(scan.vote));
  }
  vote.may_vote = false;
  CosignGuard cosigned = scan.cosigned;
  cosigned.floor = kFloorUntilVoter;
  RETURN_IF_ERROR(
      journal->Append(ledger::JournalType::kVote, AsBytes(consensus::EncodeRaftVoteRecord(vote)))
          .status());
  RETURN_IF_ERROR(
      journal->Append(ledger::JournalType::kCosigned, AsBytes(EncodeCosignGuard(cosigned)))
          .status());
  RETURN_IF_ERROR(journal->Sync());
  *end = journal->durable_offset();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BackupManifest> BackupData(FileSystem* files, const BackupRequest& request,
                                          const ledger::VerifyProgressFn& progress) {
  const std::string source = request.data_dir + "/journal";
  const std::string target = request.target + "/journal";
  RETURN_IF_ERROR(CheckNoRestore(*files, request.data_dir));
  RETURN_IF_ERROR(CheckEmptyOrMissing(*files, request.target));
  if (!files->Exists(source)) {
    return absl::NotFoundError(absl::StrCat(source, ": not there; name a validator's data folder"));
  }
  RETURN_IF_ERROR(files->MakeDirs(target));
  const absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(request.data_dir + "/LOCK");
  ASSIGN_OR_RETURN(const HeldSnapshots snapshots,
                   HeldSnapshots::Open(*files, request.data_dir + "/snapshots"));
  ASSIGN_OR_RETURN(ledger::JournalCopy copy,
                   CopyJournal(files, source, target, /*may_be_written=*/!lock.ok()));
  BackupManifest manifest;
  ASSIGN_OR_RETURN(manifest.validator, OwnerOf(copy.journal_id, *request.genesis));
  ASSIGN_OR_RETURN(const std::optional<ledger::BaseFrame> base, BaseOfCopy(files, target));
  std::string wrong;
  if (base.has_value()) {
    RETURN_IF_ERROR(DropBelowBase(files, target, base->base_offset, &copy));
    ASSIGN_OR_RETURN(wrong, CopyBasePart(files, request, snapshots, *base));
  }
  ASSIGN_OR_RETURN(const Executed executed,
                   ExecuteAgain(files, request.target, *request.genesis, progress));
  const VerifyReport& report = executed.report;
  if (base.has_value()) {
    ASSIGN_OR_RETURN(manifest.base, KeepSnapshot(files, request, executed, wrong));
  }
  manifest.network = request.genesis->network;
  manifest.genesis_hash = request.genesis->genesis_hash;
  manifest.journal_id = copy.journal_id;
  manifest.journal_begin = copy.begin;
  manifest.journal_end = copy.end;
  manifest.height = report.tip.height;
  manifest.block_hash = report.tip.block_hash;
  manifest.state_digest = report.tip.state_digest;
  manifest.tree_size = report.tip.tree.size();
  manifest.tree_root = report.tip.tree.Root();
  manifest.segments = copy.segments;
  RETURN_IF_ERROR(files->WriteAtomically(request.target + "/" + kManifestName,
                                         AsBytes(EncodeManifest(manifest))));
  return manifest;
}

absl::StatusOr<BackupManifest> RestoreData(FileSystem* files, const RestoreRequest& request,
                                           const ledger::VerifyProgressFn& progress) {
  if (request.genesis->mode != "raft") {
    return absl::FailedPreconditionError(absl::StrCat(
        "a validator in mode ", request.genesis->mode,
        " cannot be restored: only raft has validators that do not vote until they caught up"));
  }
  ASSIGN_OR_RETURN(const BackupManifest manifest, ReadManifest(files, request));
  ASSIGN_OR_RETURN(ledger::RollbackGuard guard, ReadGuard(files, request, manifest));
  RETURN_IF_ERROR(BeginRestore(files, request));
  ASSIGN_OR_RETURN(const std::shared_ptr<void> lock, files->Lock(request.data_dir + "/LOCK"));
  RETURN_IF_ERROR(CopyAllBack(files, request, manifest));
  ASSIGN_OR_RETURN(const Executed executed,
                   ExecuteAgain(files, request.data_dir, *request.genesis, progress));
  RETURN_IF_ERROR(CompareBase(executed.base, manifest.base));
  RETURN_IF_ERROR(CompareReport(executed.report, manifest));
  RETURN_IF_ERROR(RecordForgotten(files, request, manifest.journal_id, &guard.durable_offset));
  // The view stays: it bounds what this validator voted for.
  RETURN_IF_ERROR(ledger::SaveRollbackGuard(files, request.guard_path, guard));
  // The last step: from here on the folder may be started.
  RETURN_IF_ERROR(files->Remove(RestoreMarker(request.data_dir)));
  RETURN_IF_ERROR(files->SyncDir(request.data_dir));
  return manifest;
}

}  // namespace vigil::node
