#include "node/api/proof_answers.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/consistency.h"
#include "ledger/proof/proof_builder.h"
#include "ledger/state/log_keys.h"
#include "node/driver/chain_proof_source.h"

namespace vigil::node {
namespace {

static_assert(ledger::kTlogProofBytesMax < kGrpcMessageBytesMax &&
              ledger::kConsistencyBytesMax < kGrpcMessageBytesMax);

absl::Status CheckNoteSize(absl::string_view field, const std::string& note) {
  if (note.size() <= kProofNoteBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " of ", note.size(), " bytes, at most ", kProofNoteBytesMax));
}

// Whether `note`, which came with a request, speaks of this validator's own log.
absl::Status CheckOwn(const NodeServices& services, absl::string_view note) {
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint given, ledger::DecodeSignedCheckpoint(note));
  const ledger::Checkpoint& head = given.checkpoint;
  const ledger::Genesis& genesis = services.genesis();
  const std::string origin = ledger::CheckpointOrigin(genesis.network, genesis.genesis_hash);
  if (head.origin != origin) {
    return absl::FailedPreconditionError(
        absl::StrCat("a checkpoint of log ", head.origin, ", this one is ", origin));
  }
  if (head.size == 0) return absl::InvalidArgumentError("a checkpoint of no leaves");
  ASSIGN_OR_RETURN(const std::string newest, services.Checkpoint());
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint own, ledger::DecodeSignedCheckpoint(newest));
  if (head.size > own.checkpoint.size) {
    return absl::UnavailableError(absl::StrCat("a checkpoint of ", head.size,
                                               " leaves; this validator's newest final one has ",
                                               own.checkpoint.size));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ChainProofSource> source,
                   ChainProofSource::Make(&services));
  ASSIGN_OR_RETURN(const Hash root, ledger::RootFromTiles(source->tiles(), head.size));
  if (root == head.root) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("a checkpoint of ", head.size, " leaves with root ", head.root.ToHex(),
                   ", this validator's log has root ", root.ToHex(),
                   " there; if a quorum signed it, keep it: it is evidence of a fork"));
}

// Whether `older`, which came with a request, can be shown to be a prefix of `head`.
absl::Status CheckReaches(const NodeServices& services, absl::string_view older,
                          absl::string_view head) {
  RETURN_IF_ERROR(CheckOwn(services, older));
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint from, ledger::DecodeSignedCheckpoint(older));
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint to, ledger::DecodeSignedCheckpoint(head));
  if (from.checkpoint.size <= to.checkpoint.size) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the older checkpoint has ", from.checkpoint.size,
                                             " leaves, the newer one ", to.checkpoint.size));
}

absl::StatusOr<RecordIndex> IndexOf(const ChainProofSource& source, const v1::RecordRef& ref) {
  if (ref.which_case() != v1::RecordRef::kLeafHash) return RecordIndex(ref.record_index());
  ASSIGN_OR_RETURN(const Hash leaf_hash, Hash::From(AsBytes(ref.leaf_hash())));
  return source.FindRecord(leaf_hash);
}

absl::StatusOr<std::string> Build(const NodeServices& services, const v1::GetProofRequest& request,
                                  const std::string& head) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ChainProofSource> source,
                   ChainProofSource::Make(&services));
  switch (request.subject_case()) {
    case v1::GetProofRequest::kEvent: {
      const v1::EventProofRequest& event = request.event();
      ASSIGN_OR_RETURN(const RecordIndex index, IndexOf(*source, event.batch()));
      return ledger::BuildEventProof(
          *source, head, index, ItemIndex(event.item()),
          event.withhold() ? ledger::EventBytes::kWithhold : ledger::EventBytes::kInclude);
    }
    case v1::GetProofRequest::kRecord: {
      ASSIGN_OR_RETURN(const RecordIndex index, IndexOf(*source, request.record()));
      return ledger::BuildRecordProof(*source, head, index);
    }
    case v1::GetProofRequest::kBlockHeight:
      return ledger::BuildBlockProof(*source, head, Height(request.block_height()));
    case v1::GetProofRequest::kOlderCheckpoint:
      RETURN_IF_ERROR(CheckReaches(services, request.older_checkpoint(), head));
      return ledger::BuildConsistencyProof(source->tiles(), request.older_checkpoint(), head);
    case v1::GetProofRequest::SUBJECT_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("no subject: event, record, block_height or older_checkpoint");
}

}  // namespace

absl::Status CheckProofRequest(const v1::GetProofRequest& request) {
  if (request.subject_case() == v1::GetProofRequest::SUBJECT_NOT_SET) {
    return absl::InvalidArgumentError(
        "no subject: event, record, block_height or older_checkpoint");
  }
  RETURN_IF_ERROR(CheckNoteSize("older_checkpoint", request.older_checkpoint()));
  RETURN_IF_ERROR(CheckNoteSize("under_checkpoint", request.under_checkpoint()));
  if (request.witnessed_by_size() > kProofWitnessesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        request.witnessed_by_size(), " names in witnessed_by, at most ", kProofWitnessesMax));
  }
  for (const std::string& name : request.witnessed_by()) {
    if (name.size() > kProofWitnessBytesMax || !ledger::IsNoteKeyName(name)) {
      return absl::InvalidArgumentError("witnessed_by: not the name of a key");
    }
  }
  if (request.witnessed_by_size() > 0 && !request.under_checkpoint().empty()) {
    return absl::InvalidArgumentError("both under_checkpoint and witnessed_by; give one of them");
  }
  if (request.wait_millis() > kProofWaitMillisMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("wait_millis ", request.wait_millis(), ", at most ", kProofWaitMillisMax));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ProofHead(const NodeServices& services,
                                      const v1::GetProofRequest& request) {
  if (!request.under_checkpoint().empty()) {
    RETURN_IF_ERROR(CheckOwn(services, request.under_checkpoint()));
    return request.under_checkpoint();
  }
  if (request.witnessed_by_size() > 0) {
    const std::vector<std::string> names(request.witnessed_by().begin(),
                                         request.witnessed_by().end());
    return services.CheckpointWitnessedBy(names);
  }
  absl::StatusOr<std::string> newest = services.Checkpoint();
  if (!absl::IsNotFound(newest.status())) return newest;
  return absl::UnavailableError(newest.status().message());
}

absl::Status FillProof(const NodeServices& services, const v1::GetProofRequest& request,
                       const std::string& head, v1::Proof* out) {
  absl::StatusOr<std::string> file = Build(services, request, head);
  if (absl::IsUnavailable(file.status()) && !request.under_checkpoint().empty()) {
    // No later moment changes what lies below a given checkpoint.
    return absl::FailedPreconditionError(file.status().message());
  }
  if (!file.ok()) return file.status();
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint under, ledger::DecodeSignedCheckpoint(head));
  out->set_file(*std::move(file));
  out->set_size(under.checkpoint.size);
  return absl::OkStatus();
}

}  // namespace vigil::node
