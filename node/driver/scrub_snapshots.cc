// Scrubber's last part of a pass: the snapshots, chunk by chunk against their manifests.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "node/driver/scrubber.h"

namespace vigil::node {

void Scrubber::BeginSnapshots() {
  snapshots_.clear();
  snapshot_ = nullptr;
  phase_ = Phase::kSnapshots;
  const absl::StatusOr<std::vector<Height>> heights =
      ledger::ListSnapshots(*ports_.files, options_.snapshot_directory);
  if (heights.ok()) {
    snapshots_.assign(heights->begin(), heights->end());
  } else {
    CannotRead(options_.snapshot_directory, heights.status());
  }
}

// A chunk of the snapshot at hand. One that is not there any more made room for a newer one.
void Scrubber::ReadSnapshots() {
  if (snapshots_.empty()) {
    EndPass();
    return;
  }
  const std::string path = ledger::SnapshotPath(options_.snapshot_directory, snapshots_.front());
  absl::Status status;
  if (snapshot_ == nullptr) {
    absl::StatusOr<std::unique_ptr<ledger::SnapshotFile>> file =
        ledger::SnapshotFile::Open(ports_.files, path);
    status = file.status();
    if (file.ok()) snapshot_ = *std::move(file);
    next_chunk_ = 0;
  }
  if (status.ok() && next_chunk_ < snapshot_->manifest().chunks.size()) {
    const absl::StatusOr<std::string> chunk = snapshot_->ReadChunk(next_chunk_++);
    status = chunk.status();
    if (chunk.ok()) {
      Pay(chunk->size());
      return;
    }
  }
  snapshot_ = nullptr;
  snapshots_.pop_front();
  if (absl::IsDataLoss(status)) {
    DropSnapshot(path, status.message());
  } else if (!status.ok() && !absl::IsNotFound(status)) {
    CannotRead(path, status);
  }
}

void Scrubber::CannotRead(absl::string_view path, const absl::Status& why) {
  Unrepaired(1, absl::StrCat(path, " cannot be read: ", why.message(), ": see to the disk"));
}

void Scrubber::DropSnapshot(const std::string& path, absl::string_view why) {
  Tell(LogLevel::kError, absl::StrCat("snapshot ", path,
                                      " was damaged on disk and is removed; the next one takes "
                                      "its place: check the disk: ",
                                      why));
  const absl::Status removed = ports_.files->Remove(path);
  if (!removed.ok() && !absl::IsNotFound(removed)) {
    // A failed change is latched, as everywhere.
    ports_.fatal->Fail(Annotate(removed, "scrub of the snapshots"));
    return;
  }
  MutexLock lock(&mutex_);
  ++state_.damaged;
  ++state_.repaired;
}

}  // namespace vigil::node
