// `vigil alert ack | assign | close | reopen` and `vigil detector precision`: what analysts do
// about alerts, as signed records, and what their verdicts say of the detectors.
#ifndef VIGIL_CLIENT_CLI_TRIAGE_COMMANDS_H_
#define VIGIL_CLIENT_CLI_TRIAGE_COMMANDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"
#include "ledger/chain/record.h"

namespace vigil::client {

struct TriageOptions {
  ledger::TriageAction action = ledger::TriageAction::kAcknowledge;
  uint64_t alert = 0;    // Record index.
  std::string assignee;  // "org/name", for kAssign; empty: the signer.
  std::string verdict;   // "true-positive", "false-positive", "expected"; for kClose.
  bool trust = false;    // Believe the validator: no proof is asked for.
  std::string revision;  // Decimal; empty: whatever the alert's is now.
};

// Signs the record with the session's signing key, submits it, waits until it is final and, unless
// told to trust, checks the proof that it is in the log and was accepted.
// Errors: kInvalidArgument; kNotFound: no such alert; kAborted: somebody was quicker;
// kPermissionDenied; kDataLoss: the proof does not verify; of the connection.
absl::Status RunTriage(const Session& session, const TriageOptions& options);

// Per event type and component: closed alerts by verdict, and the share of true positives among
// those that were true or false.
absl::Status RunPrecision(const Session& session);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_TRIAGE_COMMANDS_H_
