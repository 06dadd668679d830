#include "client/cli/triage_commands.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/genesis_file.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/lib/checked_proof.h"
#include "client/lib/known_epochs.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/merkle.h"
#include "ledger/state/log_keys.h"

namespace vigil::client {
namespace {

using ledger::TriageAction;
using ledger::TriageVerdict;

constexpr uint32_t kProofWaitMillis = 10'000;

absl::StatusOr<TriageVerdict> ParseVerdict(const std::string& text) {
  for (const TriageVerdict known :
       {TriageVerdict::kTruePositive, TriageVerdict::kFalsePositive, TriageVerdict::kExpected}) {
    if (ledger::TriageVerdictName(known) == text) return known;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--verdict '", text,
                   "': true-positive, false-positive or expected (rightly found, allowed)"));
}

// Whose key it is, by genesis.
absl::StatusOr<std::string> IdentityOf(const ledger::Genesis& genesis,
                                       const ledger::SigningKey& key, const Session& session) {
  for (const ledger::GenesisIdentity& identity : genesis.identities) {
    if (identity.key != key.public_key()) continue;
    if ((identity.roles & static_cast<uint32_t>(ledger::Role::kAnalyst)) != 0) {
      return identity.identity();
    }
    return absl::PermissionDeniedError(
        absl::StrCat(session.signing_key, " is the key of ", identity.identity(),
                     ", who is no analyst: name an analyst's key (--signing-key)"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat(session.signing_key, " is nobody's key in ", session.genesis));
}

absl::StatusOr<ledger::Genesis> ReadGenesis(const Session& session) {
  if (session.genesis.empty()) {
    return absl::InvalidArgumentError(
        "whose chain is signed for? name its genesis file: --genesis FILE, VIGIL_GENESIS or the "
        "context file");
  }
  return LoadGenesis(session.genesis);
}

absl::Status Refused(const TriageOptions& options, ledger::ResultCode code) {
  const std::string alert = absl::StrCat("alert ", options.alert);
  switch (code) {
    case ledger::ResultCode::kOk:
      return absl::OkStatus();
    case ledger::ResultCode::kNotFound:
      return absl::NotFoundError(absl::StrCat(alert, ": there is none at that record"));
    case ledger::ResultCode::kPermissionDenied:
      return absl::PermissionDeniedError(absl::StrCat(
          alert, " is about an event of another organisation: its own analysts triage it"));
    case ledger::ResultCode::kStale:
      return absl::AbortedError(absl::StrCat(
          alert, ": somebody was quicker; look at it again: vigil alert get ", options.alert));
    case ledger::ResultCode::kInvalid:
      return absl::FailedPreconditionError(absl::StrCat(
          alert, ": ", ledger::TriageActionName(options.action),
          " cannot follow its present state, or the assignee is no analyst of the organisation; "
          "vigil alert get ",
          options.alert, " shows it"));
    default:
      return absl::FailedPreconditionError(
          absl::StrCat(alert, ": the chain answered ", ledger::ResultCodeName(code)));
  }
}

// What the chain says of the record, as far as it is proven.
absl::StatusOr<ledger::ResultCode> ProvenResult(const Session& session, Client* client,
                                                const ledger::Genesis& genesis,
                                                const Hash& leaf_hash) {
  v1::GetProofRequest request;
  request.mutable_record()->set_leaf_hash(std::string(leaf_hash.view()));
  request.set_wait_millis(kProofWaitMillis);
  size_t answered = 0;
  ASSIGN_OR_RETURN(const v1::Proof proof, client->GetProof(request, &answered));
  KnownEpochs known(ledger::LogPolicyOf(genesis));
  const absl::StatusOr<CheckedProof> checked =
      CheckProofFetching(client, &known, request, proof.file());
  if (!checked.ok()) {
    return absl::DataLossError(absl::StrCat(client->endpoint(answered),
                                            " gave a proof that is none under ", session.genesis,
                                            ": ", checked.status().message()));
  }
  if (!checked->report.result.has_value()) {
    return absl::DataLossError(
        absl::StrCat(client->endpoint(answered), " proves the record without its result"));
  }
  return checked->report.result->code;
}

// Signs and submits, and returns what the chain said of it.
absl::StatusOr<ledger::ResultCode> SubmitTriage(const Session& session, Client* client,
                                                const ledger::Genesis& genesis,
                                                const ledger::SigningKey& key,
                                                const ledger::TriageBody& body, bool trust) {
  v1::SubmitRequest submit;
  submit.set_leaf(ledger::SignRecord(body, genesis.chain_id, key));
  submit.set_ack(trust ? v1::ACK_COMMITTED : v1::ACK_FINAL);
  const absl::StatusOr<v1::SubmitResponse> response = client->Submit(submit);
  if (absl::IsAlreadyExists(response.status())) return ledger::ResultCode::kStale;
  RETURN_IF_ERROR(response.status());
  if (trust) return ResultOf(response->receipt());
  return ProvenResult(session, client, genesis, ledger::LeafHash(AsBytes(submit.leaf())));
}

absl::StatusOr<ledger::TriageBody> BodyOf(const TriageOptions& options, uint64_t revision) {
  ledger::TriageBody body;
  body.alert_index = RecordIndex(options.alert);
  body.action = static_cast<uint32_t>(options.action);
  body.revision = revision;
  if (!options.revision.empty() && !absl::SimpleAtoi(options.revision, &body.revision)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--revision '", options.revision, "': a number belongs there"));
  }
  if (options.action == TriageAction::kAssign) body.assignee = options.assignee;
  if (options.action == TriageAction::kClose) {
    ASSIGN_OR_RETURN(const TriageVerdict verdict, ParseVerdict(options.verdict));
    body.verdict = static_cast<uint32_t>(verdict);
  }
  return body;
}

std::string PrecisionText(const v1::PrecisionRow& row) {
  const uint64_t judged = row.true_positive() + row.false_positive();
  if (judged == 0) return "-";
  return absl::StrCat(row.true_positive() * 100 / judged, " %");
}

}  // namespace

absl::Status RunTriage(const Session& session, const TriageOptions& options) {
  if (session.signing_key.empty()) {
    return absl::InvalidArgumentError(
        "who signs? name the key file of an analyst: --signing-key, VIGIL_SIGNING_KEY or the "
        "context file");
  }
  TriageOptions asked = options;
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, ReadGenesis(session));
  ASSIGN_OR_RETURN(const ledger::SigningKey key, ledger::SigningKey::Load(session.signing_key));
  ASSIGN_OR_RETURN(const std::string signer, IdentityOf(genesis, key, session));
  if (asked.assignee.empty()) asked.assignee = signer;
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetAlertRequest request;
  request.set_record_index(options.alert);
  ASSIGN_OR_RETURN(const v1::Alert before, client->GetAlert(request));
  ASSIGN_OR_RETURN(const ledger::TriageBody body, BodyOf(asked, before.triage().revision()));
  ASSIGN_OR_RETURN(const ledger::ResultCode code,
                   SubmitTriage(session, client.get(), genesis, key, body, options.trust));
  RETURN_IF_ERROR(Refused(asked, code));
  if (session.format == OutputFormat::kTable) {
    *session.out << "alert " << options.alert << ": " << ledger::TriageActionName(options.action)
                 << " by " << signer
                 << (body.assignee.empty() ? "" : absl::StrCat(" to ", asked.assignee))
                 << (asked.verdict.empty() ? "" : absl::StrCat(" as ", asked.verdict))
                 << (options.trust ? ", committed" : ", proven to be in the log") << '\n';
    return absl::OkStatus();
  }
  Json json;
  json["alert"] = Number(options.alert);
  json["action"] = ledger::TriageActionName(options.action);
  json["by"] = signer;
  json["assignee"] = std::string(body.assignee);
  json["verdict"] = asked.verdict;
  json["revision"] = Number(body.revision + 1);
  json["proven"] = !options.trust;
  session.PrintJson(json);
  return absl::OkStatus();
}

absl::Status RunPrecision(const Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Precision precision, client->GetPrecision({}));
  Listing listing(
      session, "precision",
      {"TYPE", "COMPONENT", "TRUE POSITIVE", "FALSE POSITIVE", "EXPECTED", "PRECISION"});
  for (const v1::PrecisionRow& row : precision.rows()) {
    Json json;
    json["event_type"] = EventTypeName(row.event_type());
    json["component"] = ComponentName(row.component());
    json["true_positive"] = Number(row.true_positive());
    json["false_positive"] = Number(row.false_positive());
    json["expected"] = Number(row.expected());
    listing.Add(
        {std::string(EventTypeName(row.event_type())), std::string(ComponentName(row.component())),
         absl::StrCat(row.true_positive()), absl::StrCat(row.false_positive()),
         absl::StrCat(row.expected()), PrecisionText(row)},
        std::move(json));
  }
  listing.Finish("");
  if (precision.rows().empty() && session.format == OutputFormat::kTable) {
    *session.err << "no alert is closed yet: vigil alert close\n";
  }
  return absl::OkStatus();
}

}  // namespace vigil::client
