#include "ledger/log/checkpoint.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

bool IsOrigin(absl::string_view line) {
  return !line.empty() && std::none_of(line.begin(), line.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

absl::StatusOr<uint64_t> DecodeSize(absl::string_view line) {
  uint64_t size = 0;
  // SimpleAtoi takes signs, spaces and leading zeros; writing the number again shows them.
  if (!absl::SimpleAtoi(line, &size) || absl::StrCat(size) != line || size > kTreeSizeMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: '", absl::CHexEscape(line), "' is no tree size"));
  }
  return size;
}

absl::StatusOr<Hash> DecodeRoot(absl::string_view line) {
  std::string raw;
  if (!absl::Base64Unescape(line, &raw) || raw.size() != Hash::size() ||
      absl::Base64Escape(raw) != line) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: '", absl::CHexEscape(line), "' is no base64 root"));
  }
  return Hash::From(AsBytes(raw));
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
                      absl::Base64Escape(checkpoint.root.view()), "\n");
}

absl::StatusOr<Checkpoint> DecodeCheckpoint(absl::string_view text) {
  // Three lines and the nothing after the last newline.
  const std::vector<absl::string_view> lines = absl::StrSplit(text, absl::MaxSplits('\n', 4));
  if (lines.size() != 4 || !lines[3].empty()) {
    return absl::InvalidArgumentError("checkpoint: not exactly three lines");
  }
  if (!IsOrigin(lines[0])) return absl::InvalidArgumentError("checkpoint: bad origin");
  ASSIGN_OR_RETURN(const uint64_t size, DecodeSize(lines[1]));
  ASSIGN_OR_RETURN(const Hash root, DecodeRoot(lines[2]));
  return Checkpoint{.origin = std::string(lines[0]), .size = size, .root = root};
}

}  // namespace vigil::ledger
