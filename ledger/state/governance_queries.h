// What the chain's state says of epochs and of proposals, for the next one or for rules. Reads of
// one snapshot.
#ifndef VIGIL_LEDGER_STATE_GOVERNANCE_QUERIES_H_
#define VIGIL_LEDGER_STATE_GOVERNANCE_QUERIES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/strong_id.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/tables.h"

namespace vigil::ledger {

struct EpochInfo {
  uint64_t number = 0;  // From 2 on: the first one's set is genesis'.
  EpochRow row;
};

struct BallotInfo {
  std::string org;
  BallotRow row;
};

struct ProposalInfo {
  RecordIndex index;
  ProposalRow row;
  std::vector<BallotInfo> ballots;  // In order of the organisations' ids.
};

// Epochs that began after genesis, at most `limit`, from number `from` on upwards.
// Errors of all: kDataLoss when a stored value is malformed.
absl::StatusOr<std::vector<EpochInfo>> ListEpochs(const ChainReader& reader, uint64_t from,
                                                  uint32_t limit);
// Errors: kNotFound.
absl::StatusOr<ProposalInfo> GetProposal(const ChainReader& reader, RecordIndex index);
// At most `limit` proposals from `from` downwards, it included; those alone that are open, or of
// one subject, if asked.
absl::StatusOr<std::vector<ProposalInfo>> ListProposals(
    const ChainReader& reader, RecordIndex from, uint32_t limit, bool open_only,
    std::optional<ProposalSubject> subject = std::nullopt);
// The proposal whose set the next sealing block names.
absl::StatusOr<std::optional<ProposalInfo>> ApprovedProposal(const ChainReader& reader);

// Whether a proposed set's `entry` is another machine than any of `present`: whoever stays keeps
// name, consensus key and journal; other keys of it may be announced anew.
bool IsNewcomer(const std::vector<GenesisValidator>& present, const GenesisValidator& entry);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_GOVERNANCE_QUERIES_H_
