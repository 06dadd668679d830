// Record leaves: 01 | kind | u32be body length | body | signature (64 bytes; seals have none).
//
// Decoding is strict: bodies must be canonical (ledger/chain/scanner.h) and within the limits of
// their kind. Pure; views point into the bytes that were decoded.
#ifndef VIGIL_LEDGER_CHAIN_RECORD_H_
#define VIGIL_LEDGER_CHAIN_RECORD_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/limits.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/kinds.h"
#include "ledger/crypto/keys.h"

namespace vigil::ledger {

// 01 | kind | u32be body length, in front of every body.
inline constexpr size_t kLeafPrefixBytes = 1 + 1 + 4;
inline constexpr uint8_t kLeafVersion = 1;
// What a leaf of 32 KiB leaves for the body.
inline constexpr uint32_t kRecordBodyBytesMax =
    kRecordLeafBytesMax - kLeafPrefixBytes - Signature::size();

// Field comments: proto/vigil/v1/record.proto. Absent hashes are all zero.
struct EventBatchBody {
  absl::string_view stream;
  uint64_t sequence = 0;
  Hash previous;
  uint32_t item_count = 0;
  Hash items_root;
  Hash sealed_root;
  uint64_t first_time_unix_nano = 0;
  uint64_t last_time_unix_nano = 0;
  uint32_t payload_bytes = 0;
};
struct HeartbeatBody {
  absl::string_view stream;
  uint64_t sequence = 0;
  Hash previous;
  uint64_t time_unix_nano = 0;
};
struct GapBody {
  absl::string_view stream;
  uint64_t sequence = 0;
  Hash previous;
  uint64_t lost_count = 0;
  uint64_t from_unix_nano = 0;
  uint64_t to_unix_nano = 0;
  absl::string_view reason;
};
struct StreamResetBody {
  absl::string_view identity;
  absl::string_view stream;
  uint64_t head_sequence = 0;
  absl::string_view reason;
};
struct EventRef {
  RecordIndex record_index;
  ItemIndex item;
  auto operator<=>(const EventRef&) const = default;
};
struct AlertReason {
  uint32_t feature = 0;
  uint32_t bits_q8 = 0;
  bool operator==(const AlertReason&) const = default;
};
struct AlertBody {
  EventRef event;
  uint32_t event_type = 0;
  uint64_t period = 0;
  Hash model_digest;
  uint32_t score_q8 = 0;
  uint32_t threshold_q8 = 0;
  uint32_t component = 0;
  std::vector<AlertReason> reasons;
  Hash event_leaf;
  Hash values_commitment;
  uint32_t rule = 0;  // As the rest: exactly for kRuleComponent.
  Hash rules_digest;
  uint32_t entity_kind = 0;
  uint64_t observed = 0;
  EventRef anchor;
  uint32_t anchor_kind = 0;  // 0: there is no anchor.
};
// AlertBody.component of what a rule raised. Stored: never renumber.
inline constexpr uint32_t kRuleComponent = 4;
// What an alert of rule `number` has in model_digest (docs/formats/detector_model.md).
Hash RuleDigestOf(const Hash& rules_digest, uint32_t number);
struct Attestation {
  RecordIndex alert_index;
  uint32_t verdict = 0;  // 1 confirm, 2 dispute.
  uint32_t score_q8 = 0;
};
struct AttestationBody {
  std::vector<Attestation> attestations;
  uint64_t epoch = 0;  // 0: it says nothing again.
};
struct DriftedFeature {
  uint32_t feature = 0;
  uint32_t psi_q8 = 0;
  bool operator==(const DriftedFeature&) const = default;
};
// From here on a feature has drifted: 0.25 (detector/model/drift.h).
inline constexpr uint32_t kDriftNoticeQ8 = 64;
inline constexpr size_t kDriftedMax = 5;
struct ModelCommitmentBody {
  uint32_t event_type = 0;
  uint64_t period = 0;
  Height window_end;
  Hash model_digest;
  uint32_t row_count = 0;
  Hash window_digest;
  uint32_t threshold_q8 = 0;
  uint64_t event_count = 0;
  uint64_t drift_period = 0;  // 0: the window was held against no other.
  std::vector<DriftedFeature> drifted;
};

// Where an alert differs from its recomputation. Stored: never renumber.
enum class AlertFault : uint8_t {
  kScore = 1,
  kThreshold = 2,
  kExplanation = 3,  // What decided, or the reasons.
  kEvent = 4,        // Raised over other bytes than the chain has there.
  kRule = 5,         // The rule that it cites did not match the event, or not as it says.
};
// "score", "threshold", "explanation", "event", "rule".
absl::string_view AlertFaultName(AlertFault fault);
struct FaultProofBody {
  RecordIndex alert_index;
  uint32_t fault = 0;  // An AlertFault.
  uint32_t score_q8 = 0;
  uint32_t threshold_q8 = 0;
  uint32_t component = 0;
};

// Stored: never renumber.
enum class TriageAction : uint8_t { kAcknowledge = 1, kAssign = 2, kClose = 3, kReopen = 4 };
enum class TriageVerdict : uint8_t {
  kNone = 0,
  kTruePositive = 1,
  kFalsePositive = 2,
  kExpected = 3,  // Rightly found, and known and allowed.
};
// "acknowledge", "true-positive"; kNone is "".
absl::string_view TriageActionName(TriageAction action);
absl::string_view TriageVerdictName(TriageVerdict verdict);
struct TriageBody {
  RecordIndex alert_index;
  uint32_t action = 0;         // A TriageAction.
  absl::string_view assignee;  // Exactly for kAssign.
  uint32_t verdict = 0;        // A TriageVerdict; not kNone exactly for kClose.
  uint64_t revision = 0;
};

// For a set of validators or for rules: exactly one of `next_set` and `rules` is not empty.
struct ProposalBody {
  uint64_t epoch = 0;
  ByteSpan next_set;  // For DecodeValidatorSet(); not judged by the scanner.
  absl::string_view addresses;
  absl::string_view reason;
  absl::string_view rules = {};  // A rule file; not judged by the scanner.
  Hash replaced_rules = {};      // Zero: there were none.
};
// Stored: never renumber.
enum class BallotChoice : uint8_t { kApprove = 1, kReject = 2 };
struct BallotBody {
  RecordIndex proposal_index;
  uint32_t choice = 0;  // A BallotChoice.
};

// Announcements of cosigner keys that one validator may make in one epoch.
inline constexpr uint32_t kCosignerKeyAnnouncementsMax = 16;
struct CosignerKeyBody {
  uint64_t epoch = 0;
  uint32_t number = 0;
  PublicKey cosigner_key;
  Signature proof;
};
// What `proof` signs: "vigil/cosigner-key/v1" 00 | chain id | u64 epoch | u32 number | author.
std::string CosignerKeyMessage(const Hash& chain_id, uint64_t epoch, uint32_t number,
                               const KeyId& author);

using RecordBody = std::variant<EventBatchBody, HeartbeatBody, GapBody, StreamResetBody, AlertBody,
                                AttestationBody, ModelCommitmentBody, TriageBody, FaultProofBody,
                                ProposalBody, BallotBody, CosignerKeyBody>;

// A decoded leaf. `leaf`, `body_bytes` and the views in `body` point into the decoded bytes.
struct RecordView {
  RecordKind kind = RecordKind::kEventBatch;
  KeyId author;
  RecordBody body;
  ByteSpan leaf;
  ByteSpan body_bytes;
  Signature signature;
};

// Errors: kInvalidArgument naming the field: version, unknown or not admitted kind, sizes, a body
// that is not canonical. Seals are refused: only nodes make them.
absl::StatusOr<RecordView> DecodeRecord(ByteSpan leaf);

// "vigil/record/v1" 00 | kind | chain id | body: what a record signature covers.
std::string RecordSigningMessage(RecordKind kind, const Hash& chain_id, ByteSpan body);
bool VerifyRecordSignature(const RecordView& record, const Hash& chain_id, const PublicKey& key);

// Serialises and signs; the inverse of DecodeRecord. REQUIRES: fields within their limits.
std::string SignRecord(const RecordBody& body, const Hash& chain_id, const SigningKey& key);
RecordKind KindOfBody(const RecordBody& body);

// A record with the bytes beside it, as submitted, forwarded and put into blocks.
struct Record {
  std::string leaf;
  std::string payload;  // Empty for kinds without one.
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_RECORD_H_
