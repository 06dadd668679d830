// KnownEpochs: the epochs that a client can judge, walked from the policy that it trusts.
//
// Anchors come from validators or files and are believed for what a quorum of each epoch signed.
// Belongs to one thread.
//
// Invariants:
//   (1) Every anchor in file() from the pinned policy's epoch on has been verified.
//   (2) What was learned is never replaced by something else, only continued.
#ifndef VIGIL_CLIENT_LIB_KNOWN_EPOCHS_H_
#define VIGIL_CLIENT_LIB_KNOWN_EPOCHS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/lib/checked_proof.h"
#include "client/lib/client.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/log/policy.h"
#include "ledger/proof/policy_chain.h"

namespace vigil::client {

class KnownEpochs {
 public:
  // `pinned`: of genesis, or of a later epoch.
  explicit KnownEpochs(ledger::Policy pinned);

  const ledger::PolicyChain& policies() const { return policies_; }
  // How many ends of epochs are known, those before the pinned policy counted.
  uint64_t end_count() const { return anchors_.size(); }
  // The epoch chain, a file's bytes.
  std::string file() const { return ledger::EncodeEpochChain(anchors_); }

  // Takes over the anchors of `part`, which follow those known; returns how many they were.
  // Errors: kDataLoss: they do not verify from the pinned policy on, or it cannot be carried over.
  absl::StatusOr<uint64_t> Append(absl::string_view part);
  // Takes over a whole file. Errors: as above; kDataLoss also when it does not continue what is
  // known.
  absl::Status Load(absl::string_view file);
  // Asks whichever validator answers until it knows no more. Errors: as above; of the network.
  absl::Status Fetch(Client* client);

 private:
  const ledger::Policy pinned_;
  std::vector<ledger::EpochAnchor> anchors_;
  ledger::PolicyChain policies_;
};

// CheckProof() under the epochs known; when the file is of a later one, they are fetched once.
// Errors: of CheckProof() and KnownEpochs::Fetch().
absl::StatusOr<CheckedProof> CheckProofFetching(Client* client, KnownEpochs* known,
                                                const v1::GetProofRequest& request,
                                                absl::string_view file);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_KNOWN_EPOCHS_H_
