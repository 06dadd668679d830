// Answers about the rules of the detectors, each from one snapshot.
#ifndef VIGIL_NODE_API_RULES_ANSWERS_H_
#define VIGIL_NODE_API_RULES_ANSWERS_H_

#include "absl/status/status.h"
#include "ledger/state/chain_reader.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

// Errors: kInvalidArgument: no digest; kNotFound: rules with it were never the network's; those of
// the state.
absl::Status FillRules(const NodeServices& services, const v1::GetRulesRequest& request,
                       v1::Rules* out);
// What a detector's report says of the rules that are active and of open proposals for others.
absl::Status FillRulesStatus(const NodeServices& services, const ledger::ChainReader& reader,
                             v1::DetectorReport* out);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_RULES_ANSWERS_H_
