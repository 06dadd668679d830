#include "ledger/evidence/evidence_writer.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tlog_proof.h"

namespace vigil::ledger {
namespace {

constexpr size_t kPathBytesMax = 64 * Hash::size();
constexpr size_t kHeadBytesMax = 8 << 20;  // Checkpoint, genesis and what stands before the parts.

}  // namespace

absl::Status EvidenceWriter::Charge(size_t bytes) {
  if (bytes_ + bytes > kEvidenceBytesMax - kHeadBytesMax || parts_.size() >= kEvidencePartsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", kEvidenceBytesMax, " bytes or ", kEvidencePartsMax,
                     " records of evidence; ask for a shorter span"));
  }
  bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status EvidenceWriter::AddRecord(RecordIndex index, absl::string_view file) {
  ASSIGN_OR_RETURN(const TlogProof proof, DecodeTlogProof(file));
  if (proof.checkpoint != checkpoint_ || proof.index != index.value()) {
    return absl::InvalidArgumentError(absl::StrCat("evidence: a proof of record ", proof.index,
                                                   " where one of ", index.value(),
                                                   " under the evidence's own checkpoint belongs"));
  }
  ASSIGN_OR_RETURN(const absl::string_view head, ProofWithoutCheckpoint(file));
  RETURN_IF_ERROR(Charge(head.size()));
  parts_[index].proof = std::string(head);
  return absl::OkStatus();
}

absl::Status EvidenceWriter::AddEvents(RecordIndex index, ByteSpan payload,
                                       const std::set<uint32_t>& items) {
  Part& part = parts_.at(index);
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, SplitPayload(payload));
  if (part.leaves.empty()) {
    for (const ByteSpan& event : events) part.leaves.push_back(LeafHash(event));
  }
  for (const uint32_t item : items) {
    if (item >= events.size()) {
      return absl::NotFoundError(absl::StrCat("event ", index.value(), ".", item,
                                              ": the batch has ", events.size(), " events"));
    }
    RETURN_IF_ERROR(Charge(events[item].size() + kPathBytesMax / 4));
    part.events[item] = ToString(events[item]);
  }
  return absl::OkStatus();
}

std::string EvidenceWriter::Finish() const {
  Evidence evidence{
      .question = question_, .checkpoint = checkpoint_, .genesis = genesis_, .parts = {}};
  for (const auto& [index, kept] : parts_) {
    EvidencePart part{.proof = kept.proof, .events = {}};
    const bool all = kept.events.size() == kept.leaves.size();
    for (const auto& [item, bytes] : kept.events) {
      part.events.push_back({.item = ItemIndex(item),
                             .bytes = bytes,
                             .path = all ? std::vector<Hash>() : InclusionPath(kept.leaves, item)});
    }
    evidence.parts.push_back(std::move(part));
  }
  return EncodeEvidence(evidence);
}

}  // namespace vigil::ledger
