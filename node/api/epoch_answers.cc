#include "node/api/epoch_answers.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/state/cosigner_keys.h"
#include "ledger/state/governance.h"
#include "ledger/state/governance_queries.h"
#include "ledger/state/rules.h"
#include "node/api/convert.h"
#include "node/api/query_service.h"

namespace vigil::node {
namespace {

// Bytes of anchors in one answer, which clients read with gRPC's usual limit of 4 MiB.
constexpr size_t kAnswerBytesMax = 2 << 20;

size_t SizeOf(const ledger::EpochAnchor& anchor) {
  return anchor.seal_leaf.size() + anchor.path.size() * Hash::size() + anchor.checkpoint.size() +
         anchor.next_set.size() + anchor.addresses.size() + 5 * sizeof(uint32_t);
}

// Whether the validator that answers hears from `identity`. Its own connections are those of the
// epoch that it runs in, which may be the one before for a moment.
bool IsConnected(const NodeServices& services, const NodeStatus& status,
                 const std::string& identity) {
  if (identity == status.validator) return true;
  const auto& running = services.genesis().validators;
  for (size_t i = 0; i < running.size() && i < status.connected.size(); ++i) {
    if (running[i].identity() == identity) return status.connected[i];
  }
  return false;
}

void FillValidator(const ledger::Genesis& genesis, const ledger::AnnouncedKeys& announced, size_t i,
                   v1::ValidatorInfo* out) {
  const ledger::GenesisValidator& validator = genesis.validators[i];
  out->set_identity(validator.identity());
  for (const ledger::GenesisOrganisation& organisation : genesis.organisations) {
    if (organisation.id == validator.org) out->set_organisation(organisation.name);
  }
  if (i < genesis.validator_addresses.size()) out->set_address(genesis.validator_addresses[i]);
  const auto bytes = [](const auto& value) { return ToString(value.span()); };
  out->set_consensus_key(bytes(validator.consensus_key));
  out->set_log_key(bytes(validator.log_key));
  out->set_cosigner_key(bytes(validator.cosigner_key));
  out->set_record_key(bytes(validator.record_key));
  out->set_journal_id(bytes(validator.journal_id));
  out->set_cosigner_epoch(ledger::CosignerKeySince(genesis, validator).value());
  const auto next = announced.find(validator.identity());
  if (next != announced.end()) out->set_next_cosigner_key(bytes(next->second));
}

absl::StatusOr<std::optional<ledger::ProposalSubject>> SubjectOf(const std::string& text) {
  if (text.empty()) return std::optional<ledger::ProposalSubject>();
  for (const auto subject :
       {ledger::ProposalSubject::kValidators, ledger::ProposalSubject::kRules}) {
    if (text == ledger::ProposalSubjectName(subject)) {
      return std::optional<ledger::ProposalSubject>(subject);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("subject '", text, "'; known: validators, rules"));
}

}  // namespace

void FillProposal(const ledger::ProposalInfo& info, v1::Proposal* out) {
  out->set_record_index(info.index.value());
  out->set_state(std::string(ledger::ProposalStateName(info.row.state)));
  out->set_epoch(info.row.epoch);
  out->set_organisation(info.row.org);
  out->set_by(info.row.by);
  out->set_next_set(info.row.next_set);
  out->set_addresses(info.row.addresses);
  out->set_reason(info.row.reason);
  out->set_approve_count(info.row.approve_count);
  out->set_reject_count(info.row.reject_count);
  out->set_height(info.row.height.value());
  out->set_closed_height(info.row.closed_height.value());
  out->set_subject(std::string(ledger::ProposalSubjectName(info.row.subject())));
  if (info.row.subject() == ledger::ProposalSubject::kRules) {
    out->set_rules(info.row.rules);
    out->set_rules_digest(BytesOf(ledger::RulesDigestOf(info.row.rules)));
    if (!info.row.replaced_rules.IsZero())
      out->set_replaced_rules(BytesOf(info.row.replaced_rules));
  }
  for (const ledger::BallotInfo& ballot : info.ballots) {
    v1::Ballot* const one = out->add_ballots();
    one->set_organisation(ballot.org);
    one->set_by(ballot.row.by);
    one->set_choice(static_cast<uint32_t>(ballot.row.choice));
    one->set_record_index(ballot.row.record_index.value());
    one->set_height(ballot.row.height.value());
  }
}

absl::Status FillEpochChain(const NodeServices& services, const v1::GetEpochChainRequest& request,
                            v1::EpochChain* out) {
  const std::string file = services.EpochChain();
  ASSIGN_OR_RETURN(const std::vector<ledger::EpochAnchor> anchors,
                   ledger::DecodeEpochChain(AsBytes(file)));
  const size_t first = std::min<uint64_t>(request.after_epoch(), anchors.size());
  size_t last = first;
  for (size_t bytes = 0; last < anchors.size(); ++last) {
    bytes += SizeOf(anchors[last]);
    if (bytes > kAnswerBytesMax && last > first) break;
  }
  out->set_file(ledger::EncodeEpochChain(std::span(anchors).subspan(first, last - first)));
  out->set_epoch(services.genesis().epoch.value());
  return absl::OkStatus();
}

absl::Status FillValidators(const NodeServices& services, v1::Validators* out) {
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  ASSIGN_OR_RETURN(const ledger::Genesis genesis,
                   ledger::AtState(services.genesis(), reader->state()));
  out->set_epoch(genesis.epoch.value());
  out->set_base_height(genesis.epoch_base.value());
  out->set_set(ledger::EncodeValidatorSet(genesis.validators));
  const ledger::StateView view(&reader->state());
  const ledger::AnnouncedKeys announced = ledger::AnnouncedIn(view);
  RETURN_IF_ERROR(view.status());
  const NodeStatus status = services.Status();
  for (size_t i = 0; i < genesis.validators.size(); ++i) {
    v1::ValidatorInfo* const one = out->add_validators();
    FillValidator(genesis, announced, i, one);
    one->set_connected(IsConnected(services, status, one->identity()));
  }
  ASSIGN_OR_RETURN(const std::optional<ledger::ProposalInfo> approved,
                   ledger::ApprovedProposal(*reader));
  if (!approved.has_value()) return absl::OkStatus();
  FillProposal(*approved, out->mutable_approved());
  ASSIGN_OR_RETURN(
      const std::optional<ledger::ApprovedSetRow> set,
      ledger::ReadRow<ledger::ApprovedSetRow>(reader->state(), ledger::ApprovedSetKey()));
  if (set.has_value()) out->set_approved_set(set->set);
  return absl::OkStatus();
}

absl::Status FillEpochs(const NodeServices& services, const v1::ListEpochsRequest& request,
                        v1::ListEpochsResponse* out) {
  ASSIGN_OR_RETURN(const uint32_t limit, PageLimit(request.limit()));
  ASSIGN_OR_RETURN(const std::vector<ledger::EpochInfo> epochs,
                   ledger::ListEpochs(*services.Snapshot(), request.cursor(), limit));
  for (const ledger::EpochInfo& info : epochs) {
    v1::EpochBegun* const one = out->add_epochs();
    one->set_number(info.number);
    one->set_base_height(info.row.base.value());
    one->set_proposal_index(info.row.proposal.value());
    one->set_set(info.row.set);
    one->set_addresses(info.row.addresses);
  }
  if (epochs.size() == limit) out->set_next_cursor(epochs.back().number + 1);
  return absl::OkStatus();
}

absl::Status FillProposals(const NodeServices& services, const v1::ListProposalsRequest& request,
                           v1::ListProposalsResponse* out) {
  ASSIGN_OR_RETURN(const uint32_t limit, PageLimit(request.limit()));
  const std::shared_ptr<const ledger::ChainReader> reader = services.Snapshot();
  if (request.has_proposal_index()) {
    ASSIGN_OR_RETURN(const ledger::ProposalInfo info,
                     ledger::GetProposal(*reader, RecordIndex(request.proposal_index())));
    FillProposal(info, out->add_proposals());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::optional<ledger::ProposalSubject> subject,
                   SubjectOf(request.subject()));
  // The cursor is the last proposal of the page before.
  const RecordIndex from(request.cursor() != 0 ? request.cursor() - 1
                                               : std::numeric_limits<uint64_t>::max());
  ASSIGN_OR_RETURN(const std::vector<ledger::ProposalInfo> proposals,
                   ledger::ListProposals(*reader, from, limit, request.open_only(), subject));
  for (const ledger::ProposalInfo& info : proposals) {
    FillProposal(info, out->add_proposals());
    out->mutable_proposals(out->proposals_size() - 1)->clear_rules();
  }
  if (proposals.size() == limit) out->set_next_cursor(proposals.back().index.value());
  return absl::OkStatus();
}

}  // namespace vigil::node
