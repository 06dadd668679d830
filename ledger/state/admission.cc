// StateAt and CheckAdmissible: which records may enter a block.
#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/chain_state.h"
#include "ledger/state/cosigner_keys.h"
#include "ledger/state/faults.h"
#include "ledger/state/governance.h"
#include "ledger/state/identity.h"
#include "ledger/state/quorum.h"
#include "ledger/state/streams.h"
#include "ledger/state/tables.h"
#include "ledger/state/triage.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

namespace {

// The tip's state with the undo images of later blocks laid over it.
class PastState final : public StateBase {
 public:
  PastState(const StateBase* tip, WriteSet undo) : tip_(tip), undo_(std::move(undo)) {}

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    RETURN_IF_ERROR(CheckKept(key));
    const auto undone = undo_.find(std::string(key));
    if (undone != undo_.end()) return undone->second;
    return tip_->Get(key);
  }

  absl::Status Scan(absl::string_view prefix, const StateVisitor& visit) const override {
    RETURN_IF_ERROR(CheckKept(prefix));
    return ScanOverlay(undo_, *tip_, prefix, visit);
  }

 private:
  static absl::Status CheckKept(absl::string_view key) {
    if (IsAdmissionKey(key)) return absl::OkStatus();
    return absl::FailedPreconditionError("past state: only admission tables are kept");
  }

  const StateBase* const tip_;
  const WriteSet undo_;
};

// Says why a body cannot count in the state of `view`; the signer's key and role are fine.
struct AdmissionCheck {
  const Genesis& genesis;
  const StateView& view;
  const KeyRow& signer;
  const Hash& leaf_hash;

  absl::Status operator()(const EventBatchBody& body) const { return CheckStep(StepOf(body)); }
  absl::Status operator()(const HeartbeatBody& body) const { return CheckStep(StepOf(body)); }
  absl::Status operator()(const GapBody& body) const { return CheckStep(StepOf(body)); }

  absl::Status operator()(const StreamResetBody& body) const {
    if (OrgOf(body.identity) != signer.org) {
      return absl::PermissionDeniedError(absl::StrCat("stream reset for ", body.identity, " by ",
                                                      signer.identity,
                                                      ": not the same organisation"));
    }
    if (view.Get(StreamResetKey(leaf_hash)).has_value()) {
      return absl::AlreadyExistsError(
          absl::StrCat("stream reset ", leaf_hash.ToHex(), " is on the chain"));
    }
    return absl::OkStatus();
  }

  absl::Status operator()(const AlertBody& body) const {
    const std::optional<IndexRow> alert =
        ReadRow<IndexRow>(view, AlertOfEventKey(body.event, body.model_digest));
    if (!alert.has_value()) {
      const std::string contested =
          ContestedAlertKey(body.event, body.model_digest, signer.identity);
      if (!view.Get(contested).has_value()) return absl::OkStatus();
      return absl::AlreadyExistsError(absl::StrCat(
          "an alert of ", signer.identity, " for event ", body.event.record_index.value(), "/",
          body.event.item.value(), " and model ", body.model_digest.ToHex(), " was contested"));
    }
    return absl::AlreadyExistsError(absl::StrCat(
        "alert ", alert->index.value(), " stands for event ", body.event.record_index.value(), "/",
        body.event.item.value(), " and model ", body.model_digest.ToHex()));
  }

  absl::Status operator()(const AttestationBody& body) const {
    if (body.epoch != 0 && body.epoch != genesis.epoch.value()) {
      return absl::AlreadyExistsError(absl::StrCat("attestation in epoch ", body.epoch,
                                                   ", the present one is ", genesis.epoch.value()));
    }
    const bool is_new = std::any_of(
        body.attestations.begin(), body.attestations.end(), [&](const Attestation& attestation) {
          const RecordIndex alert = attestation.alert_index;
          const std::optional<VerdictRow> said =
              ReadRow<VerdictRow>(view, VerdictKey(alert, signer.identity));
          if (!said.has_value() || said->record_index < signer.enrolled_at) return true;
          // Said again, it may decide what an earlier epoch left open.
          return body.epoch != 0 && Decide(genesis, VoicesOn(genesis, view, alert));
        });
    if (is_new) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat("all ", body.attestations.size(), " verdicts of ",
                                                 signer.identity, " are on the chain"));
  }

  absl::Status operator()(const ModelCommitmentBody& body) const {
    const std::optional<CommitmentRow> said = ReadRow<CommitmentRow>(
        view, ModelCommitmentKey(body.period, body.event_type, signer.identity));
    // Under keys that were replaced since it may be said again.
    if (!said.has_value() || said->record_index < signer.enrolled_at) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat("model commitment of ", signer.identity,
                                                 " for type ", body.event_type, " and period ",
                                                 body.period, " is on the chain"));
  }

  absl::Status operator()(const TriageBody& body) const {
    return CheckTriageAdmissible(view, signer, body);
  }

  absl::Status operator()(const FaultProofBody& body) const {
    return CheckFaultProofAdmissible(view, signer, body);
  }

  absl::Status operator()(const ProposalBody& body) const {
    return CheckProposalAdmissible(genesis, view, signer, body);
  }

  absl::Status operator()(const BallotBody& body) const {
    return CheckBallotAdmissible(genesis, view, signer, body);
  }

  absl::Status operator()(const CosignerKeyBody& body) const {
    return CheckCosignerKeyAdmissible(genesis, view, signer, body);
  }

 private:
  absl::Status CheckStep(const StreamStep& step) const {
    const StreamHeadRow head = FindStreamHead(view, signer.identity, step.stream);
    if (step.sequence > head.sequence) return absl::OkStatus();
    return absl::AlreadyExistsError(
        absl::StrCat("stream ", signer.identity, "/", step.stream, ": sequence ", step.sequence,
                     ", the head is ", head.sequence, "; next is sequence ", head.sequence + 1,
                     " with previous ", head.leaf_hash.ToHex()));
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<StateBase>> StateAt(const ChainReader& reader, Height height) {
  ASSIGN_OR_RETURN(const Tip tip, reader.GetTip());
  if (height > tip.height || tip.height - height > kExecutionLagHeightsMax) {
    return absl::OutOfRangeError(absl::StrCat("state at height ", height.value(),
                                              ": the tip is at ", tip.height.value(), ", at most ",
                                              kExecutionLagHeightsMax, " back"));
  }
  WriteSet undo;
  // Ascending: of several blocks that wrote a key, the lowest one's image is what stood at
  // `height`.
  for (Height above = height.Next(); above <= tip.height; ++above) {
    ASSIGN_OR_RETURN(WriteSet image, reader.GetUndo(above));
    undo.merge(std::move(image));
  }
  return std::unique_ptr<StateBase>(new PastState(&reader.state(), std::move(undo)));
}

absl::Status CheckAdmissible(const Genesis& genesis, const StateBase& state,
                             const RecordView& record, const Hash& leaf_hash) {
  const StateView view(&state);
  const std::optional<KeyRow> signer = FindKeyRow(view, record.author);
  RETURN_IF_ERROR(view.status());
  if (!signer.has_value()) {
    return absl::UnauthenticatedError(
        absl::StrCat("key ", record.author.ToHex(), " is not enrolled"));
  }
  if (!MaySign(*signer, record.kind)) {
    return absl::PermissionDeniedError(
        absl::StrCat(KindOf(record.kind).name, " needs role ", RoleName(KindOf(record.kind).signer),
                     "; ", signer->identity, " has ", RoleNames(signer->roles)));
  }
  if (!VerifyRecordSignature(record, genesis.chain_id, signer->key)) {
    return absl::UnauthenticatedError(
        absl::StrCat(KindOf(record.kind).name, ": the signature is not that of ", signer->identity,
                     ", key ", record.author.ToHex()));
  }
  const absl::Status refused = std::visit(
      AdmissionCheck{.genesis = genesis, .view = view, .signer = *signer, .leaf_hash = leaf_hash},
      record.body);
  RETURN_IF_ERROR(view.status());
  return refused;
}

}  // namespace vigil::ledger
