#include "ledger/chain/result.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"

namespace vigil::ledger {

namespace {

constexpr size_t kSignerBytesMax = 2 * kNameBytesMax + 1;
constexpr size_t kDetailBytesMax = 1024;
// An attestation record carries at most 256 verdicts, each with at most two effects.
constexpr uint32_t kEffectsMax = 1024;

bool IsEffectType(uint8_t value) {
  return (value >= static_cast<uint8_t>(EffectType::kAlertProposed) &&
          value <= static_cast<uint8_t>(EffectType::kProposalClosed)) ||
         value == static_cast<uint8_t>(EffectType::kAlertTriaged) ||
         value == static_cast<uint8_t>(EffectType::kFaultRecorded) ||
         value == static_cast<uint8_t>(EffectType::kIncidentOpened) ||
         value == static_cast<uint8_t>(EffectType::kDriftNoticed) ||
         value == static_cast<uint8_t>(EffectType::kRulesActivated);
}

}  // namespace

absl::string_view ResultCodeName(ResultCode code) {
  switch (code) {
    case ResultCode::kOk:
      return "ok";
    case ResultCode::kDuplicate:
      return "duplicate";
    case ResultCode::kConflict:
      return "conflict";
    case ResultCode::kPermissionDenied:
      return "permission_denied";
    case ResultCode::kGapped:
      return "gapped";
    case ResultCode::kNotFound:
      return "not_found";
    case ResultCode::kStale:
      return "stale";
    case ResultCode::kAlreadyExists:
      return "already_exists";
    case ResultCode::kInvalid:
      return "invalid";
  }
  return "unknown";
}

std::string EncodeResult(const RecordResult& result) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U64(result.index.value()).U8(static_cast<uint8_t>(result.code)).Prefixed(result.signer);
  writer.U32(static_cast<uint32_t>(result.effects.size()));
  for (const Effect& effect : result.effects) {
    writer.U8(static_cast<uint8_t>(effect.type)).U64(effect.subject).Prefixed(effect.detail);
  }
  return bytes;
}

absl::StatusOr<RecordResult> DecodeResult(ByteSpan bytes) {
  ByteReader reader(bytes);
  RecordResult result;
  result.index = RecordIndex(reader.U64());
  const uint8_t code = reader.U8();
  result.signer = ToString(reader.Prefixed(kSignerBytesMax));
  const uint32_t effect_count = reader.U32();
  if (code < static_cast<uint8_t>(ResultCode::kOk) ||
      code > static_cast<uint8_t>(ResultCode::kInvalid)) {
    return absl::InvalidArgumentError(absl::StrCat("result: code ", code, ", at most 9"));
  }
  if (effect_count > kEffectsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("result: ", effect_count, " effects, at most ", kEffectsMax));
  }
  result.code = static_cast<ResultCode>(code);
  for (uint32_t i = 0; i < effect_count && reader.ok(); ++i) {
    const uint8_t type = reader.U8();
    if (!IsEffectType(type)) {
      return absl::InvalidArgumentError(absl::StrCat("result: effect type ", type, ", at most 6"));
    }
    Effect effect;
    effect.type = static_cast<EffectType>(type);
    effect.subject = reader.U64();
    effect.detail = ToString(reader.Prefixed(kDetailBytesMax));
    result.effects.push_back(std::move(effect));
  }
  absl::Status finished = reader.Finish("result");
  if (!finished.ok()) return finished;
  return result;
}

}  // namespace vigil::ledger
