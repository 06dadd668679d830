// One record, signed by the person at the command line, brought to the chain and proven to be
// there.
#ifndef VIGIL_CLIENT_CLI_SUBMIT_SIGNED_H_
#define VIGIL_CLIENT_CLI_SUBMIT_SIGNED_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/session.h"
#include "client/lib/client.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/chain/result.h"
#include "ledger/crypto/keys.h"

namespace vigil::client {

// Who signs, and for which chain.
struct CommandSigner {
  ledger::Genesis genesis;  // As the file says.
  ledger::SigningKey key;
  std::string identity;
};
// The key and the genesis file that the session names. `role_name` is that of `role`, for messages:
// "admin". Errors: kInvalidArgument: one of them is not named; kPermissionDenied: the key is of
// nobody who has `role`; of the files.
absl::StatusOr<CommandSigner> LoadSigner(const Session& session, ledger::Role role,
                                         absl::string_view role_name);

// Whether CheckProofFetching() found no proof, rather than nobody to ask about its epoch.
bool IsNoProof(const absl::Status& checked);
// A proof that cannot be judged for want of an answer is `checked` itself; any other is the fault
// of the validator that gave it, under the genesis file of `session`. `more` ends the message.
absl::Status NoProofError(const Session& session, const Client& client, size_t answered,
                          const absl::Status& checked, absl::string_view more);

// Signs `body` for the chain of `genesis`, submits it, and returns the chain's result and the
// record's index: proven from `genesis` on over the epochs since, or with `trust` as the validator
// says. Errors: as the validators refuse; kDataLoss: the proof is none.
absl::StatusOr<ledger::RecordResult> SubmitSigned(const Session& session, Client* client,
                                                  const ledger::Genesis& genesis,
                                                  const ledger::SigningKey& key,
                                                  const ledger::RecordBody& body, bool trust);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_SUBMIT_SIGNED_H_
