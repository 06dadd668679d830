// The checkpoint: three lines that commit to the whole log (C2SP tlog-checkpoint, no extensions).
//
//   <network>/<64 hex of the genesis hash>
//   <tree size, decimal>
//   <base64 root>
#ifndef VIGIL_LEDGER_LOG_CHECKPOINT_H_
#define VIGIL_LEDGER_LOG_CHECKPOINT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/log/note.h"

namespace vigil::ledger {

// Others keep sizes in signed 64-bit numbers.
inline constexpr uint64_t kTreeSizeMax = (uint64_t{1} << 63) - 1;

struct Checkpoint {
  std::string origin;
  uint64_t size = 0;
  Hash root;

  bool operator==(const Checkpoint&) const = default;
};

// "<network>/<hex of genesis hash>".
std::string CheckpointOrigin(absl::string_view network, const Hash& genesis_hash);
// The three lines, each ended by a newline. REQUIRES: the origin is one non-empty line, and size is
// at most kTreeSizeMax.
std::string EncodeCheckpoint(const Checkpoint& checkpoint);
// Errors: kInvalidArgument on anything but exactly the three canonical lines (no leading zeros,
// canonical base64, non-empty origin without control characters, size at most kTreeSizeMax).
absl::StatusOr<Checkpoint> DecodeCheckpoint(absl::string_view text);

// A checkpoint with its signatures, none of them checked.
struct SignedCheckpoint {
  Checkpoint checkpoint;
  SignedNote note;
};

// Errors: kInvalidArgument when it is no signed note (note.h), or its text no checkpoint.
absl::StatusOr<SignedCheckpoint> DecodeSignedCheckpoint(absl::string_view note);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_CHECKPOINT_H_
