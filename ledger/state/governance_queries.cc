#include "ledger/state/governance_queries.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"

namespace vigil::ledger {
namespace {

absl::StatusOr<std::vector<BallotInfo>> BallotsOf(const StateBase& state, RecordIndex proposal) {
  std::vector<BallotInfo> ballots;
  absl::Status problem;
  const std::string prefix = BallotPrefix(proposal);
  RETURN_IF_ERROR(state.Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<std::string> org = IdentityAtEnd(key, prefix.size());
    absl::StatusOr<BallotRow> row = DecodeRow<BallotRow>(value);
    problem = org.ok() ? row.status() : org.status();
    if (!problem.ok()) return false;
    ballots.push_back({.org = *std::move(org), .row = *std::move(row)});
    return true;
  }));
  RETURN_IF_ERROR(problem);
  return ballots;
}

}  // namespace

absl::StatusOr<std::vector<EpochInfo>> ListEpochs(const ChainReader& reader, uint64_t from,
                                                  uint32_t limit) {
  std::vector<EpochInfo> epochs;
  for (uint64_t number = std::max<uint64_t>(from, 2); epochs.size() < limit; ++number) {
    ASSIGN_OR_RETURN(std::optional<EpochRow> row,
                     ReadRow<EpochRow>(reader.state(), EpochKey(Epoch(number))));
    if (!row.has_value()) break;
    epochs.push_back({.number = number, .row = *std::move(row)});
  }
  return epochs;
}

absl::StatusOr<ProposalInfo> GetProposal(const ChainReader& reader, RecordIndex index) {
  ASSIGN_OR_RETURN(std::optional<ProposalRow> row,
                   ReadRow<ProposalRow>(reader.state(), ProposalKey(index)));
  if (!row.has_value()) return absl::NotFoundError(absl::StrCat("proposal ", index.value()));
  ProposalInfo info{.index = index, .row = *std::move(row), .ballots = {}};
  ASSIGN_OR_RETURN(info.ballots, BallotsOf(reader.state(), index));
  return info;
}

absl::StatusOr<std::vector<ProposalInfo>> ListProposals(const ChainReader& reader, RecordIndex from,
                                                        uint32_t limit, bool open_only,
                                                        std::optional<ProposalSubject> subject) {
  std::deque<RecordIndex> newest;
  absl::Status problem;
  const std::string prefix = TablePrefix(Table::kProposal);
  RETURN_IF_ERROR(reader.state().Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    ByteReader bytes(key.substr(prefix.size()));
    const RecordIndex index(bytes.U64());
    const absl::Status finished = bytes.Finish("proposal key");
    const absl::StatusOr<ProposalRow> row = DecodeRow<ProposalRow>(value);
    if (!finished.ok() || !row.ok()) {
      problem = absl::DataLossError((finished.ok() ? row.status() : finished).message());
      return false;
    }
    if (index > from) return false;
    if (open_only && row->state != ProposalState::kOpen) return true;
    if (subject.has_value() && row->subject() != *subject) return true;
    newest.push_back(index);
    if (newest.size() > limit) newest.pop_front();
    return true;
  }));
  RETURN_IF_ERROR(problem);
  std::vector<ProposalInfo> proposals;
  for (auto index = newest.rbegin(); index != newest.rend(); ++index) {
    ASSIGN_OR_RETURN(ProposalInfo info, GetProposal(reader, *index));
    proposals.push_back(std::move(info));
  }
  return proposals;
}

absl::StatusOr<std::optional<ProposalInfo>> ApprovedProposal(const ChainReader& reader) {
  ASSIGN_OR_RETURN(const std::optional<ApprovedSetRow> approved,
                   ReadRow<ApprovedSetRow>(reader.state(), ApprovedSetKey()));
  if (!approved.has_value()) return std::optional<ProposalInfo>();
  ASSIGN_OR_RETURN(ProposalInfo info, GetProposal(reader, approved->proposal));
  return std::optional<ProposalInfo>(std::move(info));
}

bool IsNewcomer(const std::vector<GenesisValidator>& present, const GenesisValidator& entry) {
  return std::none_of(present.begin(), present.end(), [&](const GenesisValidator& one) {
    return one.identity() == entry.identity() && one.consensus_key == entry.consensus_key &&
           one.journal_id == entry.journal_id;
  });
}

}  // namespace vigil::ledger
