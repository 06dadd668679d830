#include "ledger/log/tlog_proof.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kFirstLine = "c2sp.org/tlog-proof@v1";
constexpr absl::string_view kExtra = "extra";
constexpr absl::string_view kIndex = "index";

// The data of the optional line; empty when it is left out, which is the one way to write none.
absl::StatusOr<std::string> ReadExtra(LineReader* lines) {
  if (!lines->NextIs(kExtra)) return std::string();
  ASSIGN_OR_RETURN(const absl::string_view text, lines->NextAfter(kExtra));
  absl::StatusOr<std::string> extra = DecodeBase64(text);
  if (!extra.ok()) return lines->Error(extra.status().message());
  if (extra->empty() || extra->size() > kTlogExtraBytesMax) {
    return lines->Error(
        absl::StrCat("extra data of ", extra->size(), " bytes, 1 to ", kTlogExtraBytesMax));
  }
  return extra;
}

}  // namespace

std::string EncodeTlogProof(const TlogProof& proof) {
  std::string text = absl::StrCat(kFirstLine, "\n");
  if (!proof.extra.empty()) {
    absl::StrAppend(&text, kExtra, " ", absl::Base64Escape(proof.extra), "\n");
  }
  absl::StrAppend(&text, kIndex, " ", proof.index, "\n", EncodePathLines(proof.path),
                  proof.checkpoint);
  const absl::StatusOr<TlogProof> decoded = DecodeTlogProof(text);
  VIGIL_CHECK(decoded.ok() && *decoded == proof,
              "wrote a bad proof: ", decoded.status().ToString());
  return text;
}

absl::StatusOr<TlogProof> DecodeTlogProof(absl::string_view text) {
  if (text.size() > kTlogProofBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("tlog-proof of ", text.size(), " bytes, at most ", kTlogProofBytesMax));
  }
  LineReader lines("tlog-proof", text);
  ASSIGN_OR_RETURN(const absl::string_view first, lines.Next());
  if (first != kFirstLine) return lines.Error(absl::StrCat("not '", kFirstLine, "'"));
  TlogProof proof;
  ASSIGN_OR_RETURN(proof.extra, ReadExtra(&lines));
  ASSIGN_OR_RETURN(proof.index, lines.NextDecimal(kIndex, kTreeSizeMax));
  ASSIGN_OR_RETURN(proof.path, ReadPathLines(&lines));
  proof.checkpoint = std::string(lines.rest());
  const absl::StatusOr<SignedCheckpoint> decoded = DecodeSignedCheckpoint(proof.checkpoint);
  if (!decoded.ok()) return Annotate(decoded.status(), "tlog-proof");
  if (proof.index >= decoded->checkpoint.size) {
    return absl::InvalidArgumentError(absl::StrCat("tlog-proof: index ", proof.index,
                                                   " in a tree of ", decoded->checkpoint.size));
  }
  return proof;
}

}  // namespace vigil::ledger
