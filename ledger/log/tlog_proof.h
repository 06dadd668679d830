// The text of a proof that a log holds a leaf (C2SP tlog-proof); docs/formats.md, Proof.
//
//   c2sp.org/tlog-proof@v1
//   extra <base64>                   left out when there is none
//   index <decimal>
//   <base64 of a hash>               zero to 63 lines, the leaf's sibling first
//   <empty line>
//   <signed checkpoint>
//
// Pure. Decoding says nothing about truth: a verifier checks the checkpoint (policy.h), then the
// path against its root (merkle.h).
#ifndef VIGIL_LEDGER_LOG_TLOG_PROOF_H_
#define VIGIL_LEDGER_LOG_TLOG_PROOF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/log/text.h"

namespace vigil::ledger {

inline constexpr size_t kTlogProofBytesMax = 4 << 20;
inline constexpr size_t kTlogExtraBytesMax = 2 << 20;

struct TlogProof {
  std::string extra;  // Decoded; empty: no such line. The checkpoint does not vouch for it.
  uint64_t index = 0;
  std::vector<Hash> path;
  std::string checkpoint;  // The signed note, verbatim.

  bool operator==(const TlogProof&) const = default;
};

// REQUIRES: DecodeTlogProof() gives it back.
std::string EncodeTlogProof(const TlogProof& proof);
// Errors: kInvalidArgument, "tlog-proof: line N: ..." where there is a line, on anything but
// exactly
//   that text, a checkpoint that is none, an index that is not below its size, or over the limits.
absl::StatusOr<TlogProof> DecodeTlogProof(absl::string_view text);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_TLOG_PROOF_H_
