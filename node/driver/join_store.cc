#include "node/driver/join_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/snapshot_file.h"

namespace vigil::node {

using ledger::kSnapshotChunkBytes;

absl::StatusOr<std::unique_ptr<JoinStore>> JoinStore::Open(ledger::FileSystem* files,
                                                           std::string directory,
                                                           const GoalCheck& check) {
  RETURN_IF_ERROR(files->MakeDirs(directory));
  std::unique_ptr<JoinStore> store(new JoinStore(files, std::move(directory)));
  RETURN_IF_ERROR(store->LoadGoal(check));
  if (store->goal_.has_value()) RETURN_IF_ERROR(store->LoadChunks());
  return store;
}

absl::Status JoinStore::LoadGoal(const GoalCheck& check) {
  const absl::StatusOr<std::string> bytes = files_->ReadAll(GoalPath());
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  RETURN_IF_ERROR(bytes.status());
  ByteReader reader(*bytes);
  const absl::string_view offer_bytes = AsView(reader.Prefixed(kSnapshotOfferBytesMax));
  const absl::StatusOr<SnapshotOffer> offer = DecodeOffer(offer_bytes);
  if (!reader.ok() || !offer.ok() || !check(*offer).ok()) return Forget();
  const auto manifest = ledger::DecodeSnapshotManifest(
      AsBytes(absl::string_view(*bytes).substr(sizeof(uint32_t) + offer_bytes.size())));
  if (!manifest.ok() || manifest->mark() != offer->mark) return Forget();
  goal_ = JoinGoal{.offer = *offer, .manifest = *manifest};
  return absl::OkStatus();
}

// What lies there was checked before it was written, but a disk may have lost or changed it since.
absl::Status JoinStore::LoadChunks() {
  next_chunk_ = 0;
  const absl::StatusOr<std::unique_ptr<ledger::ReadFile>> file = files_->OpenRead(ChunksPath());
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  RETURN_IF_ERROR(file.status());
  const uint64_t count = goal_->manifest.chunks.size();
  uint64_t sound = 0;
  while (next_chunk_ < count) {
    const size_t size = goal_->manifest.ChunkBytes(next_chunk_);
    ASSIGN_OR_RETURN(const std::string chunk, (*file)->Read(sound, size));
    if (!ledger::CheckSnapshotChunk(goal_->manifest, next_chunk_, AsBytes(chunk)).ok()) break;
    sound += size;
    ++next_chunk_;
  }
  ASSIGN_OR_RETURN(const uint64_t size, files_->Size(ChunksPath()));
  return size == sound ? absl::OkStatus() : files_->Truncate(ChunksPath(), sound);
}

absl::Status JoinStore::OpenChunks() {
  if (chunks_ != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(chunks_, files_->OpenAppend(ChunksPath()));
  return files_->SyncDir(directory_);
}

absl::Status JoinStore::Forget() {
  chunks_.reset();
  goal_.reset();
  next_chunk_ = 0;
  for (const std::string& path : {GoalPath(), ChunksPath()}) {
    if (files_->Exists(path)) RETURN_IF_ERROR(files_->Remove(path));
  }
  return files_->SyncDir(directory_);
}

absl::Status JoinStore::SetGoal(JoinGoal goal) {
  RETURN_IF_ERROR(Forget());
  std::string bytes;
  ByteWriter(&bytes)
      .Prefixed(EncodeOffer(goal.offer))
      .Raw(ledger::EncodeSnapshotManifest(goal.manifest));
  RETURN_IF_ERROR(files_->WriteAtomically(GoalPath(), AsBytes(bytes)));
  goal_ = std::move(goal);
  return absl::OkStatus();
}

absl::Status JoinStore::Add(ByteSpan chunks) {
  const uint64_t count = goal_->manifest.chunks.size();
  uint32_t next = next_chunk_;
  for (size_t at = 0; at < chunks.size(); ++next) {
    if (next == count) {
      return absl::InvalidArgumentError(
          absl::StrCat("chunks: ", chunks.size() - at, " bytes behind the last one"));
    }
    const size_t size = std::min(goal_->manifest.ChunkBytes(next), chunks.size() - at);
    RETURN_IF_ERROR(ledger::CheckSnapshotChunk(goal_->manifest, next, chunks.subspan(at, size)));
    at += size;
  }
  RETURN_IF_ERROR(OpenChunks());
  RETURN_IF_ERROR(chunks_->Append(chunks));
  RETURN_IF_ERROR(chunks_->Sync());
  next_chunk_ = next;
  return absl::OkStatus();
}

absl::Status JoinStore::MoveTo(const std::string& snapshots) {
  VIGIL_CHECK(complete(), "a snapshot with chunks missing");
  RETURN_IF_ERROR(OpenChunks());
  RETURN_IF_ERROR(chunks_->Append(AsBytes(ledger::EncodeSnapshotManifest(goal_->manifest))));
  RETURN_IF_ERROR(chunks_->Sync());
  chunks_.reset();
  RETURN_IF_ERROR(files_->MakeDirs(snapshots));
  RETURN_IF_ERROR(
      files_->Rename(ChunksPath(), ledger::SnapshotPath(snapshots, goal_->manifest.height)));
  RETURN_IF_ERROR(files_->SyncDir(snapshots));
  return files_->SyncDir(directory_);
}

}  // namespace vigil::node
