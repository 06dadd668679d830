// What the API says of incidents. Free of gRPC's reactors.
#ifndef VIGIL_NODE_API_INCIDENT_ANSWERS_H_
#define VIGIL_NODE_API_INCIDENT_ANSWERS_H_

#include "absl/status/status.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

// Errors: kInvalidArgument for an unknown state or too large a page.
absl::Status FillIncidents(const NodeServices& services, const v1::ListIncidentsRequest& request,
                           v1::ListIncidentsResponse* out);
// Errors: kNotFound.
absl::Status FillIncident(const NodeServices& services, const v1::GetIncidentRequest& request,
                          v1::Incident* out);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_INCIDENT_ANSWERS_H_
