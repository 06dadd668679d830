// The manifest's text, as docs/formats/backup.md draws it.
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"
#include "node/keep/backup.h"

namespace vigil::node {
namespace {

constexpr absl::string_view kFirstLine = "vigil-backup/v1";
constexpr absl::string_view kFirstLineAboveBase = "vigil-backup/v2";
constexpr size_t kSegmentsMax = 1'000'000;

// Reads "<name> <value>" lines in their one order.
class LineReader {
 public:
  explicit LineReader(absl::string_view text) : rest_(text) {}

  absl::StatusOr<absl::string_view> Line() {
    ++number_;
    const size_t end = rest_.find('\n');
    if (end == absl::string_view::npos) return Bad("the line is missing or not ended");
    const absl::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }
  absl::StatusOr<absl::string_view> Value(absl::string_view name) {
    ASSIGN_OR_RETURN(absl::string_view line, Line());
    if (line.substr(0, name.size()) != name || line.size() <= name.size() ||
        line[name.size()] != ' ') {
      return Bad(absl::StrCat("'", name, " ...' belongs here"));
    }
    line.remove_prefix(name.size() + 1);
    return line;
  }
  absl::StatusOr<uint64_t> Number(absl::string_view name) {
    ASSIGN_OR_RETURN(const absl::string_view text, Value(name));
    return ToNumber(text);
  }
  absl::StatusOr<uint64_t> ToNumber(absl::string_view text) const {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(text, &number) || absl::StrCat(number) != text) {
      return Bad("a decimal number belongs here");
    }
    return number;
  }
  template <typename Fixed>
  absl::StatusOr<Fixed> FixedHex(absl::string_view name) {
    ASSIGN_OR_RETURN(const absl::string_view text, Value(name));
    return ToFixed<Fixed>(text);
  }
  template <typename Fixed>
  absl::StatusOr<Fixed> ToFixed(absl::string_view text) const {
    const absl::StatusOr<Fixed> fixed = Fixed::FromHex(text);
    if (!fixed.ok() || fixed->ToHex() != text) return Bad("lower-case hexadecimal belongs here");
    return *fixed;
  }
  absl::StatusOr<ledger::FileDigest> File(absl::string_view kind) {
    ASSIGN_OR_RETURN(const absl::string_view text, Value(kind));
    const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
    if (parts.size() != 3 || parts[0].empty() || parts[0].find('/') != absl::string_view::npos) {
      return Bad(absl::StrCat("a ", kind, "'s name, bytes and SHA-256 belong here"));
    }
    ledger::FileDigest digest{.name = std::string(parts[0]), .bytes = 0, .sha256 = Hash()};
    ASSIGN_OR_RETURN(digest.bytes, ToNumber(parts[1]));
    ASSIGN_OR_RETURN(digest.sha256, ToFixed<Hash>(parts[2]));
    return digest;
  }
  absl::Status Bad(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("backup manifest, line ", number_, ": ", what));
  }
  bool at_end() const { return rest_.empty(); }

 private:
  absl::string_view rest_;
  uint64_t number_ = 0;
};

absl::Status ReadFacts(LineReader* lines, BackupManifest* manifest) {
  ASSIGN_OR_RETURN(const absl::string_view network, lines->Value("network"));
  manifest->network = std::string(network);
  ASSIGN_OR_RETURN(manifest->genesis_hash, lines->FixedHex<Hash>("genesis_hash"));
  ASSIGN_OR_RETURN(const absl::string_view validator, lines->Value("validator"));
  manifest->validator = std::string(validator);
  ASSIGN_OR_RETURN(manifest->journal_id, lines->FixedHex<ledger::JournalId>("journal_id"));
  ASSIGN_OR_RETURN(manifest->journal_begin, lines->Number("journal_begin"));
  ASSIGN_OR_RETURN(manifest->journal_end, lines->Number("journal_end"));
  ASSIGN_OR_RETURN(const uint64_t height, lines->Number("height"));
  manifest->height = Height(height);
  ASSIGN_OR_RETURN(manifest->block_hash, lines->FixedHex<Hash>("block_hash"));
  ASSIGN_OR_RETURN(manifest->state_digest, lines->FixedHex<Hash>("state_digest"));
  ASSIGN_OR_RETURN(manifest->tree_size, lines->Number("tree_size"));
  ASSIGN_OR_RETURN(manifest->tree_root, lines->FixedHex<Hash>("tree_root"));
  return absl::OkStatus();
}

absl::StatusOr<BackupBase> ReadBaseLines(LineReader* lines) {
  BackupBase base;
  ASSIGN_OR_RETURN(const uint64_t height, lines->Number("base_height"));
  base.height = Height(height);
  ASSIGN_OR_RETURN(base.block_hash, lines->FixedHex<Hash>("base_block_hash"));
  ASSIGN_OR_RETURN(base.tree_size, lines->Number("base_tree_size"));
  ASSIGN_OR_RETURN(base.tree_root, lines->FixedHex<Hash>("base_tree_root"));
  ASSIGN_OR_RETURN(base.snapshot, lines->File("snapshot"));
  return base;
}

std::string FileLine(absl::string_view kind, const ledger::FileDigest& file) {
  return absl::StrCat(kind, " ", file.name, " ", file.bytes, " ", file.sha256.ToHex(), "\n");
}

}  // namespace

std::string EncodeManifest(const BackupManifest& manifest) {
  const absl::string_view first = manifest.base.has_value() ? kFirstLineAboveBase : kFirstLine;
  std::string text = absl::StrCat(first, "\nnetwork ", manifest.network, "\ngenesis_hash ",
                                  manifest.genesis_hash.ToHex(), "\nvalidator ", manifest.validator,
                                  "\njournal_id ", manifest.journal_id.ToHex(), "\njournal_begin ",
                                  manifest.journal_begin, "\njournal_end ", manifest.journal_end);
  absl::StrAppend(&text, "\nheight ", manifest.height.value(), "\nblock_hash ",
                  manifest.block_hash.ToHex(), "\nstate_digest ", manifest.state_digest.ToHex(),
                  "\ntree_size ", manifest.tree_size, "\ntree_root ", manifest.tree_root.ToHex(),
                  "\n");
  if (manifest.base.has_value()) {
    const BackupBase& base = *manifest.base;
    absl::StrAppend(&text, "base_height ", base.height.value(), "\nbase_block_hash ",
                    base.block_hash.ToHex(), "\nbase_tree_size ", base.tree_size,
                    "\nbase_tree_root ", base.tree_root.ToHex(), "\n",
                    FileLine("snapshot", base.snapshot));
  }
  absl::StrAppend(&text, "segments ", manifest.segments.size(), "\n");
  for (const ledger::FileDigest& segment : manifest.segments) {
    absl::StrAppend(&text, FileLine("segment", segment));
  }
  absl::StrAppend(&text, "sum ", ledger::Sha256(AsBytes(text)).ToHex(), "\n");
  return text;
}

absl::StatusOr<BackupManifest> DecodeManifest(absl::string_view text) {
  LineReader lines(text);
  ASSIGN_OR_RETURN(const absl::string_view first, lines.Line());
  if (first != kFirstLine && first != kFirstLineAboveBase) {
    return lines.Bad(
        absl::StrCat("'", kFirstLine, "' or '", kFirstLineAboveBase, "' belongs here"));
  }
  BackupManifest manifest;
  RETURN_IF_ERROR(ReadFacts(&lines, &manifest));
  if (first == kFirstLineAboveBase) {
    ASSIGN_OR_RETURN(manifest.base, ReadBaseLines(&lines));
  }
  ASSIGN_OR_RETURN(const uint64_t count, lines.Number("segments"));
  if (count == 0 || count > kSegmentsMax) return lines.Bad("no such number of segments");
  for (uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(ledger::FileDigest segment, lines.File("segment"));
    manifest.segments.push_back(std::move(segment));
  }
  ASSIGN_OR_RETURN(const Hash sum, lines.FixedHex<Hash>("sum"));
  constexpr size_t kSumLineBytes = 4 + 64 + 1;
  if (!lines.at_end()) return lines.Bad("more follows than the last line");
  if (ledger::Sha256(AsBytes(text.substr(0, text.size() - kSumLineBytes))) != sum) {
    return lines.Bad("the sum over the lines before differs");
  }
  return manifest;
}

}  // namespace vigil::node
