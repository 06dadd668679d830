// WitnessFeed: what a validator asks of one witness outside the network, when, and what it makes of
// the answers (C2SP tlog-witness). One object per witness.
//
// A pure state machine: no clock, socket, lock or thread; time comes in with every call. Belongs to
// one thread. It never holds up anything: a witness that lags, is down or lies costs its own lines.
//
// Invariants:
//   (1) At most one request is under way.
//   (2) newest() was verified under the witness's key, over a checkpoint that was offered here, and
//       its size never shrinks.
#ifndef VIGIL_NODE_LOG_WITNESS_FEED_H_
#define VIGIL_NODE_LOG_WITNESS_FEED_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/random.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "ledger/log/tiles.h"

namespace vigil::node {

inline constexpr int64_t kWitnessIntervalMicros = 200'000;    // Between two that were answered 200.
inline constexpr int64_t kWitnessBackoffMicrosMin = 500'000;  // After the first failure; doubles.
inline constexpr int64_t kWitnessBackoffMicrosMax = 60'000'000;
inline constexpr int64_t kWitnessConflictMicros = 20'000;  // Several validators ask one witness.
inline constexpr uint32_t kWitnessConflictsMax = 16;       // Then it counts as a failure.
inline constexpr size_t kWitnessAnswerBytesMax = 64 * 1024;

// A checkpoint to be cosigned, and the size from which its consistency is to be shown.
struct WitnessRequest {
  uint64_t old_size = 0;
  uint64_t size = 0;
  std::string note;
};

struct WitnessReply {
  int http_status = 0;
  std::string content_type;
  std::string body;  // At most kWitnessAnswerBytesMax bytes.
};

// A cosignature by the witness, verified.
struct WitnessedCheckpoint {
  uint64_t size = 0;
  ledger::NoteSignature line;
};

// What an answer meant.
enum class WitnessOutcome {
  kCosigned,   // newest() is of the request's size.
  kOtherSize,  // It told the size from which it wants to hear.
  kRefused,    // It will not cosign this log as things stand: not watched, no quorum, bad request.
  kContradicts,  // It says that it cosigned another history: this validator's or the witness's own.
  kFailed,       // Anything else: unreachable, an error of its own, or an answer that is none.
};

class WitnessFeed {
 public:
  // `key` is of type kCosignatureV1; `own` the key with which this validator signs as the log;
  // `seed` that of the jitter.
  WitnessFeed(ledger::NoteKey key, ledger::NoteKey own, uint64_t seed)
      : key_(std::move(key)), own_(std::move(own)), random_(seed) {}

  // The newest final checkpoint with its validators' lines. One that is not larger than the last
  // changes nothing; nor does one that this validator has not signed itself yet, because a witness
  // may know no other key of the log.
  // Errors: kInvalidArgument when it is no signed checkpoint.
  absl::Status Offer(absl::string_view note);

  // The request that is due, which is then under way; nullopt: none is.
  std::optional<WitnessRequest> Next(int64_t now_micros);
  // When Next() must be called again if nothing is offered or answered before; nullopt: need not.
  std::optional<int64_t> Deadline() const;

  // Exactly one of the two ends the request under way; after it problem() says what was wrong.
  WitnessOutcome OnReply(const WitnessReply& reply, int64_t now_micros);
  // It could not be sent, or nothing came back.
  WitnessOutcome OnFailure(absl::string_view reason, int64_t now_micros);

  // The largest checkpoint that this witness cosigned for this validator.
  const std::optional<WitnessedCheckpoint>& newest() const { return newest_; }
  // What was wrong with the last answer, for people; empty: nothing.
  const std::string& problem() const { return problem_; }
  const ledger::NoteKey& key() const { return key_; }

 private:
  struct Offered {
    uint64_t size = 0;
    std::string text;  // What is cosigned.
    std::string note;
  };

  // From when on there is something to ask; nullopt: nothing is.
  std::optional<int64_t> AskFrom() const;
  WitnessOutcome OnCosignature(const WitnessReply& reply, int64_t now_micros);
  WitnessOutcome OnConflict(const WitnessReply& reply, int64_t now_micros);
  WitnessOutcome BackOff(WitnessOutcome outcome, std::string problem, int64_t now_micros);

  const ledger::NoteKey key_;
  const ledger::NoteKey own_;
  SplitMix64 random_;
  std::optional<Offered> offered_;
  std::optional<Offered> asked_;  // Under way.
  uint64_t asked_old_size_ = 0;
  uint64_t known_size_ = 0;  // What the witness is known to have cosigned last.
  int64_t not_before_micros_ = INT64_MIN;
  int64_t recheck_micros_ = INT64_MIN;  // When a witness that is ahead is asked all the same.
  uint32_t failures_ = 0;               // In a row.
  uint32_t conflicts_ = 0;              // In a row.
  std::optional<WitnessedCheckpoint> newest_;
  std::string problem_;
};

// The body of `request`, with its consistency path from `tiles`.
// Errors: those of ConsistencyFromTiles(); kInvalidArgument when the note is too large.
absl::StatusOr<std::string> WitnessRequestBody(const WitnessRequest& request,
                                               const ledger::TileSource& tiles);

}  // namespace vigil::node

#endif  // VIGIL_NODE_LOG_WITNESS_FEED_H_
