#include "ledger/storage/journal_copy.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_format.h"

namespace vigil::ledger {
namespace {

constexpr size_t kPieceBytes = 1024 * 1024;

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Cuts what lies behind `end` off the copy's last segment, which starts at or before it.
absl::Status CutCopy(FileSystem* files, const SegmentFile& last, uint64_t end) {
  const uint64_t wanted = kSegmentHeaderBytes + end - last.start;
  ASSIGN_OR_RETURN(const uint64_t size, files->Size(last.path));
  return size == wanted ? absl::OkStatus() : files->Truncate(last.path, wanted);
}

}  // namespace

absl::StatusOr<FileDigest> CopyFile(FileSystem* files, const std::string& from,
                                    const std::string& to) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> source, files->OpenRead(from));
  return CopyOpenFile(files, *source, to);
}

absl::StatusOr<FileDigest> CopyOpenFile(FileSystem* files, const ReadFile& from,
                                        const std::string& to) {
  if (files->Exists(to)) return absl::AlreadyExistsError(absl::StrCat(to, ": is there already"));
  ASSIGN_OR_RETURN(const std::unique_ptr<AppendFile> target, files->OpenAppend(to));
  FileDigest digest{.name = NameOf(to), .bytes = 0, .sha256 = Hash()};
  Sha256Stream hash;
  for (;;) {
    ASSIGN_OR_RETURN(const std::string piece, from.Read(digest.bytes, kPieceBytes));
    if (piece.empty()) break;
    hash.Update(AsBytes(piece));
    RETURN_IF_ERROR(target->Append(AsBytes(piece)));
    digest.bytes += piece.size();
  }
  RETURN_IF_ERROR(target->Sync());
  digest.sha256 = hash.Finish();
  return digest;
}

absl::StatusOr<FileDigest> DigestFile(const FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files.OpenRead(path));
  FileDigest digest{.name = NameOf(path), .bytes = 0, .sha256 = Hash()};
  Sha256Stream hash;
  for (;;) {
    ASSIGN_OR_RETURN(const std::string piece, file->Read(digest.bytes, kPieceBytes));
    if (piece.empty()) break;
    hash.Update(AsBytes(piece));
    digest.bytes += piece.size();
  }
  digest.sha256 = hash.Finish();
  return digest;
}

absl::StatusOr<JournalCopy> CopyJournal(FileSystem* files, const std::string& from,
                                        const std::string& to, bool may_be_written) {
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(*files, from));
  if (segments.empty()) return absl::NotFoundError(absl::StrCat("no journal segment in ", from));
  for (const SegmentFile& segment : segments) {
    const absl::StatusOr<FileDigest> copied =
        CopyFile(files, segment.path, absl::StrCat(to, "/", NameOf(segment.path)));
    if (absl::IsNotFound(copied.status())) {
      return absl::AbortedError(
          absl::StrCat(segment.path,
                       ": went away while it was copied, as the validator moves old segments; "
                       "remove the copy and start again"));
    }
    RETURN_IF_ERROR(copied.status());
  }
  ASSIGN_OR_RETURN(const JournalCheck check, CheckJournal(*files, to, std::nullopt));
  if (absl::IsDataLoss(check.damage)) {
    return Annotate(check.damage, absl::StrCat("what was copied from ", from));
  }
  JournalCopy copy{.journal_id = check.journal_id,
                   .begin = segments.front().start,
                   .end = may_be_written ? check.proven_end : check.end,
                   .left_out_bytes = check.torn_bytes + check.end,
                   .segments = {}};
  copy.left_out_bytes -= copy.end;
  RETURN_IF_ERROR(CutCopy(files, check.segments.back(), copy.end));
  RETURN_IF_ERROR(files->SyncDir(to));
  for (const SegmentFile& segment : check.segments) {
    RETURN_IF_ERROR(files->DropCached(segment.path));
    ASSIGN_OR_RETURN(FileDigest digest, DigestFile(*files, segment.path));
    copy.segments.push_back(std::move(digest));
  }
  return copy;
}

}  // namespace vigil::ledger
