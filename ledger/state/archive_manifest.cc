#include "ledger/state/archive_manifest.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/text.h"
#include "ledger/storage/journal_format.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kFirstLine = "vigil-archive/v1";
constexpr uint64_t kSegmentsMax = 1'000'000;
constexpr uint64_t kPathMax = 64;
constexpr size_t kSumLineBytes = 4 + 64 + 1;

template <typename Fixed>
absl::StatusOr<Fixed> ToFixed(const LineReader& lines, absl::string_view text) {
  const absl::StatusOr<Fixed> fixed = Fixed::FromHex(text);
  if (!fixed.ok() || fixed->ToHex() != text) {
    return lines.Error("lower-case hexadecimal belongs here");
  }
  return *fixed;
}

template <typename Fixed>
absl::StatusOr<Fixed> NextFixed(LineReader* lines, absl::string_view key) {
  ASSIGN_OR_RETURN(const absl::string_view text, lines->NextAfter(key));
  return ToFixed<Fixed>(*lines, text);
}

absl::StatusOr<std::string> NextText(LineReader* lines, absl::string_view key) {
  ASSIGN_OR_RETURN(const absl::string_view text, lines->NextAfter(key));
  return std::string(text);
}

absl::StatusOr<ArchivedSegment> NextSegment(LineReader* lines, const ArchiveManifest& before) {
  ASSIGN_OR_RETURN(const absl::string_view text, lines->NextAfter("segment"));
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
  const std::optional<uint64_t> start =
      parts.size() == 7 ? ParseSegmentName(parts[0]) : std::nullopt;
  if (!start.has_value()) {
    return lines->Error(
        "a segment's name, bytes, SHA-256, end, first and last height and tree size belong here");
  }
  ArchivedSegment segment;
  segment.file.name = std::string(parts[0]);
  ASSIGN_OR_RETURN(segment.file.bytes, DecodeDecimal(parts[1], UINT64_MAX));
  ASSIGN_OR_RETURN(segment.file.sha256, ToFixed<Hash>(*lines, parts[2]));
  ASSIGN_OR_RETURN(segment.end, DecodeDecimal(parts[3], UINT64_MAX));
  ASSIGN_OR_RETURN(const uint64_t first, DecodeDecimal(parts[4], UINT64_MAX));
  ASSIGN_OR_RETURN(const uint64_t last, DecodeDecimal(parts[5], UINT64_MAX));
  ASSIGN_OR_RETURN(segment.tree_size, DecodeDecimal(parts[6], UINT64_MAX));
  segment.first = Height(first);
  segment.last = Height(last);
  if (segment.end <= *start || (first == 0) != (last == 0) || first > last) {
    return lines->Error("a segment that ends before it begins");
  }
  const std::vector<ArchivedSegment>& others = before.segments;
  if (!others.empty() &&
      (others.back().end != *start || others.back().tree_size > segment.tree_size)) {
    return lines->Error(
        absl::StrCat("it begins at ", *start, ", the one before ends at ", others.back().end));
  }
  return segment;
}

absl::Status ReadFacts(LineReader* lines, ArchiveManifest* manifest) {
  ASSIGN_OR_RETURN(manifest->network, NextText(lines, "network"));
  ASSIGN_OR_RETURN(manifest->genesis_hash, NextFixed<Hash>(lines, "genesis_hash"));
  ASSIGN_OR_RETURN(manifest->validator, NextText(lines, "validator"));
  ASSIGN_OR_RETURN(manifest->journal_id, NextFixed<JournalId>(lines, "journal_id"));
  ASSIGN_OR_RETURN(const absl::string_view note, lines->NextAfter("checkpoint"));
  ASSIGN_OR_RETURN(manifest->checkpoint, DecodeBase64(note));
  ASSIGN_OR_RETURN(const uint64_t hashes, lines->NextDecimal("consistency", kPathMax));
  for (uint64_t i = 0; i < hashes; ++i) {
    ASSIGN_OR_RETURN(const Hash hash, NextFixed<Hash>(lines, "node"));
    manifest->consistency.push_back(hash);
  }
  return absl::OkStatus();
}

absl::StatusOr<ArchiveManifest> Read(LineReader* lines, absl::string_view text) {
  ASSIGN_OR_RETURN(const absl::string_view first, lines->Next());
  if (first != kFirstLine) return lines->Error(absl::StrCat("'", kFirstLine, "' belongs here"));
  ArchiveManifest manifest;
  RETURN_IF_ERROR(ReadFacts(lines, &manifest));
  ASSIGN_OR_RETURN(const uint64_t count, lines->NextDecimal("segments", kSegmentsMax));
  if (count == 0) return lines->Error("an archive of no segment");
  for (uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(ArchivedSegment segment, NextSegment(lines, manifest));
    manifest.segments.push_back(std::move(segment));
  }
  ASSIGN_OR_RETURN(const Hash sum, NextFixed<Hash>(lines, "sum"));
  if (!lines->rest().empty()) return lines->Error("more follows than the last line");
  if (Sha256(AsBytes(text.substr(0, text.size() - kSumLineBytes))) != sum) {
    return lines->Error("the sum over the lines before differs");
  }
  return manifest;
}

}  // namespace

uint64_t ArchiveManifest::journal_begin() const {
  const std::optional<uint64_t> start = ParseSegmentName(segments.front().file.name);
  VIGIL_CHECK(start.has_value(), segments.front().file.name);
  return *start;
}

const ArchivedSegment* ArchiveManifest::Find(absl::string_view name) const {
  for (const ArchivedSegment& segment : segments) {
    if (segment.file.name == name) return &segment;
  }
  return nullptr;
}

std::string EncodeArchiveManifest(const ArchiveManifest& manifest) {
  std::string text = absl::StrCat(kFirstLine, "\nnetwork ", manifest.network, "\ngenesis_hash ",
                                  manifest.genesis_hash.ToHex(), "\nvalidator ", manifest.validator,
                                  "\njournal_id ", manifest.journal_id.ToHex(), "\ncheckpoint ",
                                  absl::Base64Escape(manifest.checkpoint), "\nconsistency ",
                                  manifest.consistency.size(), "\n");
  for (const Hash& hash : manifest.consistency) absl::StrAppend(&text, "node ", hash.ToHex(), "\n");
  absl::StrAppend(&text, "segments ", manifest.segments.size(), "\n");
  for (const ArchivedSegment& segment : manifest.segments) {
    absl::StrAppend(&text, "segment ", segment.file.name, " ", segment.file.bytes, " ",
                    segment.file.sha256.ToHex(), " ");
    absl::StrAppend(&text, segment.end, " ", segment.first.value(), " ", segment.last.value(), " ",
                    segment.tree_size, "\n");
  }
  absl::StrAppend(&text, "sum ", Sha256(AsBytes(text)).ToHex(), "\n");
  return text;
}

absl::StatusOr<ArchiveManifest> DecodeArchiveManifest(absl::string_view text) {
  LineReader lines("archive manifest", text);
  absl::StatusOr<ArchiveManifest> manifest = Read(&lines, text);
  if (manifest.ok()) return manifest;
  return absl::DataLossError(manifest.status().message());
}

}  // namespace vigil::ledger
