#include "client/witness/witness.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"

namespace vigil::client {
namespace {

// Paths and the system's texts are for the operator's log, not for whoever sent the request.
constexpr absl::string_view kStateUnusable =
    "the witness cannot use its state now; nothing was signed\n";

// "409 <origin> at 12 from 7: 9"
std::string DecisionLine(int http_status, const ledger::AddCheckpoint& request,
                         absl::string_view reason) {
  const absl::StatusOr<ledger::SignedCheckpoint> decoded =
      ledger::DecodeSignedCheckpoint(request.checkpoint);
  std::string line = absl::StrCat(http_status);
  if (decoded.ok()) {
    absl::StrAppend(&line, " ", decoded->checkpoint.origin, " at ", decoded->checkpoint.size,
                    " from ", request.old_size);
  }
  if (!reason.empty()) absl::StrAppend(&line, ": ", absl::StripSuffix(reason, "\n"));
  return line;
}

WitnessAnswer TextAnswer(int http_status, absl::string_view text) {
  return {.http_status = http_status,
          .body = std::string(text),
          .content_type = std::string(ledger::kWitnessTextType)};
}

}  // namespace

Witness::Witness(WitnessKey key, std::unique_ptr<WitnessFolder> folder,
                 std::vector<ledger::WitnessLog> logs, const Clock* clock, WitnessLogFunction log)
    : key_(std::move(key)),
      folder_(std::move(folder)),
      logs_(std::move(logs)),
      clock_(clock),
      log_(std::move(log)) {
  for (const ledger::WitnessLog& watched_log : logs_) {
    Watched& watched = watched_[watched_log.origin];
    MutexLock lock(&watched.mutex);
    watched.log = &watched_log;
    watched.state = folder_->Find(watched_log.origin);
    VIGIL_CHECK(watched.state != nullptr, "no state for ", watched_log.origin);
  }
}

absl::StatusOr<ledger::WitnessDecision> Witness::Decide(Watched* watched,
                                                        const ledger::AddCheckpoint& request) {
  MutexLock lock(&watched->mutex);
  ASSIGN_OR_RETURN(const ledger::WitnessedState state, watched->state->Read());
  ledger::WitnessDecision decision = ledger::DecideWitness(watched->log, state, request);
  if (decision.http_status != 200) return decision;
  const int64_t unix_millis = clock_->UnixMillis();
  if (unix_millis < 0) return absl::UnavailableError("the clock is before 1970");
  // Also when the state stays the same: that it could be read does not mean that it is on disk.
  RETURN_IF_ERROR(watched->state->Write(*decision.next));
  const ledger::NoteSignature signature =
      ledger::CosignNote(key_.signing, key_.note.name, decision.checkpoint_text,
                         static_cast<uint64_t>(unix_millis) / 1000);
  decision.body = ledger::EncodeNoteSignatures({&signature, 1});
  return decision;
}

WitnessAnswer Witness::AddCheckpoint(absl::string_view body) {
  const absl::StatusOr<ledger::AddCheckpoint> request = ledger::DecodeAddCheckpoint(body);
  if (!request.ok()) {
    log_(absl::StrCat("400: ", request.status().message()));
    return TextAnswer(400, absl::StrCat(request.status().message(), "\n"));
  }
  const ledger::WitnessLog* log = ledger::FindWitnessLog(logs_, request->checkpoint);
  absl::StatusOr<ledger::WitnessDecision> decision =
      log == nullptr ? ledger::DecideWitness(nullptr, {}, *request)
                     : Decide(&watched_.at(log->origin), *request);
  if (!decision.ok()) {
    log_(DecisionLine(500, *request, decision.status().message()));
    return TextAnswer(500, kStateUnusable);
  }
  log_(DecisionLine(decision->http_status, *request,
                    decision->http_status == 200 ? "" : absl::string_view(decision->body)));
  return {.http_status = decision->http_status,
          .body = std::move(decision->body),
          .content_type = std::move(decision->content_type)};
}

WitnessAnswer Witness::Health() {
  std::string text = absl::StrCat("witness ", ledger::EncodeNoteKey(key_.note), "\n");
  for (auto& [origin, watched] : watched_) {
    absl::StatusOr<ledger::WitnessedState> state;
    {
      MutexLock lock(&watched.mutex);
      state = watched.state->Read();
    }
    if (!state.ok()) {
      log_(absl::StrCat("503 ", origin, ": ", state.status().message()));
      return TextAnswer(503, absl::StrCat("the state of ", origin, " cannot be used now\n"));
    }
    absl::StrAppend(&text, origin, " ", state->size, "\n");
  }
  return TextAnswer(200, text);
}

}  // namespace vigil::client
