// `vigil verify ledger DIR`: offline, against nothing but the bytes and genesis.
#ifndef VIGIL_CLIENT_CLI_VERIFY_COMMAND_H_
#define VIGIL_CLIENT_CLI_VERIFY_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace vigil::client {

struct VerifyLedgerOptions {
  std::string directory;  // A validator's data folder, of a stopped node, or an archive.
  std::vector<std::string> archives;  // Where older segments of its journal lie.
  std::string genesis;                // Empty: the session's.
  bool journal_only = false;          // Do not open and compare the state store.
  bool stop_at_first = false;
  std::string tip;        // "HEIGHT:HASH" of a block that is known to be committed; may be empty.
  uint64_t at_least = 0;  // Height that the chain is known to reach.
  std::string epochs;     // Epoch chain; empty: epochs.chain of the folder, if there is one.
  std::string guard;      // The validator's rollback guard file; may be empty.
  std::string validator;  // "org/name" whose folder this must be; empty: any of genesis.
};

// Prints counts and findings.
// Errors: kDataLoss when there is a finding; kAborted when there is none, but not everything from
// genesis on is there; kAlreadyExists when the node runs; kNotFound.
absl::Status RunVerifyLedger(const Session& session, const VerifyLedgerOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_VERIFY_COMMAND_H_
