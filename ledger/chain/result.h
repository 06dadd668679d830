// What execution says of each record, and how that is hashed (docs/formats.md, Results).
#ifndef VIGIL_LEDGER_CHAIN_RESULT_H_
#define VIGIL_LEDGER_CHAIN_RESULT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"

namespace vigil::ledger {

// Stored: never renumber. Same numbers as vigil.v1.ResultCode.
enum class ResultCode : uint8_t {
  kOk = 1,
  kDuplicate = 2,
  kConflict = 3,
  kPermissionDenied = 4,
  kGapped = 5,
  kNotFound = 6,
  kStale = 7,
  kAlreadyExists = 8,
  kInvalid = 9,
};
absl::string_view ResultCodeName(ResultCode code);

// A change that others want to hear of, in the order it happened. Stored: never renumber.
enum class EffectType : uint8_t {
  kAlertProposed = 1,   // subject: record index of the alert.
  kAlertConfirmed = 2,  // subject: record index of the alert.
  kAlertContested = 3,  // subject: record index of the alert.
  kModelActivated = 4,  // subject: period; detail: u32 event type, model digest.
  kStreamOpened = 5,    // subject: record index of the first record.
  kStreamReset = 6,     // subject: record index of the reset.
  kProposalMade = 7,    // subject: record index of the proposal.
  kProposalClosed = 8,  // subject: record index of the proposal; detail: u8 proposal state.
  kAlertTriaged = 10,   // subject: record index of the alert; detail: u8 action.
  kFaultRecorded = 12,  // subject: record index of the alert; detail: u8 fault.
  kIncidentOpened =
      13,              // subject: record index of its first alert, which is the incident's number.
  kDriftNoticed = 14,  // subject: period; detail: u32 event type, u32 feature, u32 psi_q8.
  // From the next block on. subject: record index of the proposal; detail: rules digest.
  kRulesActivated = 15,
};
struct Effect {
  EffectType type = EffectType::kAlertProposed;
  uint64_t subject = 0;
  std::string detail;
  bool operator==(const Effect&) const = default;
};

struct RecordResult {
  RecordIndex index;
  ResultCode code = ResultCode::kOk;
  std::string signer;  // Identity "org/name"; empty when the key is unknown.
  std::vector<Effect> effects;
  bool operator==(const RecordResult&) const = default;
};

// u64 index | u8 code | prefixed signer | u32 effect count | per effect: u8 type, u64 subject,
// prefixed detail. The leaf of the results tree.
std::string EncodeResult(const RecordResult& result);
absl::StatusOr<RecordResult> DecodeResult(ByteSpan bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_RESULT_H_
