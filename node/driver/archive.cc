#include "node/driver/archive.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/state/archive_manifest.h"
#include "ledger/state/journal_block.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_copy.h"
#include "ledger/storage/journal_format.h"
#include "node/log/cosign_note.h"
#include "node/log/outside_lines.h"

namespace vigil::node {
namespace {

using ledger::ArchivedSegment;
using ledger::ArchiveManifest;
using ledger::BlockInfo;
using ledger::FileDigest;
using ledger::JournalReader;
using ledger::SegmentFile;

// The places where a journal can be cut: start of a segment, and the last block before it.
struct Cut {
  uint64_t offset = 0;
  Height height;
};

std::string InArchive(const ArchivePlace& place, absl::string_view name) {
  return absl::StrCat(place.archive, "/", name);
}

uint64_t TreeSizeOf(const BlockInfo& info) {
  return info.first_index.value() + info.record_count + 1;
}

// Empty: there is none.
absl::StatusOr<std::optional<ArchiveManifest>> ReadManifest(const ArchivePlace& place) {
  const std::string path = InArchive(place, ledger::kArchiveManifestName);
  if (!place.files->Exists(path)) return std::optional<ArchiveManifest>();
  RETURN_IF_ERROR(place.files->DropCached(path));
  const absl::StatusOr<std::string> text = place.files->ReadAll(path);
  if (absl::IsNotFound(text.status())) return std::optional<ArchiveManifest>();
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(ArchiveManifest manifest, ledger::DecodeArchiveManifest(*text));
  if (manifest.genesis_hash != place.genesis->genesis_hash ||
      manifest.journal_id != place.journal_id) {
    return absl::FailedPreconditionError(absl::StrCat(
        place.archive, ": the archive of ", manifest.validator, " in network ", manifest.network,
        ", journal ", manifest.journal_id.ToHex(), ": give this validator a directory of its own"));
  }
  return std::optional<ArchiveManifest>(std::move(manifest));
}

// An auditor who has the archive alone reads it by the genesis file in it, whose hash is that of
// its exact bytes.
absl::Status CheckGenesisFile(const ArchivePlace& place) {
  const std::string path = InArchive(place, ledger::kArchiveGenesisName);
  RETURN_IF_ERROR(place.files->DropCached(path));
  ASSIGN_OR_RETURN(const std::string there, place.files->ReadAll(path));
  if (there == place.genesis_file) return absl::OkStatus();
  const absl::StatusOr<ledger::Genesis> other = ledger::ParseGenesis(there);
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": ",
                   other.ok() ? absl::StrCat("of genesis ", other->genesis_hash.ToHex(), ", not ",
                                             place.genesis->genesis_hash.ToHex())
                              : absl::StrCat("is no genesis file: ", other.status().message()),
                   ": it was altered; put this network's genesis file there"));
}

absl::StatusOr<ArchiveManifest> BeginManifest(const ArchivePlace& place) {
  ArchiveManifest manifest;
  manifest.network = place.genesis->network;
  manifest.genesis_hash = place.genesis->genesis_hash;
  manifest.journal_id = place.journal_id;
  for (const ledger::GenesisValidator& validator : place.genesis->validators) {
    if (validator.journal_id.bytes == place.journal_id.bytes) {
      manifest.validator = validator.identity();
    }
  }
  if (manifest.validator.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        place.journal, ": genesis names no validator with journal ", place.journal_id.ToHex()));
  }
  return manifest;
}

// The last block before `offset`: positions grow with heights. nullopt: no block at or behind it
// is executed yet.
absl::StatusOr<std::optional<Cut>> CutAt(const ledger::ChainReader& chain, Height base, Height tip,
                                         uint64_t offset) {
  uint64_t low = base.value();      // Lies before it,
  uint64_t high = tip.value() + 1;  // and this one behind it.
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const BlockInfo info, chain.GetBlock(Height(middle)));
    (info.position.offset < offset ? low : high) = middle;
  }
  if (high > tip.value()) return std::optional<Cut>();
  return std::optional<Cut>(Cut{.offset = offset, .height = Height(low)});
}

// Whether the chain's next block is also the first one of any branch behind the cut, as whoever
// reads from there needs it.
absl::StatusOr<bool> GoesOn(const JournalReader& reader, const ledger::ChainReader& chain,
                            const Cut& cut) {
  ASSIGN_OR_RETURN(const BlockInfo next, chain.GetBlock(cut.height.Next()));
  bool goes_on = false;
  RETURN_IF_ERROR(reader.ForEach({.offset = cut.offset}, [&](const JournalReader::Frame& frame) {
    if (!ledger::IsBlockFrame(frame.type)) return true;
    goes_on = frame.position == next.position;
    return false;
  }));
  return goes_on;
}

absl::Status Differs(const std::string& path, const FileDigest& found, const FileDigest& wanted) {
  return absl::DataLossError(absl::StrCat(path, ": ", found.bytes, " bytes with SHA-256 ",
                                          found.sha256.ToHex(), ", not ", wanted.bytes,
                                          " bytes with ", wanted.sha256.ToHex()));
}

// What the archive holds of a segment is what its manifest says.
absl::Status CheckArchived(const ArchivePlace& place, const ArchivedSegment& archived) {
  const std::string path = InArchive(place, archived.file.name);
  RETURN_IF_ERROR(place.files->DropCached(path));
  ASSIGN_OR_RETURN(const FileDigest found, DigestFile(*place.files, path));
  return found == archived.file ? absl::OkStatus() : Differs(path, found, archived.file);
}

// Copies, syncs, reads back, and checks that it is sound from end to end.
absl::StatusOr<FileDigest> CopySegment(const ArchivePlace& place, const SegmentFile& segment,
                                       uint64_t end) {
  const std::string to = InArchive(place, ledger::SegmentName(segment.start));
  // What an interruption left, or what was found altered.
  if (place.files->Exists(to)) RETURN_IF_ERROR(place.files->Remove(to));
  absl::StatusOr<FileDigest> copied = CopyFile(place.files, segment.path, to);
  absl::Status status = copied.status();
  if (status.ok()) status = place.files->SyncDir(place.archive);
  if (status.ok()) status = place.files->DropCached(to);
  if (status.ok()) {
    const absl::StatusOr<FileDigest> read = DigestFile(*place.files, to);
    status = read.status();
    if (status.ok() && *read != *copied) status = Differs(to, *read, *copied);
  }
  if (status.ok()) {
    const absl::StatusOr<uint64_t> sound =
        SoundEndOfSegment(*place.files, {.start = segment.start, .path = to}, place.journal_id);
    status = sound.status();
    if (status.ok() && *sound != end) {
      status = absl::DataLossError(
          absl::StrCat(segment.path, ": damaged at offset ", *sound,
                       ", so that it is not archived; a running validator's scrub repairs it"));
    }
  }
  if (status.ok()) return copied;
  // Room that a torn copy takes is missing elsewhere.
  if (place.files->Exists(to)) (void)place.files->Remove(to);
  return status;
}

class Archiving {
 public:
  Archiving(const ArchivePlace& place, const ArchiveSource& source, const ArchiveBounds& bounds)
      : place_(place), source_(source), bounds_(bounds) {}

  absl::StatusOr<std::optional<ArchivedStep>> Run() {
    ASSIGN_OR_RETURN(segments_, ListSegments(*place_.files, place_.journal));
    ASSIGN_OR_RETURN(const ledger::Tip tip, source_.chain->GetTip());
    tip_ = tip.height;
    ASSIGN_OR_RETURN(const std::optional<Cut> cut, FindCut());
    if (!cut.has_value()) return std::optional<ArchivedStep>();
    RETURN_IF_ERROR(OpenArchive());
    ArchivedStep step;
    for (size_t i = 0; i + 1 < segments_.size() && segments_[i].start < cut->offset; ++i) {
      RETURN_IF_ERROR(Keep(segments_[i], segments_[i + 1].start));
      ++step.segments;
      ASSIGN_OR_RETURN(const uint64_t bytes, place_.files->Size(segments_[i].path));
      step.bytes += bytes;
    }
    RETURN_IF_ERROR(AddCheckpoint());
    RETURN_IF_ERROR(place_.files->WriteAtomically(InArchive(place_, ledger::kArchiveManifestName),
                                                  AsBytes(EncodeArchiveManifest(manifest_))));
    ASSIGN_OR_RETURN(step.base, BaseAt(*cut));
    return std::optional<ArchivedStep>(std::move(step));
  }

 private:
  // The first place behind the base where the journal can be cut.
  absl::StatusOr<std::optional<Cut>> FindCut() const {
    for (size_t i = 1; i < segments_.size(); ++i) {
      if (segments_[i].start <= bounds_.base_offset()) continue;
      ASSIGN_OR_RETURN(const std::optional<Cut> cut,
                       CutAt(*source_.chain, bounds_.base_height(), tip_, segments_[i].start));
      if (!cut.has_value() || cut->height > bounds_.height_max) return std::optional<Cut>();
      if (cut->height == Height(0)) continue;
      ASSIGN_OR_RETURN(const bool goes_on, GoesOn(*place_.reader, *source_.chain, *cut));
      if (goes_on) return cut;
    }
    return std::optional<Cut>();
  }

  absl::Status OpenArchive() {
    RETURN_IF_ERROR(place_.files->MakeDirs(place_.archive));
    ASSIGN_OR_RETURN(std::optional<ArchiveManifest> manifest, ReadManifest(place_));
    const bool is_begun = manifest.has_value();
    if (!is_begun) {
      RETURN_IF_ERROR(CheckIsNoJournal());
      if (segments_.front().start > 0 && !place_.may_begin_anew) {
        return absl::FailedPreconditionError(absl::StrCat(
            place_.archive, ": holds no archive, but this journal begins at offset ",
            segments_.front().start,
            ": is the volume mounted? A new directory begins with: vigild data archive"));
      }
      ASSIGN_OR_RETURN(manifest_, BeginManifest(place_));
    } else {
      manifest_ = *std::move(manifest);
      if (manifest_.journal_end() < segments_.front().start) {
        return absl::FailedPreconditionError(absl::StrCat(
            place_.archive, ": ends at journal offset ", manifest_.journal_end(),
            ", the journal begins at ", segments_.front().start,
            ": what lies between was archived elsewhere; name that directory, or a new one"));
      }
    }
    const std::string genesis = InArchive(place_, ledger::kArchiveGenesisName);
    const bool is_there = place_.files->Exists(genesis);
    // Before the first manifest nothing hangs on it, and an earlier round's disk may have altered
    // it.
    if (is_there && (is_begun || CheckGenesisFile(place_).ok())) return CheckGenesisFile(place_);
    RETURN_IF_ERROR(place_.files->WriteAtomically(genesis, AsBytes(place_.genesis_file)));
    return CheckGenesisFile(place_);
  }

  // An archive has its genesis.json before its first segment. What has segments without it may be a
  // journal in use, this one's by whatever path, and copying would begin by removing them.
  absl::Status CheckIsNoJournal() const {
    if (place_.files->Exists(InArchive(place_, ledger::kArchiveGenesisName))) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::vector<SegmentFile> there,
                     ListSegments(*place_.files, place_.archive));
    if (there.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(place_.archive, ": holds ", there.front().path,
                     " but is no archive: is it a journal? Name an empty directory"));
  }

  absl::Status MadeAnew(const SegmentFile& segment) const {
    return absl::FailedPreconditionError(
        absl::StrCat(place_.archive, ": what it holds does not fit ", segment.path,
                     ": it is of this journal before it was made anew, as when this validator "
                     "joined; keep it, and name a new directory"));
  }

  // Has the segment in the archive and in the manifest.
  absl::Status Keep(const SegmentFile& segment, uint64_t end) {
    const std::string name = ledger::SegmentName(segment.start);
    std::vector<ArchivedSegment>& known = manifest_.segments;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& one) { return one.file.name == name; });
    if (found == known.end()) {
      if (!known.empty() && known.back().end != segment.start) return MadeAnew(segment);
      ASSIGN_OR_RETURN(ArchivedSegment archived, Describe(segment, end));
      ASSIGN_OR_RETURN(archived.file, CopySegment(place_, segment, end));
      known.push_back(std::move(archived));
      return absl::OkStatus();
    }
    // A journal that is made anew counts from 0 again, and its segments have old names.
    if (found->end != end) return MadeAnew(segment);
    if (end > bounds_.base_offset()) {
      ASSIGN_OR_RETURN(const ArchivedSegment here, Describe(segment, end));
      if (found->first != here.first || found->last != here.last) return MadeAnew(segment);
    }
    // An earlier round got so far. What has been altered since is copied again while it can be.
    const absl::Status sound = CheckArchived(place_, *found);
    if (absl::IsDataLoss(sound) || absl::IsNotFound(sound)) {
      ASSIGN_OR_RETURN(found->file, CopySegment(place_, segment, end));
      return absl::OkStatus();
    }
    return sound;
  }

  absl::StatusOr<ArchivedSegment> Describe(const SegmentFile& segment, uint64_t end) const {
    ArchivedSegment archived;
    archived.end = end;
    Cut from{.offset = segment.start, .height = bounds_.base_height()};
    if (segment.start > bounds_.base_offset()) {
      ASSIGN_OR_RETURN(const std::optional<Cut> cut,
                       CutAt(*source_.chain, bounds_.base_height(), tip_, segment.start));
      VIGIL_CHECK(cut.has_value(), "a cut before a later one");
      from = *cut;
    }
    ASSIGN_OR_RETURN(const std::optional<Cut> to,
                     CutAt(*source_.chain, bounds_.base_height(), tip_, end));
    VIGIL_CHECK(to.has_value(), "a cut before a later one");
    if (to->height > from.height) {
      archived.first = from.height.Next();
      archived.last = to->height;
    }
    if (to->height > Height(0)) {
      ASSIGN_OR_RETURN(const BlockInfo info, source_.chain->GetBlock(to->height));
      archived.tree_size = TreeSizeOf(info);
    }
    return archived;
  }

  // The checkpoint that covers the archived blocks, and that they are a prefix of it.
  absl::Status AddCheckpoint() {
    const ledger::LogKeys keys = ledger::LogKeysOf(*place_.genesis);
    ASSIGN_OR_RETURN(const Cosigned cosigned,
                     CheckCosigned(keys, WithoutOutsideLines(keys, source_.checkpoint)));
    const ledger::Checkpoint& checkpoint = cosigned.begin()->second.checkpoint;
    const uint64_t size = manifest_.segments.back().tree_size;
    if (size == 0 || size > checkpoint.size) {
      return absl::FailedPreconditionError(absl::StrCat("the newest final checkpoint is of size ",
                                                        checkpoint.size,
                                                        ", the archived blocks end at ", size));
    }
    ASSIGN_OR_RETURN(const Hash root, RootFromTiles(*source_.tiles, size));
    ASSIGN_OR_RETURN(manifest_.consistency,
                     ConsistencyFromTiles(*source_.tiles, size, checkpoint.size));
    const absl::Status consistent = ledger::VerifyConsistency(
        size, checkpoint.size, root, checkpoint.root, manifest_.consistency);
    if (!consistent.ok()) {
      return absl::DataLossError(
          absl::StrCat("the log's files do not bear out the checkpoint: ", consistent.message()));
    }
    manifest_.checkpoint = source_.checkpoint;
    return place_.files->WriteAtomically(InArchive(place_, ledger::kArchiveCheckpointName),
                                         AsBytes(source_.checkpoint));
  }

  absl::StatusOr<ledger::BaseFrame> BaseAt(const Cut& cut) const {
    ledger::BaseFrame base;
    if (cut.height == bounds_.base_height()) {
      base = *bounds_.base;
    } else {
      ASSIGN_OR_RETURN(const BlockInfo info, source_.chain->GetBlock(cut.height));
      ASSIGN_OR_RETURN(const ledger::BlockPtr block, source_.load_block(cut.height));
      base.block = {.height = info.height, .view = info.view, .hash = info.hash};
      base.executed_in_header = block->header().executed_height;
      base.time_unix_millis = info.time_unix_millis;
      base.tree_size = TreeSizeOf(info);
      ASSIGN_OR_RETURN(base.tree_root, RootFromTiles(*source_.tiles, base.tree_size));
      base.seal_leaf = info.seal_leaf;
      base.state_digest = info.state_digest;
    }
    base.base_offset = cut.offset;
    return base;
  }

  const ArchivePlace& place_;
  const ArchiveSource& source_;
  const ArchiveBounds& bounds_;
  Height tip_;
  std::vector<SegmentFile> segments_;
  ArchiveManifest manifest_;
};

}  // namespace

absl::StatusOr<std::optional<ArchivedStep>> ArchiveOldest(const ArchivePlace& place,
                                                          const ArchiveSource& source,
                                                          const ArchiveBounds& bounds) {
  Mutex unshared;
  MutexLock lock(place.rewriting == nullptr ? &unshared : place.rewriting);
  return Archiving(place, source, bounds).Run();
}

absl::StatusOr<uint64_t> DropArchived(const ArchivePlace& place, uint64_t base_offset) {
  Mutex unshared;
  MutexLock lock(place.rewriting == nullptr ? &unshared : place.rewriting);
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments,
                   ListSegments(*place.files, place.journal));
  ASSIGN_OR_RETURN(const std::optional<ArchiveManifest> manifest, ReadManifest(place));
  const bool drops = segments.size() > 1 && segments[1].start <= base_offset;
  if (drops && manifest.has_value()) RETURN_IF_ERROR(CheckGenesisFile(place));
  uint64_t dropped = 0;
  for (size_t i = 0; i + 1 < segments.size() && segments[i + 1].start <= base_offset; ++i) {
    const ArchivedSegment* const archived =
        manifest.has_value() ? manifest->Find(ledger::SegmentName(segments[i].start)) : nullptr;
    if (archived == nullptr || archived->end != segments[i + 1].start) {
      return absl::FailedPreconditionError(absl::StrCat(segments[i].path, ": not in the archive ",
                                                        place.archive, ", so that it stays"));
    }
    RETURN_IF_ERROR(CheckArchived(place, *archived));
    ASSIGN_OR_RETURN(const uint64_t bytes, place.files->Size(segments[i].path));
    place.reader->Forget(segments[i + 1].start);
    absl::Status removed = place.files->Remove(segments[i].path);
    // Before the next one: a journal with a gap is one that lost something.
    if (removed.ok()) removed = place.files->SyncDir(place.journal);
    if (!removed.ok()) return absl::AbortedError(removed.message());
    dropped += bytes;
  }
  return dropped;
}

absl::StatusOr<uint64_t> JournalFileBytes(const ledger::FileSystem& files,
                                          const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(files, directory));
  uint64_t bytes = 0;
  for (const SegmentFile& segment : segments) {
    ASSIGN_OR_RETURN(const uint64_t size, files.Size(segment.path));
    bytes += size;
  }
  return bytes;
}

}  // namespace vigil::node
