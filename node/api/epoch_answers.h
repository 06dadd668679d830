// Answers about epochs, their validators and proposals, each from one snapshot.
#ifndef VIGIL_NODE_API_EPOCH_ANSWERS_H_
#define VIGIL_NODE_API_EPOCH_ANSWERS_H_

#include "absl/status/status.h"
#include "ledger/state/governance_queries.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

// All of a proposal.
void FillProposal(const ledger::ProposalInfo& info, v1::Proposal* out);

// Errors: kInvalidArgument: a limit over the maximum, or an unknown subject; kNotFound: no such
// proposal; those of the state.
absl::Status FillEpochChain(const NodeServices& services, const v1::GetEpochChainRequest& request,
                            v1::EpochChain* out);
absl::Status FillValidators(const NodeServices& services, v1::Validators* out);
absl::Status FillEpochs(const NodeServices& services, const v1::ListEpochsRequest& request,
                        v1::ListEpochsResponse* out);
absl::Status FillProposals(const NodeServices& services, const v1::ListProposalsRequest& request,
                           v1::ListProposalsResponse* out);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_EPOCH_ANSWERS_H_
