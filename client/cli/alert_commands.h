// `vigil alert explain | verify | faults`: why an alert was raised, whether it is right, and whose
// alerts were not.
//
// An alert is named by its record index, or by an evidence file, which needs no validator.
#ifndef VIGIL_CLIENT_CLI_ALERT_COMMANDS_H_
#define VIGIL_CLIENT_CLI_ALERT_COMMANDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct AlertCheckOptions {
  std::string alert;   // Record index, or an evidence file of an alert.
  std::string policy;  // C2SP tlog-policy; empty: the session's genesis file.
  std::string epochs;  // Epoch chain from it on; empty: the one in the file, if there is one.
  std::string fault;   // Where the evidence of a fault goes; empty: nowhere.
  uint32_t wait_seconds = 10;
};

// Prints each reason with the event's value and what the model's window knows of it.
// Errors: kNotFound: no such alert, or nobody keeps its model; kFailedPrecondition: the event was
// pruned; kDataLoss: the model is not the alert's; of file and connection.
absl::Status RunAlertExplain(const Session& session, const AlertCheckOptions& options);

// Recomputes the alert and prints what it claims, what its model or the events of its rule give,
// and the verdict. Errors: kDataLoss: whoever signed it computed it wrongly, or the evidence does
// not hold; kNotFound (MODEL_UNKNOWN): nobody keeps its model or rule file; kAborted
// (NOT_REDERIVABLE): all but the recomputation holds; of file and connection.
absl::Status RunAlertVerify(const Session& session, const AlertCheckOptions& options);

struct FaultListOptions {
  uint32_t limit = 50;
  uint64_t cursor = 0;
};
// What validators recorded as wrong with contested alerts.
absl::Status RunAlertFaults(const Session& session, const FaultListOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_ALERT_COMMANDS_H_
