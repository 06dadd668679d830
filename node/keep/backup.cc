#include "node/keep/backup.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/journal.h"
#include "node/driver/recovery.h"
#include "node/keep/folder.h"

namespace vigil::node {
namespace {

using ledger::FileDigest;
using ledger::FileSystem;
using ledger::JournalId;
using ledger::VerifyReport;

// Executes the journal in `directory` again; it must be sound from genesis to its end.
absl::StatusOr<VerifyReport> ExecuteAgain(FileSystem* files, const std::string& directory,
                                          const ledger::Genesis& genesis,
                                          const ledger::VerifyProgressFn& progress) {
  ledger::VerifyOptions options;
  options.stop_at_first = true;
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const ledger::JournalReader> journal,
      ledger::OpenJournalForReading(files, directory, &options.journal_damage, nullptr));
  VerifyReport report = VerifyLedger(*journal, genesis, /*store=*/nullptr, options, progress);
  if (report.verdict() == ledger::VerifyVerdict::kVerified) return report;
  if (report.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory, ": the journal begins above block ", report.missing.back().last.value(),
        ", so its state cannot be made from it; back up a validator that has every block"));
  }
  return absl::DataLossError(
      absl::StrCat(directory, ": ", ledger::DescribeFinding(report.findings.front())));
}

absl::Status Differs(absl::string_view what, absl::string_view got, absl::string_view want) {
  return absl::DataLossError(
      absl::StrCat("the backup's ", what, " is ", got, ", its manifest says ", want));
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
  const std::string journal = request.data_dir + "/journal";
  if (!files->Exists(marker)) {
    // What a crash left of writing the mark says nothing.
    if (files->Exists(marker + ".tmp")) RETURN_IF_ERROR(files->Remove(marker + ".tmp"));
    RETURN_IF_ERROR(CheckEmptyOrMissing(*files, request.data_dir));
    RETURN_IF_ERROR(files->MakeDirs(request.data_dir));
    RETURN_IF_ERROR(files->WriteAtomically(
        marker, AsBytes(absl::StrCat("restore of ", request.backup, " has not ended\n"))));
  }
  RETURN_IF_ERROR(files->MakeDirs(journal));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(journal));
  for (const std::string& name : names) {
    RETURN_IF_ERROR(files->Remove(absl::StrCat(journal, "/", name)));
  }
  return files->SyncDir(journal);
}

absl::Status CopySegments(FileSystem* files, const RestoreRequest& request,
                          const BackupManifest& manifest) {
  for (const FileDigest& segment : manifest.segments) {
    const std::string from = absl::StrCat(request.backup, "/journal/", segment.name);
    const std::string to = absl::StrCat(request.data_dir, "/journal/", segment.name);
    ASSIGN_OR_RETURN(const FileDigest copied, CopyFile(files, from, to));
    // From the copy's own bytes: what was written counts.
    ASSIGN_OR_RETURN(const FileDigest written, DigestFile(*files, to));
    if (written == segment && copied == segment) continue;
    return absl::DataLossError(
        absl::StrCat(from, ": ", written.bytes, " bytes with SHA-256 ", written.sha256.ToHex(),
                     ", the manifest says ", segment.bytes, " with ", segment.sha256.ToHex(),
                     ": the backup is damaged, or the disk is; take another backup"));
  }
  return files->SyncDir(request.data_dir + "/journal");
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
  ASSIGN_OR_RETURN(const ledger::JournalCopy copy,
                   CopyJournal(files, source, target, /*may_be_written=*/!lock.ok()));
  BackupManifest manifest;
  ASSIGN_OR_RETURN(manifest.validator, OwnerOf(copy.journal_id, *request.genesis));
  ASSIGN_OR_RETURN(const VerifyReport report,
                   ExecuteAgain(files, target, *request.genesis, progress));
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
  RETURN_IF_ERROR(CopySegments(files, request, manifest));
  ASSIGN_OR_RETURN(const VerifyReport report,
                   ExecuteAgain(files, request.data_dir + "/journal", *request.genesis, progress));
  RETURN_IF_ERROR(CompareReport(report, manifest));
  RETURN_IF_ERROR(RecordForgotten(files, request, manifest.journal_id, &guard.durable_offset));
  // The view stays: it bounds what this validator voted for.
  RETURN_IF_ERROR(ledger::SaveRollbackGuard(files, request.guard_path, guard));
  // The last step: from here on the folder may be started.
  RETURN_IF_ERROR(files->Remove(RestoreMarker(request.data_dir)));
  RETURN_IF_ERROR(files->SyncDir(request.data_dir));
  return manifest;
}

}  // namespace vigil::node
