#include "ledger/state/governance.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/crypto/keys.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/cosigner_keys.h"
#include "ledger/state/rules.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {
namespace {

// Organisations with a validator in the set of `genesis`.
std::set<std::string> VotersOf(const Genesis& genesis) {
  std::set<std::string> voters;
  for (const GenesisValidator& validator : genesis.validators) voters.insert(validator.org);
  return voters;
}

ProposalSubject SubjectOf(const ProposalBody& body) {
  return body.rules.empty() ? ProposalSubject::kValidators : ProposalSubject::kRules;
}

// The whole set is decoded wherever it is needed: a proposal is rare and at most 4 KiB.
std::vector<GenesisValidator> SetOf(absl::string_view encoded, const StateView& view) {
  absl::StatusOr<std::vector<GenesisValidator>> set = DecodeValidatorSet(AsBytes(encoded));
  if (set.ok()) return *std::move(set);
  view.Fail(absl::DataLossError(absl::StrCat("state: ", set.status().message())));
  return {};
}

void Close(const RecordContext& context, RecordIndex index, ProposalState state,
           ProposalRow* proposal) {
  proposal->state = state;
  proposal->closed_height = context.height;
  context.view->Delete(OpenProposalKey(proposal->org, proposal->subject()));
  context.Emit(EffectType::kProposalClosed, index.value(),
               std::string(1, static_cast<char>(state)));
}

// Open proposals that were made for another set than the coming one; of one subject alone, if
// given, those that were made for other rules.
void LapseOpen(Height height, std::optional<ProposalSubject> subject, StateView* view) {
  std::vector<std::pair<std::string, RecordIndex>> open;
  const std::string prefix = TablePrefix(Table::kOpenProposal);
  view->Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    const absl::StatusOr<IndexRow> row = DecodeRow<IndexRow>(value);
    if (row.ok()) {
      open.emplace_back(key, row->index);
    } else {
      view->Fail(row.status());
    }
    return row.ok();
  });
  for (const auto& [key, index] : open) {
    std::optional<ProposalRow> proposal = ReadRow<ProposalRow>(*view, ProposalKey(index));
    if (!proposal.has_value()) continue;
    if (subject.has_value() && proposal->subject() != *subject) continue;
    proposal->state = ProposalState::kLapsed;
    proposal->closed_height = height;
    WriteRow(view, ProposalKey(index), *proposal);
    view->Delete(key);
  }
}

// What a majority wants: a set begins with the next epoch, rules with the next block.
void Approve(const RecordContext& context, RecordIndex index, ProposalRow* proposal) {
  if (proposal->subject() == ProposalSubject::kRules) {
    Close(context, index, ProposalState::kActivated, proposal);
    ActivateRules(context, index, proposal->rules);
    LapseOpen(context.height, ProposalSubject::kRules, context.view);
    return;
  }
  Close(context, index, ProposalState::kApproved, proposal);
  const std::vector<GenesisValidator> set = SetOf(proposal->next_set, *context.view);
  WriteRow(context.view, ApprovedSetKey(),
           ApprovedSetRow{.proposal = index,
                          .height = context.height,
                          .set = EncodeValidatorSet(WithAnnouncedKeys(
                              *context.genesis, set, AnnouncedIn(*context.view)))});
}

// Counts a ballot and closes the proposal once a majority says the same.
void Count(const RecordContext& context, RecordIndex index, BallotChoice choice,
           ProposalRow* proposal) {
  WriteRow(context.view, BallotKey(index, context.signer->org),
           BallotRow{.choice = choice,
                     .by = context.signer->identity,
                     .record_index = context.index,
                     .height = context.height});
  uint32_t& count =
      choice == BallotChoice::kApprove ? proposal->approve_count : proposal->reject_count;
  ++count;
  const size_t voters = VotersOf(*context.genesis).size();
  const size_t majority = voters / 2 + 1;
  if (proposal->approve_count >= majority) {
    Approve(context, index, proposal);
  } else if (proposal->reject_count > voters - majority) {
    Close(context, index, ProposalState::kRejected, proposal);
  }
}

void MoveKeys(const std::vector<GenesisValidator>& from, const std::vector<GenesisValidator>& to,
              RecordIndex seal, StateView* view) {
  const auto among = [](const std::vector<GenesisValidator>& set, const PublicKey& key) {
    return std::any_of(set.begin(), set.end(), [&](const GenesisValidator& validator) {
      return validator.record_key == key;
    });
  };
  for (const GenesisValidator& leaving : from) {
    if (!among(to, leaving.record_key)) view->Delete(KeyKey(KeyIdOf(leaving.record_key)));
  }
  for (const GenesisValidator& coming : to) {
    if (among(from, coming.record_key)) continue;
    WriteRow(view, KeyKey(KeyIdOf(coming.record_key)),
             KeyRow{.identity = coming.identity(),
                    .org = coming.org,
                    .roles = static_cast<uint32_t>(Role::kValidator),
                    .key = coming.record_key,
                    .enrolled_at = seal});
  }
}

// Of the body alone, whatever the state says.
absl::Status CheckProposed(const Genesis& genesis, const ProposalBody& body) {
  if (SubjectOf(body) == ProposalSubject::kRules) {
    RETURN_IF_ERROR(CheckRuleFile(body.rules));
    if (RulesDigestOf(body.rules) != body.replaced_rules) return absl::OkStatus();
    return absl::InvalidArgumentError("rules: the file is that of the rules that it replaces");
  }
  ASSIGN_OR_RETURN(const std::vector<GenesisValidator> next, DecodeValidatorSet(body.next_set));
  RETURN_IF_ERROR(SplitAddresses(body.addresses, next.size()).status());
  return CheckNextSet(genesis, next);
}

absl::Status NoValidator(const KeyRow& signer) {
  return absl::PermissionDeniedError(
      absl::StrCat(signer.identity, ": its organisation has no validator, so it has no ballot"));
}

}  // namespace

ResultCode ApplyProposal(const RecordContext& context, const ProposalBody& body) {
  StateView* const view = context.view;
  const std::string& org = context.signer->org;
  if (!VotersOf(*context.genesis).contains(org)) return ResultCode::kPermissionDenied;
  if (body.epoch != context.genesis->epoch.value()) return ResultCode::kStale;
  const ProposalSubject subject = SubjectOf(body);
  if (subject == ProposalSubject::kRules &&
      body.replaced_rules != NewestRules(*context.genesis, *view)) {
    return ResultCode::kStale;
  }
  const std::string open_key = OpenProposalKey(org, subject);
  if (view->Get(ApprovedSetKey()).has_value() || view->Get(open_key).has_value()) {
    return ResultCode::kConflict;
  }
  if (!CheckProposed(*context.genesis, body).ok()) return ResultCode::kInvalid;
  ProposalRow proposal{.epoch = body.epoch,
                       .org = org,
                       .by = context.signer->identity,
                       .next_set = ToString(body.next_set),
                       .addresses = std::string(body.addresses),
                       .reason = std::string(body.reason),
                       .height = context.height,
                       .closed_height = Height(0),
                       .rules = std::string(body.rules),
                       .replaced_rules = body.replaced_rules};
  WriteRow(view, open_key, IndexRow{context.index});
  context.Emit(EffectType::kProposalMade, context.index.value());
  Count(context, context.index, BallotChoice::kApprove, &proposal);
  WriteRow(view, ProposalKey(context.index), proposal);
  return ResultCode::kOk;
}

ResultCode ApplyBallot(const RecordContext& context, const BallotBody& body) {
  const std::string key = ProposalKey(body.proposal_index);
  std::optional<ProposalRow> proposal = ReadRow<ProposalRow>(*context.view, key);
  if (!proposal.has_value()) return ResultCode::kNotFound;
  const std::string& org = context.signer->org;
  if (!VotersOf(*context.genesis).contains(org)) return ResultCode::kPermissionDenied;
  if (proposal->state != ProposalState::kOpen || context.view->Get(ApprovedSetKey()).has_value()) {
    return ResultCode::kStale;
  }
  if (context.view->Get(BallotKey(body.proposal_index, org)).has_value()) {
    return ResultCode::kConflict;
  }
  Count(context, body.proposal_index, static_cast<BallotChoice>(body.choice), &*proposal);
  WriteRow(context.view, key, *proposal);
  return ResultCode::kOk;
}

absl::Status CheckProposalAdmissible(const Genesis& genesis, const StateView& view,
                                     const KeyRow& signer, const ProposalBody& body) {
  if (!VotersOf(genesis).contains(signer.org)) return NoValidator(signer);
  if (body.epoch != genesis.epoch.value()) {
    return absl::AlreadyExistsError(absl::StrCat("the proposal is for epoch ", body.epoch,
                                                 ", the present one is ", genesis.epoch.value()));
  }
  RETURN_IF_ERROR(CheckProposed(genesis, body));
  if (view.Get(ApprovedSetKey()).has_value()) {
    return absl::AlreadyExistsError("a set of validators is approved and about to begin");
  }
  const auto open = ReadRow<IndexRow>(view, OpenProposalKey(signer.org, SubjectOf(body)));
  if (!open.has_value()) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("proposal ", open->index.value(), " of ", signer.org, " is open"));
}

absl::Status CheckBallotAdmissible(const Genesis& genesis, const StateView& view,
                                   const KeyRow& signer, const BallotBody& body) {
  if (!VotersOf(genesis).contains(signer.org)) return NoValidator(signer);
  const uint64_t index = body.proposal_index.value();
  if (view.Get(BallotKey(body.proposal_index, signer.org)).has_value()) {
    return absl::AlreadyExistsError(absl::StrCat(signer.org, " has a ballot for proposal ", index));
  }
  const auto proposal = ReadRow<ProposalRow>(view, ProposalKey(body.proposal_index));
  if (proposal.has_value() && proposal->state != ProposalState::kOpen) {
    return absl::AlreadyExistsError(
        absl::StrCat("proposal ", index, " is ", ProposalStateName(proposal->state)));
  }
  return absl::OkStatus();
}

void ApplyEpochEnd(const Genesis& genesis, Height height, RecordIndex seal, StateView* view) {
  const auto approved = ReadRow<ApprovedSetRow>(*view, ApprovedSetKey());
  if (!view->status().ok()) return;
  VIGIL_CHECK(approved.has_value(), "block ", height.value(), " seals without an approved set");
  std::optional<ProposalRow> proposal =
      ReadRow<ProposalRow>(*view, ProposalKey(approved->proposal));
  if (!proposal.has_value()) {
    view->Fail(absl::DataLossError(
        absl::StrCat("state: approved proposal ", approved->proposal.value(), " is not there")));
    return;
  }
  MoveKeys(genesis.validators, SetOf(approved->set, *view), seal, view);
  LapseOpen(height, /*subject=*/std::nullopt, view);
  ForgetAnnouncedKeys(view);
  WriteRow(view, EpochKey(genesis.epoch.Next()),
           EpochRow{.base = height,
                    .proposal = approved->proposal,
                    .set = approved->set,
                    .addresses = proposal->addresses});
  proposal->state = ProposalState::kSealed;
  proposal->closed_height = height;
  WriteRow(view, ProposalKey(approved->proposal), *proposal);
  view->Delete(ApprovedSetKey());
}

absl::StatusOr<Hash> NextSetHash(const Genesis& genesis, const StateBase& state, Height height,
                                 Height executed) {
  ASSIGN_OR_RETURN(const std::optional<EpochRow> next,
                   ReadRow<EpochRow>(state, EpochKey(genesis.epoch.Next())));
  if (next.has_value()) {
    return height < next->base ? genesis.validator_set_hash : Sha256(AsBytes(next->set));
  }
  ASSIGN_OR_RETURN(const std::optional<ApprovedSetRow> approved,
                   ReadRow<ApprovedSetRow>(state, ApprovedSetKey()));
  if (approved.has_value() && approved->height <= executed) {
    return Sha256(AsBytes(approved->set));
  }
  return genesis.validator_set_hash;
}

absl::StatusOr<Genesis> AtState(const Genesis& genesis, const StateBase& state) {
  Genesis at = AtHeight(genesis, Height(1));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<EpochRow> next,
                     ReadRow<EpochRow>(state, EpochKey(at.epoch.Next())));
    if (!next.has_value()) return at;
    absl::StatusOr<std::vector<GenesisValidator>> set = DecodeValidatorSet(AsBytes(next->set));
    absl::StatusOr<std::vector<std::string>> addresses =
        set.ok() ? SplitAddresses(next->addresses, set->size()) : set.status();
    if (!addresses.ok()) {
      return absl::DataLossError(absl::StrCat("state: epoch ", at.epoch.Next().value(), ": ",
                                              addresses.status().message()));
    }
    at = WithNextEpoch(at, next->base, *std::move(set), *std::move(addresses));
    if (at.epoch > genesis.epoch) continue;
    const Genesis known = AtHeight(genesis, at.epoch_base.Next());
    if (known.epoch != at.epoch || known.validator_set_hash != at.validator_set_hash) {
      return absl::DataLossError(absl::StrCat("state: epoch ", at.epoch.value(),
                                              " begins above height ", at.epoch_base.value(),
                                              " with validator set ", at.validator_set_hash.ToHex(),
                                              ", known is ", known.validator_set_hash.ToHex()));
    }
  }
}

}  // namespace vigil::ledger
