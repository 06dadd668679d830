// Whom a command trusts: a policy or genesis, and the epoch chain that leads on from it.
#ifndef VIGIL_CLIENT_CLI_TRUST_H_
#define VIGIL_CLIENT_CLI_TRUST_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "client/lib/client.h"
#include "client/lib/known_epochs.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/policy.h"
#include "ledger/proof/policy_chain.h"

namespace vigil::client {

// The policies of all epochs that the file `epochs` reaches; an empty path: `pinned` alone.
// Errors: kInvalidArgument: the file cannot be read, or `pinned` cannot be carried over;
// kDataLoss: "VERDICT: reason" of a file that does not follow from `pinned`.
absl::StatusOr<ledger::PolicyChain> ReadEpochs(const ledger::Policy& pinned,
                                               const std::string& epochs);

// Every epoch that validators know of, from genesis on: an epoch chain file's bytes that genesis
// bears out, and genesis restated for the newest epoch.
struct FetchedEpochs {
  std::string file;
  ledger::Genesis genesis;
};
// Errors: kDataLoss: what was answered does not follow from genesis; of the network.
absl::StatusOr<FetchedEpochs> FetchEpochs(const ledger::Genesis& genesis, Client* client);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_TRUST_H_
