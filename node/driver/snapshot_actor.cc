#include "node/driver/snapshot_actor.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {

using ledger::SnapshotBuilder;
using ledger::SnapshotFileWriter;
using ledger::SnapshotManifest;
using ledger::SnapshotMark;

SnapshotActor::SnapshotActor(const Ports& ports, std::string directory,
                             const std::optional<SnapshotMark>& known)
    : ports_(ports), directory_(std::move(directory)), known_(known) {
  if (!known.has_value()) return;
  last_taken_ = known->height;
  state_.height = known->height;
  state_.bytes = ports_.files->Size(ledger::SnapshotPath(directory_, known->height)).value_or(0);
}

void SnapshotActor::Take(Height height, std::shared_ptr<const ledger::StoreReader> store) {
  {
    MutexLock lock(&mutex_);
    VIGIL_CHECK(next_ == nullptr && height > last_taken_, "snapshot of height ", height.value(),
                " while that of ", last_taken_.value(), " is not made");
    next_ = std::move(store);
    last_taken_ = height;
  }
  signal()->Set();
}

std::optional<SnapshotMark> SnapshotActor::Find(Height height) const {
  MutexLock lock(&mutex_);
  if (!known_.has_value() || known_->height != height) return std::nullopt;
  return known_;
}

SnapshotActor::State SnapshotActor::state() const {
  MutexLock lock(&mutex_);
  return state_;
}

bool SnapshotActor::Step() {
  if (ports_.fatal->failed()) return false;
  if (builder_ == nullptr && !Begin()) return false;
  const absl::Status status = builder_ == nullptr ? absl::OkStatus() : Continue();
  if (!status.ok()) ports_.fatal->Fail(Annotate(status, "make a snapshot"));
  return true;
}

// False when there is nothing to do.
bool SnapshotActor::Begin() {
  std::shared_ptr<const ledger::StoreReader> store;
  {
    MutexLock lock(&mutex_);
    store = std::move(next_);
    next_ = nullptr;
  }
  if (store == nullptr) return false;
  absl::StatusOr<std::unique_ptr<SnapshotBuilder>> builder =
      SnapshotBuilder::Begin(std::move(store), *ports_.genesis);
  if (!builder.ok()) {
    ports_.fatal->Fail(Annotate(builder.status(), "begin a snapshot"));
    return true;
  }
  builder_ = *std::move(builder);
  absl::Status opened = ports_.files->MakeDirs(directory_);
  if (opened.ok()) {
    auto writer = SnapshotFileWriter::Create(
        ports_.files, ledger::SnapshotPath(directory_, builder_->tip().height));
    opened = writer.status();
    if (writer.ok()) writer_ = *std::move(writer);
  }
  if (!opened.ok()) Abandon(opened);
  return true;
}

absl::Status SnapshotActor::Continue() {
  ASSIGN_OR_RETURN(const bool more, builder_->Step([this](ByteSpan chunk) {
    if (writer_ == nullptr) return absl::OkStatus();
    const absl::Status appended = writer_->Append(chunk);
    if (!appended.ok()) Abandon(appended);
    return absl::OkStatus();
  }));
  if (!more && !ports_.fatal->failed()) Finish();
  return absl::OkStatus();
}

// For want of room only the file is given up: the digest needs none, and whoever wants this
// snapshot waits for the next one. Any other error of the disk ends the node.
void SnapshotActor::Abandon(const absl::Status& why) {
  writer_ = nullptr;
  if (!absl::IsResourceExhausted(why)) {
    return ports_.fatal->Fail(Annotate(why, "write a snapshot"));
  }
  {
    MutexLock lock(&mutex_);
    ++state_.failure_count;
  }
  (*ports_.log)(LogLevel::kWarning, "snapshot",
                absl::StrCat("the snapshot of height ", builder_->tip().height.value(),
                             " is not kept: ", why.message()));
}

void SnapshotActor::Finish() {
  const SnapshotManifest& manifest = builder_->manifest();
  if (writer_ != nullptr) {
    const absl::Status finished = writer_->Finish(manifest);
    if (!finished.ok()) Abandon(finished);
    if (ports_.fatal->failed()) return;
  }
  const bool kept = writer_ != nullptr;
  const uint64_t bytes =
      ports_.files->Size(ledger::SnapshotPath(directory_, manifest.height)).value_or(0);
  {
    MutexLock lock(&mutex_);
    known_ = manifest.mark();
    if (kept) {
      state_.height = manifest.height;
      state_.bytes = bytes;
    }
  }
  if (kept) {
    (*ports_.log)(LogLevel::kInfo, "snapshot",
                  absl::StrCat("height ", manifest.height.value(), ", ", bytes, " bytes, digest ",
                               manifest.digest.ToHex()));
  }
  writer_ = nullptr;
  const Height made = manifest.height;
  builder_ = nullptr;
  DropOld(made);
  ports_.on_known();
}

// What cannot be removed now is tried again the next time. Snapshots above the one just made are of
// an earlier life of this folder.
void SnapshotActor::DropOld(Height made) {
  const absl::StatusOr<std::vector<std::string>> names = ports_.files->List(directory_);
  if (!names.ok()) return;
  std::vector<std::string> kept;  // Ascending, as List() sorts.
  std::vector<std::string> old;
  for (const std::string& name : *names) {
    const std::optional<Height> height = ledger::SnapshotHeightOfName(name);
    if (absl::EndsWith(name, ".snapshot.tmp") || height > made) {
      old.push_back(name);
    } else if (height.has_value()) {
      kept.push_back(name);
    }
  }
  for (size_t i = 0; i + kSnapshotsKept < kept.size(); ++i) old.push_back(kept[i]);
  for (const std::string& name : old) {
    const absl::Status removed = ports_.files->Remove(absl::StrCat(directory_, "/", name));
    if (removed.ok()) continue;
    (*ports_.log)(LogLevel::kWarning, "snapshot",
                  absl::StrCat("an old snapshot is not removed: ", removed.message()));
  }
}

}  // namespace vigil::node
