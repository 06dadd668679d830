#include "ledger/proof/consistency.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kFirstLine = "vigil.dev/consistency-proof@v1";
constexpr absl::string_view kOld = "old";

std::optional<Refusal> CheckOneHead(const PolicyChain& policies, absl::string_view which,
                                    absl::string_view note, std::optional<ProvenHead>* head) {
  ProvenHead proven;
  std::optional<Refusal> refusal = CheckHead(policies, note, &proven);
  if (refusal.has_value()) {
    refusal->reason = absl::StrCat(which, " ", refusal->reason);
  } else {
    *head = std::move(proven);
  }
  return refusal;
}

std::optional<Refusal> CheckPrefix(const Checkpoint& older, const Checkpoint& newer,
                                   const std::vector<Hash>& path) {
  if (older.origin != newer.origin) {
    return Refusal{ProofVerdict::kNotConsistent,
                   absl::StrCat("checkpoints of two logs, ", older.origin, " and ", newer.origin)};
  }
  if (older.size == newer.size && older.root != newer.root) {
    return Refusal{ProofVerdict::kNotConsistent,
                   absl::StrCat("a fork: two roots of ", older.size, " leaves, ",
                                older.root.ToHex(), " and ", newer.root.ToHex(),
                                ", both signed. Keep both checkpoints, they are evidence")};
  }
  const absl::Status status =
      VerifyConsistency(older.size, newer.size, older.root, newer.root, path);
  if (status.ok()) return std::nullopt;
  return Refusal{ProofVerdict::kNotConsistent,
                 absl::StrCat("the file does not show that ", newer.size,
                              " leaves begin with the older ", older.size, ": ", status.message(),
                              ". Get another proof; keep both checkpoints if none can be had")};
}

std::optional<Refusal> Verify(const PolicyChain& policies, absl::string_view bytes,
                              ConsistencyReport* report) {
  const absl::StatusOr<ConsistencyProof> proof = DecodeConsistencyProof(bytes);
  if (!proof.ok()) {
    return Refusal{ProofVerdict::kMalformed,
                   absl::StrCat(proof.status().message(), ". Get the file anew")};
  }
  std::optional<Refusal> refusal =
      CheckOneHead(policies, "older", proof->checkpoints.first, &report->older);
  if (refusal.has_value()) return refusal;
  refusal = CheckOneHead(policies, "newer", proof->checkpoints.second, &report->newer);
  if (refusal.has_value()) return refusal;
  return CheckPrefix(report->older->checkpoint, report->newer->checkpoint, proof->path);
}

}  // namespace

std::string EncodeConsistencyProof(const ConsistencyProof& proof) {
  const absl::StatusOr<SignedCheckpoint> older = DecodeSignedCheckpoint(proof.checkpoints.first);
  VIGIL_CHECK(older.ok(), older.status().message());
  std::string text = absl::StrCat(kFirstLine, "\n", kOld, " ", older->checkpoint.size, "\n",
                                  EncodePathLines(proof.path), EncodeTwoNotes(proof.checkpoints));
  const absl::StatusOr<ConsistencyProof> decoded = DecodeConsistencyProof(text);
  VIGIL_CHECK(decoded.ok() && *decoded == proof,
              "wrote a bad proof: ", decoded.status().ToString());
  return text;
}

absl::StatusOr<ConsistencyProof> DecodeConsistencyProof(absl::string_view text) {
  constexpr absl::string_view kWhat = "consistency-proof";
  if (text.size() > kConsistencyBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(kWhat, " of ", text.size(), " bytes, at most ", kConsistencyBytesMax));
  }
  LineReader lines(kWhat, text);
  ASSIGN_OR_RETURN(const absl::string_view first, lines.Next());
  if (first != kFirstLine) return lines.Error(absl::StrCat("not '", kFirstLine, "'"));
  ASSIGN_OR_RETURN(const absl::string_view old, lines.NextAfter(kOld));
  ConsistencyProof proof;
  ASSIGN_OR_RETURN(proof.path, ReadPathLines(&lines));
  absl::StatusOr<TwoNotes> notes = DecodeTwoNotes(lines.rest());
  if (!notes.ok()) return Annotate(notes.status(), kWhat);
  proof.checkpoints = *std::move(notes);
  ASSIGN_OR_RETURN(const SignedCheckpoint older, DecodeSignedCheckpoint(proof.checkpoints.first));
  if (absl::StrCat(older.checkpoint.size) != old) {
    return absl::InvalidArgumentError(absl::StrCat(kWhat, ": line 2: old size ", Quoted(old),
                                                   ", the older checkpoint has ",
                                                   older.checkpoint.size));
  }
  return proof;
}

ConsistencyReport VerifyConsistencyProof(const PolicyChain& policies,
                                         absl::string_view file_bytes) {
  ConsistencyReport report;
  std::optional<Refusal> refusal = Verify(policies, file_bytes, &report);
  report.verdict = refusal.has_value() ? refusal->verdict : ProofVerdict::kVerified;
  if (refusal.has_value()) report.reason = std::move(refusal->reason);
  return report;
}

}  // namespace vigil::ledger
