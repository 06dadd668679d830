// SearchEvents requests in the index's terms.
#ifndef VIGIL_NODE_API_SEARCH_H_
#define VIGIL_NODE_API_SEARCH_H_

#include "absl/status/statusor.h"
#include "ledger/index/event_index.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

// Errors: kInvalidArgument naming the filter: an address that is none, too many values, an empty
// time range.
absl::StatusOr<ledger::EventQuery> QueryFromProto(const v1::SearchEventsRequest& request);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_SEARCH_H_
