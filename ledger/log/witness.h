// What is said between a log and a witness (C2SP tlog-witness), and what a witness decides;
// docs/formats.md, Witness.
//
//   old <size the witness last cosigned>
//   <base64 of a hash>               zero to 63 lines: RFC 6962 consistency from the old size
//   <empty line>
//   <signed checkpoint>
//
// Pure: the caller carries bytes, keeps the state, and signs. A witness persists `next` before its
// cosignature leaves, and holds one lock per origin from reading the state until then; otherwise
// two requests could roll the state back.
#ifndef VIGIL_LEDGER_LOG_WITNESS_H_
#define VIGIL_LEDGER_LOG_WITNESS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/log/note.h"
#include "ledger/log/policy.h"
#include "ledger/log/text.h"

namespace vigil::ledger {

// A checkpoint, its path, and the line of the old size.
inline constexpr size_t kAddCheckpointBytesMax = kNoteBytesMax + (1 << 12);

// Content types of a witness's answers.
inline constexpr absl::string_view kWitnessSizeType = "text/x.tlog.size";
inline constexpr absl::string_view kWitnessTextType = "text/plain; charset=utf-8";

// The body of POST <prefix>/add-checkpoint.
struct AddCheckpoint {
  uint64_t old_size = 0;
  std::vector<Hash> path;
  std::string checkpoint;  // The signed note, verbatim.

  bool operator==(const AddCheckpoint&) const = default;
};

// REQUIRES: DecodeAddCheckpoint() gives it back.
std::string EncodeAddCheckpoint(const AddCheckpoint& request);
// Errors: kInvalidArgument, "add-checkpoint: line N: ..." where there is a line, on anything but
//   exactly that text, a checkpoint that is none, or over the limits.
absl::StatusOr<AddCheckpoint> DecodeAddCheckpoint(absl::string_view body);

// The body of a 409 with kWitnessSizeType: "<size>\n". The body of a 200 is that of
// EncodeNoteSignatures().
std::string EncodeWitnessSize(uint64_t size);
// Errors: kInvalidArgument when not exactly that, or over kTreeSizeMax.
absl::StatusOr<uint64_t> DecodeWitnessSize(absl::string_view body);

// A log that a witness watches.
struct WitnessLog {
  std::string origin;
  std::vector<NoteKey> keys;  // Any one of them signs for the log.
  // Ours: the quorum that must have cosigned before this witness does. One validator's key alone
  // could otherwise strand the witness on a fork.
  std::optional<Policy> required_quorum;
};

// What a witness last cosigned of one origin. Size 0: nothing, or the empty tree.
struct WitnessedState {
  uint64_t size = 0;
  Hash root;

  bool operator==(const WitnessedState&) const = default;
};

struct WitnessDecision {
  int http_status = 0;
  std::string body;  // At 200 empty: the caller's cosignature belongs there.
  std::string content_type;
  std::optional<WitnessedState> next;  // At 200, and only then: to persist before answering.
  std::string checkpoint_text;         // At 200, and only then: what to cosign.
};

// The log of `logs` that the signed checkpoint is of; nullptr when it is none's, or no checkpoint.
const WitnessLog* FindWitnessLog(std::span<const WitnessLog> logs, absl::string_view checkpoint);

// Decides on a request about `log` (nullptr: an origin that is not watched) over the `state` kept
// for its origin. In this order:
//
//   400  the checkpoint is none
//   404  the origin is unknown: `log` is nullptr, or the checkpoint is another log's
//   403  a line of the log's keys does not verify, none of them signed, or `required_quorum` has
//        not cosigned
//   400  the old size is above the checkpoint's
//   409  the old size is not that of `state`: kWitnessSizeType with the size that is
//   409  the checkpoint has the size of `state` but another root: kWitnessTextType
//   422  the consistency path is wrong; from size 0 it must be empty
//   200
WitnessDecision DecideWitness(const WitnessLog* log, const WitnessedState& state,
                              const AddCheckpoint& request);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_WITNESS_H_
