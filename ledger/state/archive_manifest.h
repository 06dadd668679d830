// What an archive directory holds: whole segments of one validator's journal, and what an outsider
// needs to judge them (docs/formats/archive.md). Pure.
//
// A directory is an archive if it has a file of this name. Segments that it does not list are
// copies that were never finished.
#ifndef VIGIL_LEDGER_STATE_ARCHIVE_MANIFEST_H_
#define VIGIL_LEDGER_STATE_ARCHIVE_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/journal_copy.h"

namespace vigil::ledger {

inline constexpr char kArchiveManifestName[] = "MANIFEST";
inline constexpr char kArchiveGenesisName[] = "genesis.json";
inline constexpr char kArchiveCheckpointName[] = "checkpoint";

struct ArchivedSegment {
  FileDigest file;   // As the segment was named in the journal, so that the name gives its start.
  uint64_t end = 0;  // Journal offset behind its last frame: the start of the next one.
  Height first;      // Committed blocks in it; both 0 when it holds none.
  Height last;
  uint64_t tree_size = 0;  // Of the log behind the last committed block up to `end`.
  bool operator==(const ArchivedSegment&) const = default;
};

struct ArchiveManifest {
  std::string network;
  Hash genesis_hash;
  std::string validator;  // "org/name".
  JournalId journal_id;
  // A signed note of a quorum, of the last segment's tree size or above.
  std::string checkpoint;
  // RFC 6962 consistency path from that tree size to the checkpoint's; empty when they are equal.
  std::vector<Hash> consistency;
  std::vector<ArchivedSegment> segments;  // Each begins where the one before ends.
  bool operator==(const ArchiveManifest&) const = default;

  uint64_t journal_begin() const;
  uint64_t journal_end() const { return segments.back().end; }
  // Null: it is not listed.
  const ArchivedSegment* Find(absl::string_view name) const;
};

// REQUIRES: DecodeArchiveManifest() gives it back.
std::string EncodeArchiveManifest(const ArchiveManifest& manifest);
// Errors: kDataLoss naming the line: not that text, or segments that do not follow each other.
absl::StatusOr<ArchiveManifest> DecodeArchiveManifest(absl::string_view text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_ARCHIVE_MANIFEST_H_
