#include "ledger/log/checkpoint.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

bool IsOrigin(absl::string_view line) {
  return !line.empty() && std::none_of(line.begin(), line.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

}  // namespace

std::string CheckpointOrigin(absl::string_view network, const Hash& genesis_hash) {
  return absl::StrCat(network, "/", genesis_hash.ToHex());
}

std::string EncodeCheckpoint(const Checkpoint& checkpoint) {
  VIGIL_CHECK(IsOrigin(checkpoint.origin), "checkpoint origin of ", checkpoint.origin.size(),
              " bytes");
  VIGIL_CHECK(checkpoint.size <= kTreeSizeMax, "tree of ", checkpoint.size, " leaves");
  return absl::StrCat(checkpoint.origin, "\n", checkpoint.size, "\n",
                      EncodeBase64Hash(checkpoint.root), "\n");
}

absl::StatusOr<Checkpoint> DecodeCheckpoint(absl::string_view text) {
  // Three lines and the nothing after the last newline.
  const std::vector<absl::string_view> lines = absl::StrSplit(text, absl::MaxSplits('\n', 4));
  if (lines.size() != 4 || !lines[3].empty()) {
    return absl::InvalidArgumentError("checkpoint: not exactly three lines");
  }
  if (!IsOrigin(lines[0])) return absl::InvalidArgumentError("checkpoint: bad origin");
  const absl::StatusOr<uint64_t> size = DecodeDecimal(lines[1], kTreeSizeMax);
  if (!size.ok()) return Annotate(size.status(), "checkpoint: size");
  const absl::StatusOr<Hash> root = DecodeBase64Hash(lines[2]);
  if (!root.ok()) return Annotate(root.status(), "checkpoint: root");
  return Checkpoint{.origin = std::string(lines[0]), .size = *size, .root = *root};
}

absl::StatusOr<SignedCheckpoint> DecodeSignedCheckpoint(absl::string_view note) {
  SignedCheckpoint decoded;
  ASSIGN_OR_RETURN(decoded.note, DecodeNote(note));
  ASSIGN_OR_RETURN(decoded.checkpoint, DecodeCheckpoint(decoded.note.text));
  return decoded;
}

}  // namespace vigil::ledger
