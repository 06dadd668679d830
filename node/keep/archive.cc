#include "node/keep/archive.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/overlay_file_system.h"
#include "node/driver/archive.h"
#include "node/driver/chain_access.h"
#include "node/driver/recovery.h"
#include "node/keep/folder.h"
#include "node/log/tile_store.h"

namespace vigil::node {
namespace {

using ledger::FileSystem;
using ledger::JournalType;

// A stopped validator's folder, of which only the journal is changed.
class StoppedFolder {
 public:
  StoppedFolder(FileSystem* files, const ArchiveRequest& request)
      : files_(files), request_(request), overlay_(files) {}

  absl::Status Open() {
    RETURN_IF_ERROR(OpenJournalHere());
    RETURN_IF_ERROR(OpenDerived());
    limit_.Lower(scan_.committed, "the blocks above are not known to be committed");
    RETURN_IF_ERROR(LimitBySnapshot());
    RETURN_IF_ERROR(LimitByDetector());
    return LimitByLog();
  }

  absl::StatusOr<ArchiveReport> Run() {
    ArchiveReport report;
    std::optional<ledger::BaseFrame> base = scan_.base_frame;
    if (base.has_value() && journal_->reader()->begin().offset < base->base_offset) {
      ASSIGN_OR_RETURN(report.bytes, DropArchived(place_, base->base_offset));
    }
    for (;;) {
      ASSIGN_OR_RETURN(report.journal_bytes, JournalFileBytes(*files_, place_.journal));
      report.base = base.has_value() ? base->block.height : Height(0);
      if (report.journal_bytes <= request_.journal_bytes_max) return report;
      ASSIGN_OR_RETURN(const std::optional<ArchivedStep> step,
                       ArchiveOldest(place_, source_, {.base = base, .height_max = limit_.height}));
      if (!step.has_value()) {
        report.held_back =
            absl::StrCat("blocks up to ", limit_.height.value(), " could leave: ", limit_.why,
                         "; and the last segment stays");
        return report;
      }
      RETURN_IF_ERROR(WriteBase(step->base));
      base = step->base;
      ASSIGN_OR_RETURN(const uint64_t bytes, DropArchived(place_, base->base_offset));
      report.segments += step->segments;
      report.bytes += bytes;
    }
  }

 private:
  absl::Status OpenJournalHere() {
    place_ = {.files = files_,
              .journal = request_.data_dir + "/journal",
              .archive = request_.archive,
              .genesis_file = request_.genesis_file,
              .genesis = request_.genesis,
              .journal_id = {},
              .reader = nullptr,
              .may_begin_anew = true,
              .rewriting = nullptr};
    absl::Status damage;
    // Looked at first: opening for writing cuts a torn end, and the next start would not know.
    RETURN_IF_ERROR(
        ledger::OpenJournalForReading(files_, place_.journal, &damage, &place_.journal_id)
            .status());
    if (absl::IsAborted(damage)) {
      return absl::FailedPreconditionError(absl::StrCat(
          damage.message(), "; start the validator once, which sees to it, and stop it"));
    }
    if (!damage.ok()) return Annotate(damage, "nothing was changed");
    RETURN_IF_ERROR(OwnerOf(place_.journal_id, *request_.genesis).status());
    ASSIGN_OR_RETURN(const ledger::RollbackGuard guard,
                     ledger::LoadRollbackGuard(files_, request_.guard_path));
    ledger::JournalOpenReport opened;
    ASSIGN_OR_RETURN(journal_,
                     ledger::Journal::Open(files_, place_.journal, place_.journal_id,
                                           guard.durable_offset, request_.journal, &opened));
    reader_ = journal_->reader();
    place_.reader = reader_.get();
    ASSIGN_OR_RETURN(scan_, ScanJournal(*request_.genesis, *reader_));
    const bool never_voted = scan_.joined && !scan_.has_voted;
    if (scan_.vote.empty() || scan_.cosigned == CosignGuard() || never_voted) {
      return absl::FailedPreconditionError(absl::StrCat(
          request_.data_dir,
          ": this validator has not voted and cosigned yet, so there is nothing to archive"));
    }
    return absl::OkStatus();
  }

  absl::Status OpenDerived() {
    const std::string directory = request_.data_dir + "/state";
    if (!files_->Exists(directory)) return NotThere(directory);
    ASSIGN_OR_RETURN(state_, ledger::OpenLevelDbStore(&overlay_, directory, {}));
    chain_ = std::make_unique<ledger::ChainReader>(
        std::shared_ptr<const ledger::StoreReader>(state_->Snapshot()));
    source_.chain = chain_.get();
    ASSIGN_OR_RETURN(tip_, chain_->GetTip());
    RETURN_IF_ERROR(CheckStateOnChain(tip_, scan_));
    access_ = std::make_unique<ChainAccess>(state_.get(), reader_, &cache_, tip_,
                                            /*recent_bytes_max=*/1);
    source_.load_block = [this](Height height) { return access_->LoadBlock(height); };
    const std::string log = request_.data_dir + "/log";
    if (!files_->Exists(log)) return NotThere(log);
    ASSIGN_OR_RETURN(tiles_, TileStore::Open(&overlay_, log));
    if (!tiles_->damage().empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          tiles_->damage(), "; start the validator, which makes the tiles again, and stop it"));
    }
    source_.tiles = tiles_.get();
    absl::StatusOr<std::string> note = tiles_->ReadCheckpoint();
    if (absl::IsNotFound(note.status())) {
      return absl::FailedPreconditionError(
          "no checkpoint is final yet, so there is nothing to archive");
    }
    RETURN_IF_ERROR(note.status());
    source_.checkpoint = *std::move(note);
    return absl::OkStatus();
  }

  absl::Status NotThere(const std::string& directory) const {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, ": not there; start the validator, which makes it, and stop it"));
  }

  // State that is lost begins again at a snapshot whose digest a committed header carries.
  absl::Status LimitBySnapshot() {
    SnapshotFolder folder(&overlay_, request_.data_dir + "/snapshots", request_.genesis, &scan_,
                          &log_);
    Height newest(0);
    for (auto carrier = scan_.snapshots.rbegin(); carrier != scan_.snapshots.rend(); ++carrier) {
      if (carrier->first > scan_.committed || newest > Height(0)) continue;
      ASSIGN_OR_RETURN(const auto mark, folder.Check(carrier->second.height));
      if (mark.has_value()) newest = mark->height;
    }
    limit_.Lower(newest, "state could not be built again above the newest agreed snapshot");
    return absl::OkStatus();
  }

  absl::Status LimitByDetector() {
    const absl::StatusOr<Height> from =
        StoredDetectorRestart(files_, request_.data_dir, *request_.genesis);
    // Above a base, none runs unless it can go on from there.
    const bool may_be_gone = scan_.base.id.height > Height(0);
    if (!from.ok()) return may_be_gone ? absl::OkStatus() : from.status();
    if (may_be_gone && *from <= scan_.base.id.height) return absl::OkStatus();
    limit_.Lower(from->Previous(), "the detector's windows reach back to there");
    return absl::OkStatus();
  }

  absl::Status LimitByLog() {
    ASSIGN_OR_RETURN(const ledger::SignedCheckpoint signed_checkpoint,
                     ledger::DecodeSignedCheckpoint(source_.checkpoint));
    const uint64_t size = signed_checkpoint.checkpoint.size;
    if (size == 0 || size > tiles_->tree().size()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the checkpoint is of size ", size, ", the log's files hold ",
                       tiles_->tree().size(), " leaves; start the validator and stop it cleanly"));
    }
    ASSIGN_OR_RETURN(const ledger::BlockInfo final, chain_->BlockOfRecord(RecordIndex(size - 1)));
    limit_.Lower(final.height, "the blocks above are not final");
    limit_.Lower(tiles_->saved().height, "the log's files are not on disk beyond");
    return absl::OkStatus();
  }

  // The promises first, as node/driver/journal_writer.h does it.
  absl::Status WriteBase(const ledger::BaseFrame& base) {
    RETURN_IF_ERROR(journal_->Append(JournalType::kVote, AsBytes(scan_.vote)).status());
    const std::string guard = EncodeCosignGuard(scan_.cosigned);
    RETURN_IF_ERROR(journal_->Append(JournalType::kCosigned, AsBytes(guard)).status());
    const std::string body = ledger::EncodeBaseFrame(base);
    RETURN_IF_ERROR(journal_->Append(JournalType::kBase, AsBytes(body)).status());
    return journal_->Sync();
  }

  FileSystem* const files_;
  const ArchiveRequest& request_;
  ledger::OverlayFileSystem overlay_;
  const LogFunction log_ = [](LogLevel, absl::string_view, absl::string_view) {};
  ArchivePlace place_;
  ArchiveSource source_;
  ArchiveLimit limit_;
  std::unique_ptr<ledger::Journal> journal_;
  std::shared_ptr<const ledger::JournalReader> reader_;  // Of the journal; shared with access_.
  JournalScan scan_;
  std::unique_ptr<ledger::Store> state_;
  std::unique_ptr<ledger::ChainReader> chain_;
  ledger::Tip tip_;
  BlockCache cache_{1};
  std::unique_ptr<ChainAccess> access_;
  std::unique_ptr<TileStore> tiles_;
};

}  // namespace

absl::StatusOr<ArchiveReport> ArchiveData(FileSystem* files, const ArchiveRequest& request) {
  ASSIGN_OR_RETURN(const std::shared_ptr<void> lock, LockFolder(files, request.data_dir));
  RETURN_IF_ERROR(CheckNoRestore(*files, request.data_dir));
  StoppedFolder folder(files, request);
  RETURN_IF_ERROR(folder.Open());
  return folder.Run();
}

}  // namespace vigil::node
