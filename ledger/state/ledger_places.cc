#include "ledger/state/ledger_places.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/archive_manifest.h"
#include "ledger/storage/joined_reader.h"
#include "ledger/storage/journal_check.h"
#include "ledger/storage/journal_copy.h"
#include "ledger/storage/journal_format.h"
#include "ledger/storage/journal_reader.h"

namespace vigil::ledger {

namespace {

VerifyFinding ArchiveFinding(FindingType type, uint64_t offset, absl::string_view what) {
  VerifyFinding finding;
  finding.type = type;
  finding.position = JournalPosition{.offset = offset};
  finding.what = std::string(what);
  return finding;
}

class Opener {
 public:
  Opener(FileSystem* files, const Genesis& genesis, VerifyOptions* options)
      : files_(*files), genesis_(genesis), options_(*options) {}

  absl::Status AddData(FileSystem* files, const std::string& directory) {
    JournalId id;
    ASSIGN_OR_RETURN(
        const std::shared_ptr<const JournalReader> reader,
        OpenJournalForReading(files, directory + "/journal", &options_.journal_damage, &id));
    id_ = id;
    pieces_.push_back({.range = {.begin = reader->begin().offset, .end = reader->end().offset},
                       .reader = reader});
    end_ = reader->end().offset;
    has_data_ = true;
    return absl::OkStatus();
  }

  absl::Status AddArchive(const std::string& directory) {
    const std::string path = absl::StrCat(directory, "/", kArchiveManifestName);
    ASSIGN_OR_RETURN(const std::string text, files_.ReadAll(path));
    const absl::StatusOr<ArchiveManifest> manifest = DecodeArchiveManifest(text);
    if (!manifest.ok()) {
      return absl::DataLossError(absl::StrCat(path, ": ", manifest.status().message()));
    }
    if (manifest->genesis_hash != genesis_.genesis_hash) {
      return absl::DataLossError(absl::StrCat(path, ": of the network ", manifest->network,
                                              " with genesis ", manifest->genesis_hash.ToHex(),
                                              ", not ", genesis_.genesis_hash.ToHex()));
    }
    if (id_.has_value() && *id_ != manifest->journal_id) {
      return absl::DataLossError(absl::StrCat(path, ": of journal ", manifest->journal_id.ToHex(),
                                              ", the rest is of ", id_->ToHex()));
    }
    id_ = manifest->journal_id;
    RETURN_IF_ERROR(AddSegments(directory, *manifest));
    TakeCheckpoint(*manifest);
    return absl::OkStatus();
  }

  absl::StatusOr<OpenedLedger> Finish() {
    const std::vector<JournalPiece> pieces = WithoutOverlap(pieces_);
    if (pieces.empty()) return absl::DataLossError("not one sound segment is there");
    for (const OffsetRange& gap : GapsBetween(pieces, end_)) {
      MissingOffsets missing{.range = gap, .files = {}};
      for (const Missing& segment : missing_) {
        if (segment.range.begin >= gap.end || segment.range.end <= gap.begin) continue;
        missing.files.push_back(segment.path);
        if (segment.heights.first > Height(0)) options_.absent.push_back(segment.heights);
      }
      options_.missing_offsets.push_back(std::move(missing));
    }
    return OpenedLedger{.journal = std::make_shared<const JoinedReader>(pieces),
                        .journal_id = *id_};
  }

 private:
  struct Missing {
    OffsetRange range;
    HeightRange heights;
    std::string path;
  };

  absl::Status AddSegments(const std::string& directory, const ArchiveManifest& manifest) {
    std::vector<SegmentFile> run;
    uint64_t run_end = 0;
    for (const ArchivedSegment& segment : manifest.segments) {
      const std::string path = absl::StrCat(directory, "/", segment.file.name);
      const uint64_t start = ParseSegmentName(segment.file.name).value_or(0);
      if (segment.last > Height(0)) options_.tree_sizes[segment.last] = segment.tree_size;
      if (!files_.Exists(path)) {
        missing_.push_back({.range = {.begin = start, .end = segment.end},
                            .heights = {.first = segment.first, .last = segment.last},
                            .path = path});
        RETURN_IF_ERROR(AddRun(std::exchange(run, {}), run_end));
        continue;
      }
      RETURN_IF_ERROR(CheckDigest(path, start, segment.file));
      run.push_back({.start = start, .path = path});
      run_end = segment.end;
    }
    end_ = std::max(end_, manifest.segments.back().end);
    return AddRun(std::move(run), run_end);
  }

  absl::Status CheckDigest(const std::string& path, uint64_t start, const FileDigest& expected) {
    ASSIGN_OR_RETURN(const FileDigest found, DigestFile(files_, path));
    if (found.bytes == expected.bytes && found.sha256 == expected.sha256) return absl::OkStatus();
    options_.known_findings.push_back(
        ArchiveFinding(FindingType::kArchiveDiffers, start,
                       absl::StrCat(path, ": ", found.bytes, " bytes with SHA-256 ",
                                    found.sha256.ToHex(), ", the archive's manifest says ",
                                    expected.bytes, " with ", expected.sha256.ToHex())));
    return absl::OkStatus();
  }

  // Segments that follow each other, up to `end`. What lies behind damage in one is read on from
  // the next.
  absl::Status AddRun(std::vector<SegmentFile> run, uint64_t end) {
    while (!run.empty()) {
      ASSIGN_OR_RETURN(const JournalCheck check, CheckSegments(files_, run, id_, end));
      if (check.end > run.front().start) {
        pieces_.push_back({.range = {.begin = run.front().start, .end = check.end},
                           .reader = std::make_shared<const SegmentedReader>(&files_, check)});
      }
      if (check.damage.ok()) break;
      options_.known_findings.push_back(
          ArchiveFinding(FindingType::kJournalDamaged, check.end, check.damage.message()));
      const auto next =
          std::upper_bound(run.begin(), run.end(), check.end,
                           [](uint64_t at, const SegmentFile& file) { return at < file.start; });
      run.erase(run.begin(), next);
    }
    return absl::OkStatus();
  }

  // The one that reaches furthest counts; where there is a data folder, its own comes first.
  void TakeCheckpoint(const ArchiveManifest& manifest) {
    const ArchivedSegment& last = manifest.segments.back();
    const auto highest = std::max_element(
        manifest.segments.begin(), manifest.segments.end(),
        [](const ArchivedSegment& a, const ArchivedSegment& b) { return a.last < b.last; });
    if (!has_data_) options_.committed_min = std::max(options_.committed_min, highest->last);
    if (!options_.archive_checkpoint.empty() && last.tree_size <= options_.archive_tree_size)
      return;
    options_.archive_checkpoint = manifest.checkpoint;
    options_.archive_tree_size = last.tree_size;
    options_.archive_consistency = manifest.consistency;
  }

  FileSystem& files_;
  const Genesis& genesis_;
  VerifyOptions& options_;
  std::optional<JournalId> id_;
  std::vector<JournalPiece> pieces_;  // The first that has an offset keeps it.
  std::vector<Missing> missing_;      // Named by a manifest, not there.
  uint64_t end_ = 0;                  // Up to where the journal is known to reach.
  bool has_data_ = false;
};

}  // namespace

bool IsArchive(const FileSystem& files, const std::string& directory) {
  return !files.Exists(directory + "/journal") &&
         files.Exists(absl::StrCat(directory, "/", kArchiveManifestName));
}

absl::StatusOr<OpenedLedger> OpenLedger(FileSystem* files, const Genesis& genesis,
                                        const LedgerPlaces& places, VerifyOptions* options) {
  Opener opener(files, genesis, options);
  if (!places.data_directory.empty()) {
    RETURN_IF_ERROR(opener.AddData(files, places.data_directory));
  }
  for (const std::string& archive : places.archives) {
    RETURN_IF_ERROR(opener.AddArchive(archive));
  }
  return opener.Finish();
}

}  // namespace vigil::ledger
