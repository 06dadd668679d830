#include "node/driver/newcomers.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/governance_queries.h"

namespace vigil::node {
namespace {

// Open proposals are few: one of each organisation and subject. Of those that are over the newest.
constexpr uint32_t kProposalsMax = 64;

bool Counts(ledger::ProposalState state) {
  return state == ledger::ProposalState::kOpen || state == ledger::ProposalState::kApproved ||
         state == ledger::ProposalState::kSealed;
}

}  // namespace

absl::StatusOr<std::vector<Newcomer>> NewcomersOf(const ledger::Genesis& genesis,
                                                  const ledger::ChainReader& reader) {
  const RecordIndex from(std::numeric_limits<uint64_t>::max());
  ASSIGN_OR_RETURN(std::vector<ledger::ProposalInfo> proposals,
                   ledger::ListProposals(reader, from, kProposalsMax, /*open_only=*/true));
  ASSIGN_OR_RETURN(std::optional<ledger::ProposalInfo> approved, ledger::ApprovedProposal(reader));
  if (approved.has_value()) proposals.push_back(*std::move(approved));
  ASSIGN_OR_RETURN(std::vector<ledger::ProposalInfo> newest,
                   ledger::ListProposals(reader, from, kProposalsMax, /*open_only=*/false));
  for (ledger::ProposalInfo& one : newest) proposals.push_back(std::move(one));
  std::ranges::stable_sort(proposals, std::greater<>(), &ledger::ProposalInfo::index);
  std::set<RecordIndex> seen;
  std::vector<Newcomer> newcomers;
  for (const ledger::ProposalInfo& proposal : proposals) {
    if (proposal.row.subject() != ledger::ProposalSubject::kValidators) continue;
    if (proposal.row.epoch != genesis.epoch.value() || !seen.insert(proposal.index).second)
      continue;
    ASSIGN_OR_RETURN(const std::vector<ledger::GenesisValidator> set,
                     ledger::DecodeValidatorSet(AsBytes(proposal.row.next_set)));
    for (const ledger::GenesisValidator& entry : set) {
      if (!ledger::IsNewcomer(genesis.validators, entry)) continue;
      newcomers.push_back({.proposal = proposal.index,
                           .state = proposal.row.state,
                           .closed_height = proposal.row.closed_height,
                           .entry = entry,
                           .counts = Counts(proposal.row.state)});
    }
  }
  return newcomers;
}

absl::Status WhyNotLetIn(const std::vector<Newcomer>& newcomers, absl::string_view identity,
                         const ledger::JournalId& journal_id) {
  for (const Newcomer& one : newcomers) {
    if (one.entry.identity() != identity || one.entry.journal_id != journal_id) continue;
    return absl::PermissionDeniedError(absl::StrCat(
        "proposal ", one.proposal.value(), ", which named ", identity, " with these keys, is ",
        ledger::ProposalStateName(one.state), " since height ", one.closed_height.value(),
        ": this machine is let in no more; stop it and remove its data folder, which holds a copy "
        "of the chain, or have a new proposal name its keys"));
  }
  return absl::NotFoundError(absl::StrCat(
      "no open proposal for the next set of validators names ", identity,
      " with these keys; let an organisation propose its entry: vigil admin validator add"));
}

}  // namespace vigil::node
