// `vigil status | wait | block ... | record ... | detector ...`: looking at the chain.
#ifndef VIGIL_CLIENT_CLI_CHAIN_COMMANDS_H_
#define VIGIL_CLIENT_CLI_CHAIN_COMMANDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

// One line per validator, and whether the network is healthy.
// Errors: kUnavailable when none can be reached; kFailedPrecondition ("unhealthy") naming why:
// docs/operating.md, Health and metrics.
absl::Status RunStatus(const Session& session);

struct WaitOptions {
  uint64_t events = 0;            // Until so many events are executed.
  uint64_t alerts_confirmed = 0;  // Until so many alerts are confirmed.
  uint32_t models = 0;            // Until models of so many event types are active.
  bool leader = false;            // Until a leader is known.
  bool all = false;               // On every validator, not only one.
  uint32_t timeout_seconds = 60;
};
// Errors: kDeadlineExceeded saying what was still missing.
absl::Status RunWait(const Session& session, const WaitOptions& options);

struct BlockListOptions {
  uint64_t from = 0;
  uint32_t limit = 20;
  bool ascending = false;
};
absl::Status RunBlockList(const Session& session, const BlockListOptions& options);
// `which` is a height or 64 hex digits.
absl::Status RunBlockGet(const Session& session, const std::string& which);
// Prints blocks as they come, `count` of them (0: until interrupted).
absl::Status RunBlockWatch(const Session& session, uint64_t from, uint64_t count);
// `which` is a record index or the 64 hex digits of a leaf hash.
absl::Status RunRecordGet(const Session& session, const std::string& which);
absl::Status RunModels(const Session& session, uint32_t limit);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_CHAIN_COMMANDS_H_
