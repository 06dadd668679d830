// What signing a proposal or a ballot takes, whatever it is about: the admin's key, the present
// epoch proven from genesis, the question whether to sign, and what the chain answered.
#ifndef VIGIL_CLIENT_CLI_PROPOSAL_SIGNER_H_
#define VIGIL_CLIENT_CLI_PROPOSAL_SIGNER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/session.h"
#include "client/lib/client.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/crypto/keys.h"

namespace vigil::client {

struct BallotOptions {
  uint64_t proposal = 0;
  bool even_if_behind = false;  // For a set: approve although a newcomer has not caught up.
  ledger::BallotChoice choice = ledger::BallotChoice::kApprove;
  bool yes = false;    // Do not ask before signing.
  bool trust = false;  // Take a validator's word for the result instead of a proof.
};

struct ProposalSigner {
  ledger::Genesis first;    // As the file says.
  ledger::Genesis genesis;  // Restated for the present epoch.
  v1::Validators present;   // What a validator says of that epoch's set; it is the same one.
  ledger::SigningKey key;
  std::string identity;
  std::unique_ptr<Client> client;
};

// Errors: kInvalidArgument, kPermissionDenied: of the key; kAborted: an epoch begins just now;
// kDataLoss: a validator names another present set than genesis and the epoch chain prove.
absl::StatusOr<ProposalSigner> OpenProposalSigner(const Session& session);

// Asks whether to sign what was shown, unless `yes`. Errors: kCancelled.
absl::Status AskWhetherToSign(const Session& session, bool yes);

// Signs, submits and waits. `what` and the number of the proposal (of a proposal itself its record)
// are told as done. Errors: of the network; what the chain answered, and what to do.
absl::Status SignAndReport(const Session& session, const ProposalSigner& signer,
                           const ledger::ProposalBody& body, bool trust);
absl::Status SignAndReport(const Session& session, const ProposalSigner& signer,
                           const BallotOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_PROPOSAL_SIGNER_H_
