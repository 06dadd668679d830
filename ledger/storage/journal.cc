#include "ledger/storage/journal.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_format.h"
#include "ledger/storage/journal_reader.h"

namespace vigil::ledger {
namespace {

// A larger group is written in several pieces (and still synced once), so that memory stays
// bounded.
constexpr size_t kBufferBytesMax = 8 * 1024 * 1024;

class SegmentedJournal final : public Journal {
 public:
  // `file` is open at the end of the journal's last segment, which started at `segment_start`.
  SegmentedJournal(FileSystem* files, std::string directory, const JournalId& id,
                   const JournalOptions& options, std::shared_ptr<void> lock,
                   std::unique_ptr<AppendFile> file, const JournalCheck& check)
      : files_(files),
        directory_(std::move(directory)),
        journal_id_(id),
        options_(options),
        lock_(std::move(lock)),
        reader_(std::make_shared<SegmentedReader>(files, check)),
        file_(std::move(file)),
        segment_start_(check.segments.back().start),
        end_(check.end),
        durable_offset_(check.end) {}

  absl::StatusOr<JournalPosition> Append(JournalType type, ByteSpan body) override {
    RETURN_IF_ERROR(error_);
    if (body.size() > options_.frame_bytes_max) {
      return absl::InvalidArgumentError(absl::StrCat("journal frame of ", body.size(),
                                                     " bytes, at most ", options_.frame_bytes_max));
    }
    // Only between groups: what lies before a segment is durable.
    const uint64_t bytes = end_ - segment_start_;
    const bool is_full = bytes >= options_.segment_bytes || (close_wanted_ && bytes > 0);
    if (end_ == durable_offset_ && is_full) {
      RETURN_IF_ERROR(Latched(BeginSegment()));
    }
    const JournalPosition position{.offset = end_};
    const size_t buffered = buffer_.size();
    AppendFrame(journal_id_, {.type = type, .offset = end_, .synced_up_to = durable_offset_}, body,
                &buffer_);
    end_ += buffer_.size() - buffered;
    if (type == JournalType::kBase) unsynced_base_ = position;
    if (buffer_.size() >= kBufferBytesMax) RETURN_IF_ERROR(Latched(WriteBuffer()));
    return position;
  }

  absl::Status Sync() override {
    RETURN_IF_ERROR(error_);
    if (end_ == durable_offset_) return absl::OkStatus();
    RETURN_IF_ERROR(Latched(WriteBuffer()));
    RETURN_IF_ERROR(Latched(file_->Sync()));
    durable_offset_ = end_;
    reader_->SetEnd(end_);
    if (unsynced_base_.has_value()) reader_->SetBase(*std::exchange(unsynced_base_, std::nullopt));
    return absl::OkStatus();
  }

  void CloseSegment() override { close_wanted_ = true; }
  uint64_t durable_offset() const override { return durable_offset_; }
  std::shared_ptr<const JournalReader> reader() const override { return reader_; }

 private:
  // Remembers the first error for good: what is on disk is unknown from then on.
  absl::Status Latched(absl::Status status) {
    if (!status.ok()) error_ = status;
    return status;
  }

  absl::Status WriteBuffer() {
    if (buffer_.empty()) return absl::OkStatus();
    const absl::Status written = file_->Append(AsBytes(buffer_));
    if (written.ok()) {
      buffer_.clear();
    } else {
      CutGroup();
    }
    return written;
  }

  // Nothing of a group that could not be written was promised. Without what reached the disk of it
  // the next opening finds a clean end, and not a torn one for which it would lose its vote: disks
  // of equal size fill up together. When this fails too, the tail is what it is.
  void CutGroup() {
    const std::string path = absl::StrCat(directory_, "/", SegmentName(segment_start_));
    (void)files_->Truncate(path, kSegmentHeaderBytes + durable_offset_ - segment_start_);
  }

  // The header is durable before the name is, so a damaged one is never the mark of a crash.
  absl::Status BeginSegment() {
    const SegmentFile segment{.start = end_,
                              .path = absl::StrCat(directory_, "/", SegmentName(end_))};
    RETURN_IF_ERROR(files_->WriteAtomically(
        segment.path, AsBytes(EncodeSegmentHeader({.journal_id = journal_id_, .start = end_}))));
    ASSIGN_OR_RETURN(file_, files_->OpenAppend(segment.path));
    segment_start_ = end_;
    close_wanted_ = false;
    reader_->AddSegment(segment);
    return absl::OkStatus();
  }

  FileSystem* const files_;
  const std::string directory_;
  const JournalId journal_id_;
  const JournalOptions options_;
  const std::shared_ptr<void> lock_;
  const std::shared_ptr<SegmentedReader> reader_;  // Shared with whoever asked for reader().
  std::unique_ptr<AppendFile> file_;
  uint64_t segment_start_;
  uint64_t end_;             // Of what was appended.
  uint64_t durable_offset_;  // Of what was synced.
  std::string buffer_;       // Appended and not yet written.
  bool close_wanted_ = false;
  std::optional<JournalPosition> unsynced_base_;
  absl::Status error_;
};

absl::Status Missing(const std::string& directory) {
  return absl::DataLossError(absl::StrCat("journal ", directory, " is missing"));
}

}  // namespace

absl::Status Journal::Create(FileSystem* files, const std::string& directory, const JournalId& id) {
  RETURN_IF_ERROR(files->MakeDirs(directory));
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(*files, directory));
  if (!segments.empty()) {
    return absl::AlreadyExistsError(absl::StrCat("journal segment ", segments.front().path));
  }
  return files->WriteAtomically(absl::StrCat(directory, "/", SegmentName(0)),
                                AsBytes(EncodeSegmentHeader({.journal_id = id, .start = 0})));
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(
    FileSystem* files, const std::string& directory, const JournalId& id,
    uint64_t durable_offset_min, const JournalOptions& options, JournalOpenReport* report) {
  *report = JournalOpenReport();
  if (!files->Exists(directory)) return Missing(directory);
  ASSIGN_OR_RETURN(std::shared_ptr<void> lock, files->Lock(absl::StrCat(directory, "/LOCK")));
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(*files, directory));
  if (segments.empty()) return Missing(directory);

  // A process that was killed may have left frames and a segment's name in the system's memory
  // only. They become durable first and are read afterwards, so what is found sound is also safe.
  const std::string& last = segments.back().path;
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, files->OpenAppend(last));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(files->SyncDir(directory));

  ASSIGN_OR_RETURN(const JournalCheck check, CheckJournal(*files, directory, id));
  if (absl::IsDataLoss(check.damage)) return check.damage;
  if (check.end < durable_offset_min) {
    return absl::DataLossError(absl::StrCat(
        "journal segment ", check.segments.back().path, " ends at offset ", check.end,
        ", but the rollback guard says that it was durable up to ", durable_offset_min,
        ": damaged, rolled back or copied", check.damage.ok() ? "" : "; ", check.damage.message()));
  }
  if (check.torn_bytes > 0) {
    RETURN_IF_ERROR(
        files->Truncate(last, kSegmentHeaderBytes + check.end - check.segments.back().start));
    ASSIGN_OR_RETURN(file, files->OpenAppend(last));
  }
  report->durable_offset = check.end;
  report->cut_bytes = check.torn_bytes;
  report->last_group_ambiguous = check.torn_bytes > 0;
  return std::make_unique<SegmentedJournal>(files, directory, id, options, std::move(lock),
                                            std::move(file), check);
}

}  // namespace vigil::ledger
