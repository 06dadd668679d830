#include "client/cli/submit_signed.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/genesis_file.h"
#include "client/lib/known_epochs.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/merkle.h"
#include "ledger/state/log_keys.h"

namespace vigil::client {
namespace {

constexpr uint32_t kProofWaitMillis = 10'000;

// Whose key it is, by genesis.
absl::StatusOr<std::string> IdentityOf(const ledger::Genesis& genesis,
                                       const ledger::SigningKey& key, ledger::Role role,
                                       absl::string_view role_name, const Session& session) {
  for (const ledger::GenesisIdentity& identity : genesis.identities) {
    if (identity.key != key.public_key()) continue;
    if ((identity.roles & static_cast<uint32_t>(role)) != 0) return identity.identity();
    return absl::PermissionDeniedError(
        absl::StrCat(session.signing_key, " is the key of ", identity.identity(), ", who is no ",
                     role_name, ": name an ", role_name, "'s key (--signing-key)"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat(session.signing_key, " is nobody's key in ", session.genesis));
}

absl::StatusOr<ledger::RecordResult> ProvenResult(const Session& session, Client* client,
                                                  const ledger::Genesis& genesis,
                                                  const Hash& leaf_hash) {
  v1::GetProofRequest request;
  request.mutable_record()->set_leaf_hash(std::string(leaf_hash.view()));
  request.set_wait_millis(kProofWaitMillis);
  size_t answered = 0;
  ASSIGN_OR_RETURN(const v1::Proof proof, client->GetProof(request, &answered));
  // A change of validators may have begun with this very record: then a later epoch signs.
  KnownEpochs known(ledger::LogPolicyOf(genesis));
  const absl::StatusOr<CheckedProof> checked =
      CheckProofFetching(client, &known, request, proof.file());
  if (!checked.ok()) return NoProofError(session, *client, answered, checked.status(), "");
  if (!checked->report.result.has_value()) {
    return absl::DataLossError(
        absl::StrCat(client->endpoint(answered), " proves the record without its result"));
  }
  return *checked->report.result;
}

}  // namespace

absl::StatusOr<CommandSigner> LoadSigner(const Session& session, ledger::Role role,
                                         absl::string_view role_name) {
  if (session.signing_key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("who signs? name the key file of an ", role_name,
                     ": --signing-key, VIGIL_SIGNING_KEY or the context file"));
  }
  if (session.genesis.empty()) {
    return absl::InvalidArgumentError(
        "whose chain is signed for? name its genesis file: --genesis FILE, VIGIL_GENESIS or the "
        "context file");
  }
  ASSIGN_OR_RETURN(ledger::Genesis genesis, LoadGenesis(session.genesis));
  ASSIGN_OR_RETURN(ledger::SigningKey key, ledger::SigningKey::Load(session.signing_key));
  ASSIGN_OR_RETURN(std::string identity, IdentityOf(genesis, key, role, role_name, session));
  return CommandSigner{
      .genesis = std::move(genesis), .key = std::move(key), .identity = std::move(identity)};
}

bool IsNoProof(const absl::Status& checked) {
  return absl::IsDataLoss(checked) || absl::IsOutOfRange(checked);
}

absl::Status NoProofError(const Session& session, const Client& client, size_t answered,
                          const absl::Status& checked, absl::string_view more) {
  if (!IsNoProof(checked)) return checked;
  return absl::DataLossError(absl::StrCat(client.endpoint(answered),
                                          " gave a proof that is none under ", session.genesis,
                                          ": ", checked.message(), more));
}

absl::StatusOr<ledger::RecordResult> SubmitSigned(const Session& session, Client* client,
                                                  const ledger::Genesis& genesis,
                                                  const ledger::SigningKey& key,
                                                  const ledger::RecordBody& body, bool trust) {
  v1::SubmitRequest submit;
  submit.set_leaf(ledger::SignRecord(body, genesis.chain_id, key));
  submit.set_ack(trust ? v1::ACK_COMMITTED : v1::ACK_FINAL);
  ASSIGN_OR_RETURN(const v1::SubmitResponse response, client->Submit(submit));
  if (!trust)
    return ProvenResult(session, client, genesis, ledger::LeafHash(AsBytes(submit.leaf())));
  ledger::RecordResult result;
  result.code = ResultOf(response.receipt());
  result.index = RecordIndex(response.receipt().record_index());
  return result;
}

}  // namespace vigil::client
