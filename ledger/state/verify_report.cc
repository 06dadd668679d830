#include "ledger/state/verify_report.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace vigil::ledger {

absl::string_view FindingTypeName(FindingType type) {
  switch (type) {
    case FindingType::kJournalDamaged:
      return "journal_damaged";
    case FindingType::kFrameMalformed:
      return "frame_malformed";
    case FindingType::kMarkConflict:
      return "mark_conflict";
    case FindingType::kBlockMissing:
      return "block_missing";
    case FindingType::kBlockAltered:
      return "block_altered";
    case FindingType::kBlockConflict:
      return "block_conflict";
    case FindingType::kBlockOutOfOrder:
      return "block_out_of_order";
    case FindingType::kBlockInvalid:
      return "block_invalid";
    case FindingType::kBlockLink:
      return "block_link";
    case FindingType::kLeafAltered:
      return "leaf_altered";
    case FindingType::kRecordInvalid:
      return "record_invalid";
    case FindingType::kRecordSignature:
      return "record_signature";
    case FindingType::kRecordKeyUnknown:
      return "record_key_unknown";
    case FindingType::kPayloadAltered:
      return "payload_altered";
    case FindingType::kEventInvalid:
      return "event_invalid";
    case FindingType::kSnapshotDiffers:
      return "snapshot_differs";
    case FindingType::kStateDivergence:
      return "state_divergence";
    case FindingType::kNotExecuted:
      return "not_executed";
    case FindingType::kStoreUnreadable:
      return "store_unreadable";
    case FindingType::kStoreMissing:
      return "store_missing";
    case FindingType::kBaseDiffers:
      return "base_differs";
    case FindingType::kCheckpointDiffers:
      return "checkpoint_differs";
    case FindingType::kArchiveDiffers:
      return "archive_differs";
    case FindingType::kEndMissing:
      return "end_missing";
    case FindingType::kPinDiffers:
      return "pin_differs";
    case FindingType::kStoreExtra:
      return "store_extra";
    case FindingType::kStoreDiffers:
      return "store_differs";
    case FindingType::kStoreAhead:
      return "store_ahead";
  }
  return "unknown";
}

absl::string_view CheckpointStateName(CheckpointJudgement::State state) {
  switch (state) {
    case CheckpointJudgement::State::kMatches:
      return "matches";
    case CheckpointJudgement::State::kContinues:
      return "continues the log that was read";
    case CheckpointJudgement::State::kBelowBase:
      return "below the base, which continues it";
    case CheckpointJudgement::State::kBeyondEnd:
      return "beyond the last block that is known to be committed";
    case CheckpointJudgement::State::kNotCompared:
      return "not compared: the tree at its size is not known here";
  }
  return "unknown";
}

absl::string_view VerdictName(VerifyVerdict verdict) {
  switch (verdict) {
    case VerifyVerdict::kVerified:
      return "VERIFIED";
    case VerifyVerdict::kVerifiedFromBase:
      return "VERIFIED_FROM_BASE";
    case VerifyVerdict::kVerifiedPartly:
      return "VERIFIED_PARTLY";
    case VerifyVerdict::kDamaged:
      return "DAMAGED";
  }
  return "unknown";
}

VerifyVerdict VerifyReport::verdict() const {
  if (!ok()) return VerifyVerdict::kDamaged;
  if (missing.empty() && missing_offsets.empty()) return VerifyVerdict::kVerified;
  const bool starts_there = missing_offsets.empty() ||
                            (missing_offsets.size() == 1 && missing_offsets[0].range.begin == 0);
  return from_base > Height(0) && starts_there ? VerifyVerdict::kVerifiedFromBase
                                               : VerifyVerdict::kVerifiedPartly;
}

std::string DescribeFinding(const VerifyFinding& finding) {
  std::string text(FindingTypeName(finding.type));
  if (finding.height != Height(0)) {
    absl::StrAppend(&text, " at height ", finding.height.value());
    if (finding.last_height != finding.height) {
      absl::StrAppend(&text, " to ", finding.last_height.value());
    }
  }
  if (finding.record.has_value()) absl::StrAppend(&text, ", record ", finding.record->value());
  if (finding.item.has_value()) absl::StrAppend(&text, ", item ", finding.item->value());
  if (finding.position.has_value()) {
    absl::StrAppend(&text, ", journal offset ", finding.position->offset);
  }
  return absl::StrCat(text, ": ", finding.what);
}

void FindingSink::Add(VerifyFinding finding) {
  if (report_->stopped_early) return;
  if (finding.last_height < finding.height) finding.last_height = finding.height;
  ++report_->finding_count;
  ++report_->counts[finding.type];
  if (report_->findings.size() < findings_max_) report_->findings.push_back(std::move(finding));
  if (stop_at_first_) report_->stopped_early = true;
}

}  // namespace vigil::ledger
