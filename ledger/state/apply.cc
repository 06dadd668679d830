#include "ledger/state/apply.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/record.h"
#include "ledger/state/alerts.h"
#include "ledger/state/cosigner_keys.h"
#include "ledger/state/faults.h"
#include "ledger/state/governance.h"
#include "ledger/state/identity.h"
#include "ledger/state/models.h"
#include "ledger/state/record_context.h"
#include "ledger/state/streams.h"
#include "ledger/state/triage.h"

namespace vigil::ledger {

namespace {

// Which module executes which body.
struct Executor {
  const RecordContext& context;

  ResultCode operator()(const EventBatchBody& body) const {
    return ApplyStreamStep(context, StepOf(body));
  }
  ResultCode operator()(const HeartbeatBody& body) const {
    return ApplyStreamStep(context, StepOf(body));
  }
  ResultCode operator()(const GapBody& body) const {
    return ApplyStreamStep(context, StepOf(body));
  }
  ResultCode operator()(const StreamResetBody& body) const {
    return ApplyStreamReset(context, body);
  }
  ResultCode operator()(const AlertBody& body) const { return ApplyAlert(context, body); }
  ResultCode operator()(const AttestationBody& body) const {
    return ApplyAttestation(context, body);
  }
  ResultCode operator()(const ModelCommitmentBody& body) const {
    return ApplyModelCommitment(context, body);
  }
  ResultCode operator()(const TriageBody& body) const { return ApplyTriage(context, body); }
  ResultCode operator()(const FaultProofBody& body) const { return ApplyFaultProof(context, body); }
  ResultCode operator()(const ProposalBody& body) const { return ApplyProposal(context, body); }
  ResultCode operator()(const BallotBody& body) const { return ApplyBallot(context, body); }
  ResultCode operator()(const CosignerKeyBody& body) const {
    return ApplyCosignerKey(context, body);
  }
};

void AddTotals(const RecordView& record, const RecordResult& result, EventTotals* totals) {
  const auto* const batch = std::get_if<EventBatchBody>(&record.body);
  if (batch == nullptr || result.code != ResultCode::kOk) return;
  const bool first = totals->event_count == 0;
  totals->event_count += batch->item_count;
  totals->time_min =
      first ? batch->first_time_unix_nano : std::min(totals->time_min, batch->first_time_unix_nano);
  totals->time_max = std::max(totals->time_max, batch->last_time_unix_nano);
}

absl::StatusOr<RecordResult> ApplyRecord(const ApplyContext& block, uint64_t time_unix_millis,
                                         const RecordView& record, const Hash& leaf_hash,
                                         RecordIndex index, RecordIndex seal, StateView* view) {
  const std::optional<KeyRow> signer = FindKeyRow(*view, record.author);
  RETURN_IF_ERROR(view->status());
  if (!signer.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("record ", index.value(), " of block ",
                                                   block.height.value(), ": key ",
                                                   record.author.ToHex(), " is not enrolled"));
  }
  RecordResult result;
  result.index = index;
  result.signer = signer->identity;
  if (!MaySign(*signer, record.kind)) {
    result.code = ResultCode::kPermissionDenied;
    return result;
  }
  const RecordContext context{.genesis = block.genesis,
                              .height = block.height,
                              .time_unix_millis = time_unix_millis,
                              .index = index,
                              .seal = seal,
                              .leaf_hash = leaf_hash,
                              .signer = &*signer,
                              .view = view,
                              .effects = &result.effects};
  result.code = std::visit(Executor{context}, record.body);
  RETURN_IF_ERROR(view->status());
  return result;
}

}  // namespace

absl::StatusOr<std::vector<RecordResult>> ApplyBlock(const ApplyContext& context,
                                                     const Block& block, StateView* view,
                                                     EventTotals* totals) {
  std::vector<RecordResult> results;
  results.reserve(block.records().size());
  RecordIndex index = context.first_index;
  const RecordIndex seal(index.value() + block.records().size());
  for (const Block::Entry& entry : block.records()) {
    const absl::StatusOr<RecordView> record = DecodeRecord(entry.leaf);
    if (!record.ok()) {
      return absl::DataLossError(absl::StrCat("record ", index.value(), " of block ",
                                              context.height.value(), ": ",
                                              record.status().message()));
    }
    ASSIGN_OR_RETURN(RecordResult result, ApplyRecord(context, block.header().time_unix_millis,
                                                      *record, entry.leaf_hash, index, seal, view));
    if (totals != nullptr) AddTotals(*record, result, totals);
    results.push_back(std::move(result));
    ++index;
  }
  if (Seals(block.header())) ApplyEpochEnd(*context.genesis, context.height, index, view);
  RETURN_IF_ERROR(view->status());
  return results;
}

void ApplyGenesis(const Genesis& genesis, StateView* view) { EnrolGenesisKeys(genesis, view); }

}  // namespace vigil::ledger
