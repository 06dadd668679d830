// What organisations propose: sets of validators, and rules of the detectors. How both are listed,
// fetched and written.
#ifndef VIGIL_CLIENT_CLI_PROPOSALS_H_
#define VIGIL_CLIENT_CLI_PROPOSALS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/lib/client.h"
#include "ledger/state/tables.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

struct ProposalListOptions {
  bool open_only = false;
  uint32_t limit = 50;
  uint64_t cursor = 0;  // Of the page before; 0: from the newest on.
};

// One page of the proposals of a subject, newest first.
absl::Status RunProposals(const Session& session, const ProposalListOptions& options,
                          ledger::ProposalSubject subject);

// A proposal with all that it says.
// Errors: kNotFound; kInvalidArgument: it is of the other subject; kDataLoss: another answer than
// was asked for.
absl::StatusOr<v1::Proposal> FetchProposal(Client* client, uint64_t proposal,
                                           ledger::ProposalSubject subject);

Json ToJson(const v1::Proposal& proposal);
// "acme approves, globex rejects".
std::string BallotsText(const v1::Proposal& proposal);
// "org/name" of each in a set that a validator sent; what is malformed is said, not believed.
std::string IdentitiesOf(const std::string& set);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_PROPOSALS_H_
