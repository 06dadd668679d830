#include "client/cli/trust.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/input_file.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/state/log_keys.h"

namespace vigil::client {

absl::StatusOr<ledger::PolicyChain> ReadEpochs(const ledger::Policy& pinned,
                                               const std::string& epochs) {
  if (epochs.empty()) return ledger::PolicyChain(pinned);
  ASSIGN_OR_RETURN(const std::optional<std::string> file,
                   ReadInput(epochs, ledger::kEpochChainBytesMax));
  if (!file.has_value()) {
    return absl::DataLossError(absl::StrCat("MALFORMED: ", epochs, ": an epoch chain has at most ",
                                            ledger::kEpochChainBytesMax, " bytes"));
  }
  absl::StatusOr<ledger::PolicyChain> policies = ledger::PolicyChain::Walk(pinned, AsBytes(*file));
  if (policies.ok()) return policies;
  if (absl::IsFailedPrecondition(policies.status()))
    return absl::InvalidArgumentError(policies.status().message());
  return absl::DataLossError(
      absl::StrCat(ledger::ProofVerdictName(ledger::EpochChainVerdict(policies.status())), ": ",
                   epochs, ": ", policies.status().message()));
}

absl::StatusOr<FetchedEpochs> FetchEpochs(const ledger::Genesis& genesis, Client* client) {
  KnownEpochs known(ledger::LogPolicyOf(genesis));
  RETURN_IF_ERROR(known.Fetch(client));
  FetchedEpochs fetched;
  fetched.file = known.file();
  // Beyond what a policy can know, each set has to be one that may follow.
  absl::StatusOr<ledger::Genesis> newest = ledger::WalkEpochChain(genesis, AsBytes(fetched.file));
  if (!newest.ok()) return absl::DataLossError(newest.status().message());
  fetched.genesis = *std::move(newest);
  return fetched;
}

}  // namespace vigil::client
