#include "ledger/evidence/evidence_writer.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tlog_proof.h"

namespace vigil::ledger {
namespace {

constexpr size_t kPartBytes = 4 + 4;       // Besides proof and events: length and count.
constexpr size_t kModelBytes = 4;          // Besides the model: its length.
constexpr size_t kEventBytes = 4 + 4 + 1;  // Besides bytes and path: item, length and path length.

}  // namespace

EvidenceWriter::EvidenceWriter(EvidenceQuestion question, std::string checkpoint,
                               std::string genesis, size_t bytes_max)
    : question_(question),
      checkpoint_(std::move(checkpoint)),
      genesis_(std::move(genesis)),
      bytes_max_(bytes_max),
      bytes_(Finish().size()) {}

absl::Status EvidenceWriter::CheckLimits(size_t bytes, size_t parts) const {
  if (bytes <= bytes_max_ && parts <= kEvidencePartsMax) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("more than ", bytes_max_, " bytes or ",
                                                   kEvidencePartsMax,
                                                   " records of evidence; ask for a shorter span"));
}

absl::Status EvidenceWriter::AddRecord(RecordIndex index, absl::string_view file) {
  ASSIGN_OR_RETURN(const TlogProof proof, DecodeTlogProof(file));
  if (proof.checkpoint != checkpoint_ || proof.index != index.value()) {
    return absl::InvalidArgumentError(absl::StrCat("evidence: a proof of record ", proof.index,
                                                   " where one of ", index.value(),
                                                   " under the evidence's own checkpoint belongs"));
  }
  ASSIGN_OR_RETURN(const absl::string_view head, ProofWithoutCheckpoint(file));
  const auto known = parts_.find(index);
  const bool is_new = known == parts_.end();
  const size_t before = is_new ? 0 : kPartBytes + known->second.proof.size();
  const size_t bytes = bytes_ - before + kPartBytes + head.size();
  RETURN_IF_ERROR(CheckLimits(bytes, parts_.size() + (is_new ? 1 : 0)));
  bytes_ = bytes;
  parts_[index].proof = std::string(head);
  return absl::OkStatus();
}

absl::Status EvidenceWriter::AddEvents(RecordIndex index, ByteSpan payload,
                                       const std::set<uint32_t>& items) {
  Part& part = parts_.at(index);
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, SplitPayload(payload));
  std::set<uint32_t> shown = items;
  for (const auto& [item, unused] : part.events) shown.insert(item);
  if (!shown.empty() && *shown.rbegin() >= events.size()) {
    return absl::NotFoundError(absl::StrCat("event ", index.value(), ".", *shown.rbegin(),
                                            ": the batch has ", events.size(), " events"));
  }
  // Where all are shown, none needs a path.
  const bool all = shown.size() == events.size();
  size_t event_bytes = 0;
  for (const uint32_t item : shown) {
    const size_t path = all ? 0 : InclusionRanges(item, events.size()).size();
    event_bytes += kEventBytes + events[item].size() + path * Hash::size();
  }
  const size_t bytes = bytes_ - part.event_bytes + event_bytes;
  RETURN_IF_ERROR(CheckLimits(bytes, parts_.size()));
  bytes_ = bytes;
  part.event_bytes = event_bytes;
  if (part.leaves.empty()) {
    for (const ByteSpan& event : events) part.leaves.push_back(LeafHash(event));
  }
  for (const uint32_t item : items) part.events[item] = ToString(events[item]);
  return absl::OkStatus();
}

absl::Status EvidenceWriter::AddModel(std::string model) {
  if (model.empty()) return absl::InvalidArgumentError("evidence: a model without bytes");
  if (model.size() > kEvidenceModelBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("evidence: a model of ", model.size(),
                                                     " bytes, at most ", kEvidenceModelBytesMax));
  }
  // With an epoch chain the length stands there even without a model.
  const bool counted = !model_.empty() || !epochs_.empty();
  const size_t before = counted ? kModelBytes + model_.size() : 0;
  const size_t bytes = bytes_ - before + kModelBytes + model.size();
  RETURN_IF_ERROR(CheckLimits(bytes, parts_.size()));
  bytes_ = bytes;
  model_ = std::move(model);
  return absl::OkStatus();
}

absl::Status EvidenceWriter::AddEpochs(std::string epochs) {
  if (epochs.empty() || !epochs_.empty())
    return absl::InvalidArgumentError("evidence: an epoch chain without bytes, or a second one");
  // Its length, and that of a model which is left out.
  const size_t bytes = bytes_ + 2 * kModelBytes + epochs.size();
  RETURN_IF_ERROR(CheckLimits(bytes, parts_.size()));
  bytes_ = bytes - (model_.empty() ? 0 : kModelBytes);
  epochs_ = std::move(epochs);
  return absl::OkStatus();
}

std::string EvidenceWriter::Finish() const {
  Evidence evidence{.question = question_,
                    .checkpoint = checkpoint_,
                    .genesis = genesis_,
                    .parts = {},
                    .model = model_,
                    .epochs = epochs_};
  for (const auto& [index, kept] : parts_) {
    EvidencePart part{.proof = kept.proof, .events = {}};
    const bool all = kept.shows_all();
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
