// `vigil detector status`: how the detectors do, per event type.
#ifndef VIGIL_CLIENT_CLI_DETECTOR_STATUS_H_
#define VIGIL_CLIENT_CLI_DETECTOR_STATUS_H_

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

absl::Status RunDetectorStatus(const Session& session);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_DETECTOR_STATUS_H_
