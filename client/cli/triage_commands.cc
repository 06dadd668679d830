#include "client/cli/triage_commands.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/submit_signed.h"
#include "client/lib/client.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"

namespace vigil::client {
namespace {

using ledger::TriageAction;
using ledger::TriageVerdict;

absl::StatusOr<TriageVerdict> ParseVerdict(const std::string& text) {
  for (const TriageVerdict known :
       {TriageVerdict::kTruePositive, TriageVerdict::kFalsePositive, TriageVerdict::kExpected}) {
    if (ledger::TriageVerdictName(known) == text) return known;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--verdict '", text,
                   "': true-positive, false-positive or expected (rightly found, allowed)"));
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
  TriageOptions asked = options;
  ASSIGN_OR_RETURN(const CommandSigner signer,
                   LoadSigner(session, ledger::Role::kAnalyst, "analyst"));
  if (asked.assignee.empty()) asked.assignee = signer.identity;
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetAlertRequest request;
  request.set_record_index(options.alert);
  ASSIGN_OR_RETURN(const v1::Alert before, client->GetAlert(request));
  ASSIGN_OR_RETURN(const ledger::TriageBody body, BodyOf(asked, before.triage().revision()));
  const absl::StatusOr<ledger::RecordResult> result =
      SubmitSigned(session, client.get(), signer.genesis, signer.key, body, options.trust);
  if (!result.ok() && !absl::IsAlreadyExists(result.status())) return result.status();
  RETURN_IF_ERROR(Refused(asked, result.ok() ? result->code : ledger::ResultCode::kStale));
  if (session.format == OutputFormat::kTable) {
    *session.out << "alert " << options.alert << ": " << ledger::TriageActionName(options.action)
                 << " by " << signer.identity
                 << (body.assignee.empty() ? "" : absl::StrCat(" to ", asked.assignee))
                 << (asked.verdict.empty() ? "" : absl::StrCat(" as ", asked.verdict))
                 << (options.trust ? ", committed" : ", proven to be in the log") << '\n';
    return absl::OkStatus();
  }
  Json json;
  json["alert"] = Number(options.alert);
  json["action"] = ledger::TriageActionName(options.action);
  json["by"] = signer.identity;
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
