#include "node/log/witness_feed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/witness.h"

namespace vigil::node {
namespace {

constexpr size_t kReasonBytesMax = 200;

// What a witness says goes into the log of a validator.
std::string Reason(const WitnessReply& reply) {
  std::string text =
      absl::StrCat("HTTP ", reply.http_status, ": ", reply.body.substr(0, kReasonBytesMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; },
      ' ');
  return text;
}

// Whether the witness says more than that it cannot now: trying again at once is pointless.
bool IsRefusal(int http_status) {
  return http_status >= 400 && http_status < 500 && http_status != 408 && http_status != 429;
}

bool HasLineOf(const ledger::SignedNote& note, const ledger::NoteKey& key) {
  return std::ranges::any_of(note.signatures, [&](const ledger::NoteSignature& line) {
    return ledger::VerifyNoteSignature(key, note.text, line).ok();
  });
}

}  // namespace

absl::Status WitnessFeed::Offer(absl::string_view note) {
  ASSIGN_OR_RETURN(ledger::SignedCheckpoint decoded, ledger::DecodeSignedCheckpoint(note));
  if (offered_.has_value() && decoded.checkpoint.size <= offered_->size) return absl::OkStatus();
  if (!HasLineOf(decoded.note, own_)) return absl::OkStatus();
  offered_ = {.size = decoded.checkpoint.size,
              .text = std::move(decoded.note.text),
              .note = std::string(note)};
  return absl::OkStatus();
}

// A witness that is ahead has nothing to learn from this validator, until others' checkpoints are
// final here, too. If that does not come, what it told is not to be believed for ever.
std::optional<int64_t> WitnessFeed::AskFrom() const {
  if (!offered_.has_value() || asked_.has_value()) return std::nullopt;
  if (newest_.has_value() && newest_->size >= offered_->size) return std::nullopt;
  return offered_->size < known_size_ ? std::max(not_before_micros_, recheck_micros_)
                                      : not_before_micros_;
}

std::optional<WitnessRequest> WitnessFeed::Next(int64_t now_micros) {
  const std::optional<int64_t> from = AskFrom();
  if (!from.has_value() || now_micros < *from) return std::nullopt;
  asked_ = offered_;
  asked_old_size_ = std::min(known_size_, asked_->size);
  return WitnessRequest{.old_size = asked_old_size_, .size = asked_->size, .note = asked_->note};
}

std::optional<int64_t> WitnessFeed::Deadline() const { return AskFrom(); }

WitnessOutcome WitnessFeed::OnReply(const WitnessReply& reply, int64_t now_micros) {
  VIGIL_CHECK(asked_.has_value(), "an answer of ", key_.name, " to no request");
  if (reply.http_status == 200) return OnCosignature(reply, now_micros);
  if (reply.http_status == 409 && reply.content_type == ledger::kWitnessSizeType)
    return OnConflict(reply, now_micros);
  if (reply.http_status == 409 || reply.http_status == 422)
    return BackOff(WitnessOutcome::kContradicts, Reason(reply), now_micros);
  return BackOff(IsRefusal(reply.http_status) ? WitnessOutcome::kRefused : WitnessOutcome::kFailed,
                 Reason(reply), now_micros);
}

WitnessOutcome WitnessFeed::OnFailure(absl::string_view reason, int64_t now_micros) {
  VIGIL_CHECK(asked_.has_value(), "a failure of ", key_.name, " without a request");
  return BackOff(WitnessOutcome::kFailed, std::string(reason), now_micros);
}

WitnessOutcome WitnessFeed::OnCosignature(const WitnessReply& reply, int64_t now_micros) {
  const absl::StatusOr<std::vector<ledger::NoteSignature>> lines =
      ledger::DecodeNoteSignatures(reply.body);
  if (!lines.ok()) {
    return BackOff(WitnessOutcome::kFailed,
                   absl::StrCat("no cosignature: ", lines.status().message()), now_micros);
  }
  for (const ledger::NoteSignature& line : *lines) {
    const absl::StatusOr<uint64_t> time = ledger::VerifyNoteSignature(key_, asked_->text, line);
    if (absl::IsNotFound(time.status())) continue;  // Of other keys of the same witness.
    if (!time.ok()) {
      return BackOff(WitnessOutcome::kFailed,
                     absl::StrCat("its cosignature is wrong: ", time.status().message()),
                     now_micros);
    }
    newest_ = {.size = asked_->size, .line = line};
    known_size_ = asked_->size;
    failures_ = conflicts_ = 0;
    problem_.clear();
    not_before_micros_ = now_micros + kWitnessIntervalMicros;
    asked_.reset();
    return WitnessOutcome::kCosigned;
  }
  return BackOff(WitnessOutcome::kFailed, "no cosignature by the configured key", now_micros);
}

WitnessOutcome WitnessFeed::OnConflict(const WitnessReply& reply, int64_t now_micros) {
  const absl::StatusOr<uint64_t> size = ledger::DecodeWitnessSize(reply.body);
  if (!size.ok() || *size == asked_old_size_) {
    return BackOff(WitnessOutcome::kFailed,
                   absl::StrCat("a conflict that is none: ", Reason(reply)), now_micros);
  }
  known_size_ = *size;
  if (newest_.has_value() && *size < newest_->size) {
    return BackOff(
        WitnessOutcome::kContradicts,
        absl::StrCat("it went back to size ", *size, " after it cosigned ", newest_->size),
        now_micros);
  }
  if (++conflicts_ > kWitnessConflictsMax) {
    return BackOff(WitnessOutcome::kFailed,
                   absl::StrCat("other sizes ", conflicts_, " times in a row"), now_micros);
  }
  if (*size > asked_->size) recheck_micros_ = now_micros + kWitnessBackoffMicrosMax;
  // The first answer only tells what was not known; later ones mean that others are quicker.
  if (conflicts_ > 1) {
    not_before_micros_ =
        now_micros + static_cast<int64_t>(random_.Below(kWitnessConflictMicros * conflicts_));
  }
  asked_.reset();
  return WitnessOutcome::kOtherSize;
}

WitnessOutcome WitnessFeed::BackOff(WitnessOutcome outcome, std::string problem,
                                    int64_t now_micros) {
  int64_t wait = kWitnessBackoffMicrosMin;
  for (uint32_t i = 0; i < failures_ && wait < kWitnessBackoffMicrosMax; ++i) wait *= 2;
  wait = std::min(wait, kWitnessBackoffMicrosMax);
  // Half of it is drawn, so that validators do not come back all at once.
  wait = wait / 2 + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(wait / 2) + 1));
  if (failures_ < UINT32_MAX) ++failures_;
  conflicts_ = 0;
  problem_ = std::move(problem);
  not_before_micros_ = now_micros + wait;
  asked_.reset();
  return outcome;
}

absl::StatusOr<std::string> WitnessRequestBody(const WitnessRequest& request,
                                               const ledger::TileSource& tiles) {
  ledger::AddCheckpoint body{.old_size = request.old_size, .path = {}, .checkpoint = request.note};
  if (request.old_size > 0) {
    ASSIGN_OR_RETURN(body.path,
                     ledger::ConsistencyFromTiles(tiles, request.old_size, request.size));
  }
  return ledger::EncodeAddCheckpoint(body);
}

}  // namespace vigil::node
