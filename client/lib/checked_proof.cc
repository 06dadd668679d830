#include "client/lib/checked_proof.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/tlog_proof.h"

namespace vigil::client {
namespace {

using ledger::ProofReport;
using ledger::ProofVerdict;

template <typename... Parts>
absl::Status Lie(const Parts&... parts) {
  return absl::DataLossError(absl::StrCat(parts...));
}

// Why a file is not believed. That its epoch is not known yet is no lie.
absl::Status NotVerified(ProofVerdict verdict, absl::string_view reason) {
  const std::string text = absl::StrCat(ledger::ProofVerdictName(verdict), ": ", reason);
  if (verdict == ProofVerdict::kUnknownEpoch) return absl::OutOfRangeError(text);
  return absl::DataLossError(text);
}

// Whatever the file claims is proven.
bool Holds(const v1::GetProofRequest& request, const ProofReport& report) {
  if (report.verdict == ProofVerdict::kVerified) return true;
  // Withheld, or pruned where it was asked for: no lie, and the verdict tells.
  if (report.verdict == ProofVerdict::kPayloadMissing) return request.has_event();
  // That the chain refused the record is proven, too.
  return report.verdict == ProofVerdict::kNotIncluded && report.result.has_value() &&
         report.result->code != ledger::ResultCode::kOk;
}

absl::Status ShowsRecord(const v1::RecordRef& asked, const ProofReport& report) {
  if (asked.which_case() == v1::RecordRef::kLeafHash) {
    if (report.record->leaf_hash.view() == asked.leaf_hash()) return absl::OkStatus();
    return Lie("it shows the record with leaf ", report.record->leaf_hash.ToHex());
  }
  if (report.record->index.value() == asked.record_index()) return absl::OkStatus();
  return Lie("it shows record ", report.record->index.value(), ", asked for was ",
             asked.record_index());
}

absl::Status ShowsSubject(const v1::GetProofRequest& request, const ProofReport& report) {
  const auto is = [&](ledger::ProofSubject subject) { return report.subject == subject; };
  if (request.has_event() && is(ledger::ProofSubject::kEvent)) {
    RETURN_IF_ERROR(ShowsRecord(request.event().batch(), report));
    if (!report.event.has_value() || report.event->item.value() == request.event().item()) {
      return absl::OkStatus();
    }
    return Lie("it shows event ", report.event->item.value(), " of the batch, asked for was ",
               request.event().item());
  }
  if (request.has_record() && is(ledger::ProofSubject::kRecord)) {
    return ShowsRecord(request.record(), report);
  }
  if (request.subject_case() == v1::GetProofRequest::kBlockHeight &&
      is(ledger::ProofSubject::kBlock)) {
    if (report.block->height.value() == request.block_height()) return absl::OkStatus();
    return Lie("it shows block ", report.block->height.value(), ", asked for was ",
               request.block_height());
  }
  return Lie("it is a proof of another kind of thing");
}

// Whether the file hangs on the checkpoint that was asked for.
absl::Status ShowsHead(const v1::GetProofRequest& request, absl::string_view note) {
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint head, ledger::DecodeSignedCheckpoint(note));
  if (!request.under_checkpoint().empty()) {
    const auto asked = ledger::DecodeSignedCheckpoint(request.under_checkpoint());
    if (!asked.ok() || !(asked->checkpoint == head.checkpoint)) {
      return Lie("it is made under another checkpoint than the one asked for");
    }
  }
  for (const std::string& name : request.witnessed_by()) {
    const auto& lines = head.note.signatures;
    if (std::none_of(lines.begin(), lines.end(),
                     [&](const ledger::NoteSignature& line) { return line.name == name; })) {
      return Lie("its checkpoint has no line of ", name);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckedProof> CheckConsistency(const ledger::PolicyChain& policies,
                                              const v1::GetProofRequest& request,
                                              absl::string_view file) {
  CheckedProof checked;
  checked.consistency = ledger::VerifyConsistencyProof(policies, file);
  const ledger::ConsistencyReport& report = *checked.consistency;
  if (!ledger::IsVerified(report.verdict)) {
    return NotVerified(report.verdict, report.reason);
  }
  ASSIGN_OR_RETURN(const ledger::ConsistencyProof proof, ledger::DecodeConsistencyProof(file));
  if (proof.checkpoints.first != request.older_checkpoint()) {
    return Lie("its older checkpoint is not the one that was given");
  }
  RETURN_IF_ERROR(ShowsHead(request, proof.checkpoints.second));
  checked.head = report.newer->checkpoint;
  return checked;
}

}  // namespace

absl::StatusOr<CheckedProof> CheckProof(const ledger::PolicyChain& policies,
                                        const v1::GetProofRequest& request,
                                        absl::string_view file) {
  if (request.subject_case() == v1::GetProofRequest::kOlderCheckpoint) {
    return CheckConsistency(policies, request, file);
  }
  CheckedProof checked;
  checked.report = ledger::VerifyProof(policies, file);
  const ProofReport& report = checked.report;
  if (!Holds(request, report)) {
    return NotVerified(report.verdict, report.reason);
  }
  RETURN_IF_ERROR(ShowsSubject(request, report));
  ASSIGN_OR_RETURN(const ledger::TlogProof proof, ledger::DecodeTlogProof(file));
  RETURN_IF_ERROR(ShowsHead(request, proof.checkpoint));
  checked.head = report.head->checkpoint;
  return checked;
}

}  // namespace vigil::client
