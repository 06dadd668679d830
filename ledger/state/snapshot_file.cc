#include "ledger/state/snapshot_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {

namespace {

constexpr absl::string_view kSuffix = ".snapshot";
constexpr absl::string_view kTemporarySuffix = ".tmp";
constexpr size_t kHeightDigits = 20;

// What is wrong with our own file is damage, whatever the decoder calls it.
absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", what, "; remove the file, a later one takes its place"));
}

absl::StatusOr<SnapshotManifest> ReadManifest(const ReadFile& file, const std::string& path,
                                              uint64_t size) {
  if (size < kSnapshotFooterBytes) return Damaged(path, absl::StrCat("has only ", size, " bytes"));
  ASSIGN_OR_RETURN(const std::string footer,
                   file.Read(size - kSnapshotFooterBytes, kSnapshotFooterBytes));
  const absl::StatusOr<uint64_t> bytes = SnapshotBytesOfFooter(AsBytes(footer));
  if (!bytes.ok()) return Damaged(path, bytes.status().message());
  const uint64_t manifest_bytes = SnapshotChunkCount(*bytes) * Hash::size() + kSnapshotFooterBytes;
  if (*bytes + manifest_bytes != size) {
    return Damaged(path,
                   absl::StrCat("has ", size, " bytes, its footer says ", *bytes + manifest_bytes));
  }
  ASSIGN_OR_RETURN(const std::string encoded, file.Read(*bytes, manifest_bytes));
  absl::StatusOr<SnapshotManifest> manifest = DecodeSnapshotManifest(AsBytes(encoded));
  if (!manifest.ok()) return Damaged(path, manifest.status().message());
  return manifest;
}

}  // namespace

std::string SnapshotPath(const std::string& directory, Height height) {
  return absl::StrCat(directory, "/", absl::StrFormat("%020d", height.value()), kSuffix);
}

std::optional<Height> SnapshotHeightOfName(absl::string_view name) {
  uint64_t height = 0;
  if (!absl::ConsumeSuffix(&name, kSuffix) || name.size() != kHeightDigits ||
      !std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isdigit(c); }) ||
      !absl::SimpleAtoi(name, &height)) {
    return std::nullopt;
  }
  return Height(height);
}

absl::StatusOr<std::vector<Height>> ListSnapshots(const FileSystem& files,
                                                  const std::string& directory) {
  std::vector<Height> heights;
  const absl::StatusOr<std::vector<std::string>> names = files.List(directory);
  if (absl::IsNotFound(names.status())) return heights;
  RETURN_IF_ERROR(names.status());
  for (const std::string& name : *names) {
    const std::optional<Height> height = SnapshotHeightOfName(name);
    if (height.has_value()) heights.push_back(*height);
  }
  return heights;
}

absl::StatusOr<std::unique_ptr<SnapshotFile>> SnapshotFile::Open(const FileSystem* files,
                                                                 const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<ReadFile> opened, files->OpenRead(path));
  ASSIGN_OR_RETURN(const uint64_t size, files->Size(path));
  ASSIGN_OR_RETURN(SnapshotManifest manifest, ReadManifest(*opened, path, size));
  std::unique_ptr<SnapshotFile> file(
      new SnapshotFile(std::move(opened), path, std::move(manifest)));
  ASSIGN_OR_RETURN(const std::string first, file->ReadChunk(0));
  absl::StatusOr<SnapshotHead> head = DecodeSnapshotHead(AsBytes(first));
  if (!head.ok()) return Damaged(path, head.status().message());
  file->head_ = *std::move(head);
  if (file->head_.chain_id != file->manifest_.chain_id ||
      file->head_.tip.height != file->manifest_.height) {
    return Damaged(path, absl::StrCat("the manifest is of height ", file->manifest_.height.value(),
                                      " of chain ", file->manifest_.chain_id.ToHex(),
                                      ", the chunks are of height ", file->head_.tip.height.value(),
                                      " of chain ", file->head_.chain_id.ToHex()));
  }
  return file;
}

absl::StatusOr<std::string> SnapshotFile::ReadChunk(uint32_t index) const {
  const size_t size = manifest_.ChunkBytes(index);
  ASSIGN_OR_RETURN(std::string chunk, file_->Read(uint64_t{index} * kSnapshotChunkBytes, size));
  const absl::Status sound = CheckSnapshotChunk(manifest_, index, AsBytes(chunk));
  if (!sound.ok()) return Damaged(path_, sound.message());
  return chunk;
}

absl::Status SnapshotFile::CheckAll() const {
  for (uint32_t i = 0; i < manifest_.chunks.size(); ++i) {
    RETURN_IF_ERROR(ReadChunk(i).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SnapshotFileWriter>> SnapshotFileWriter::Create(
    FileSystem* files, const std::string& path) {
  const std::string temporary = absl::StrCat(path, kTemporarySuffix);
  if (files->Exists(temporary)) RETURN_IF_ERROR(files->Remove(temporary));
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, files->OpenAppend(temporary));
  return std::unique_ptr<SnapshotFileWriter>(new SnapshotFileWriter(files, path, std::move(file)));
}

absl::Status SnapshotFileWriter::Append(ByteSpan chunk) { return file_->Append(chunk); }

absl::Status SnapshotFileWriter::Finish(const SnapshotManifest& manifest) {
  if (file_->size() != manifest.bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        path_, ": ", file_->size(), " bytes were appended, the manifest says ", manifest.bytes));
  }
  RETURN_IF_ERROR(file_->Append(AsBytes(EncodeSnapshotManifest(manifest))));
  RETURN_IF_ERROR(file_->Sync());
  file_.reset();
  RETURN_IF_ERROR(files_->Rename(absl::StrCat(path_, kTemporarySuffix), path_));
  return files_->SyncDir(path_.substr(0, path_.rfind('/')));
}

}  // namespace vigil::ledger
