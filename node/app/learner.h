// The process of a newcomer, until it is a validator (node/driver/learner.h).
#ifndef VIGIL_NODE_APP_LEARNER_H_
#define VIGIL_NODE_APP_LEARNER_H_

#include "absl/status/statusor.h"
#include "node/app/config.h"
#include "node/driver/log.h"

namespace vigil::node {

enum class LearnerEnd {
  kIsValidator,  // The newest set names it, or it never was a newcomer: Validator::Start().
  kStopped,      // By a signal.
};
// Learns as long as no set names the machine's keys; at once kIsValidator when one does. Serves
// metrics meanwhile, and nothing else. Validator::BlockSignals() must have been called before any
// thread began.
// Errors: of the configuration, the folder and the ports, each naming the remedy;
// kPermissionDenied when most validators say that the proposal was decided against it.
absl::StatusOr<LearnerEnd> RunLearner(const LoadedConfig& loaded, const LogFunction& log);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_LEARNER_H_
