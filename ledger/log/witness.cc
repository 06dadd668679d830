#include "ledger/log/witness.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kOld = "old";

WitnessDecision Refuse(int http_status, absl::string_view reason) {
  return {.http_status = http_status,
          .body = absl::StrCat(reason, "\n"),
          .content_type = std::string(kWitnessTextType),
          .next = std::nullopt,
          .checkpoint_text = ""};
}

// Whether the log signed, and whoever `log` demands cosigned.
absl::Status CheckSignatures(const WitnessLog& log, const SignedNote& note,
                             absl::string_view checkpoint) {
  ASSIGN_OR_RETURN(const auto times, VerifyNote(note, log.keys));
  if (std::none_of(times.begin(), times.end(), [](const auto& time) { return time.has_value(); })) {
    return absl::PermissionDeniedError("none of the log's keys signed the checkpoint");
  }
  if (!log.required_quorum.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const CheckpointVerdict verdict,
                   CheckCheckpoint(*log.required_quorum, checkpoint));
  if (verdict.quorum) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("the log's own quorum is missing: ", verdict.missing));
}

// From nothing everything follows, and RFC 6962 has no path for it.
absl::Status CheckConsistency(const WitnessedState& state, const Checkpoint& checkpoint,
                              std::span<const Hash> path) {
  if (state.size > 0) {
    return VerifyConsistency(state.size, checkpoint.size, state.root, checkpoint.root, path);
  }
  if (path.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("consistency path of ", path.size(), " hashes from an empty tree"));
}

}  // namespace

std::string EncodeAddCheckpoint(const AddCheckpoint& request) {
  std::string body = absl::StrCat(kOld, " ", request.old_size, "\n", EncodePathLines(request.path),
                                  request.checkpoint);
  const absl::StatusOr<AddCheckpoint> decoded = DecodeAddCheckpoint(body);
  VIGIL_CHECK(decoded.ok() && *decoded == request,
              "wrote a bad request: ", decoded.status().ToString());
  return body;
}

absl::StatusOr<AddCheckpoint> DecodeAddCheckpoint(absl::string_view body) {
  if (body.size() > kAddCheckpointBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("add-checkpoint of ", body.size(),
                                                   " bytes, at most ", kAddCheckpointBytesMax));
  }
  LineReader lines("add-checkpoint", body);
  AddCheckpoint request;
  ASSIGN_OR_RETURN(request.old_size, lines.NextDecimal(kOld, kTreeSizeMax));
  ASSIGN_OR_RETURN(request.path, ReadPathLines(&lines));
  request.checkpoint = std::string(lines.rest());
  RETURN_IF_ERROR(Annotate(DecodeSignedCheckpoint(request.checkpoint).status(), "add-checkpoint"));
  return request;
}

std::string EncodeWitnessSize(uint64_t size) { return absl::StrCat(size, "\n"); }

absl::StatusOr<uint64_t> DecodeWitnessSize(absl::string_view body) {
  if (!absl::ConsumeSuffix(&body, "\n")) {
    return absl::InvalidArgumentError("witness size: not ended by a newline");
  }
  const absl::StatusOr<uint64_t> size = DecodeDecimal(body, kTreeSizeMax);
  return size.ok() ? size : Annotate(size.status(), "witness size");
}

const WitnessLog* FindWitnessLog(std::span<const WitnessLog> logs, absl::string_view checkpoint) {
  const absl::StatusOr<SignedCheckpoint> decoded = DecodeSignedCheckpoint(checkpoint);
  if (!decoded.ok()) return nullptr;
  const auto found = std::find_if(logs.begin(), logs.end(), [&](const WitnessLog& log) {
    return log.origin == decoded->checkpoint.origin;
  });
  return found == logs.end() ? nullptr : &*found;
}

WitnessDecision DecideWitness(const WitnessLog* log, const WitnessedState& state,
                              const AddCheckpoint& request) {
  const absl::StatusOr<SignedCheckpoint> decoded = DecodeSignedCheckpoint(request.checkpoint);
  if (!decoded.ok()) return Refuse(400, decoded.status().message());
  const Checkpoint& checkpoint = decoded->checkpoint;
  if (log == nullptr || log->origin != checkpoint.origin) {
    return Refuse(404, absl::StrCat("unknown origin ", Quoted(checkpoint.origin)));
  }
  const absl::Status signatures = CheckSignatures(*log, decoded->note, request.checkpoint);
  if (!signatures.ok()) return Refuse(403, signatures.message());
  if (request.old_size > checkpoint.size) {
    return Refuse(400, absl::StrCat("old size ", request.old_size, " above the checkpoint's ",
                                    checkpoint.size));
  }
  // Before anything is said about the path: a client that does not know the size asks this way.
  if (request.old_size != state.size) {
    WitnessDecision conflict = Refuse(409, "");
    conflict.body = EncodeWitnessSize(state.size);
    conflict.content_type = std::string(kWitnessSizeType);
    return conflict;
  }
  const Hash last_root = state.size > 0 ? state.root : MerkleRoot({});
  if (checkpoint.size == state.size && checkpoint.root != last_root) {
    return Refuse(409, absl::StrCat("another root was cosigned at size ", state.size));
  }
  const absl::Status consistency = CheckConsistency(state, checkpoint, request.path);
  if (!consistency.ok()) return Refuse(422, consistency.message());
  return {.http_status = 200,
          .body = "",
          .content_type = std::string(kWitnessTextType),
          .next = WitnessedState{.size = checkpoint.size, .root = checkpoint.root},
          .checkpoint_text = decoded->note.text};
}

}  // namespace vigil::ledger
