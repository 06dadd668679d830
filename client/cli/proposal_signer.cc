#include "client/cli/proposal_signer.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "client/cli/submit_signed.h"
#include "client/cli/trust.h"
#include "client/lib/known_epochs.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"

namespace vigil::client {
namespace {

// The present set, proven from genesis on, has to be the one that the validator works with.
absl::StatusOr<v1::Validators> FetchPresent(const ledger::Genesis& genesis, Client* client) {
  ASSIGN_OR_RETURN(v1::Validators present, client->GetValidators({}));
  if (present.epoch() > genesis.epoch.value()) {
    return absl::AbortedError(absl::StrCat("epoch ", present.epoch(),
                                           " has begun, and its anchor is not final yet: "
                                           "try again in a moment"));
  }
  const bool same = present.epoch() == genesis.epoch.value() &&
                    present.set() == ledger::EncodeValidatorSet(genesis.validators);
  if (same) return present;
  return absl::DataLossError(
      absl::StrCat("a validator answers with a set of epoch ", present.epoch(),
                   " that is not the one proven from genesis, of epoch ", genesis.epoch.value()));
}

absl::Status Refused(ledger::ResultCode code) {
  switch (code) {
    case ledger::ResultCode::kOk:
      return absl::OkStatus();
    case ledger::ResultCode::kNotFound:
      return absl::NotFoundError("there is no such proposal");
    case ledger::ResultCode::kPermissionDenied:
      return absl::PermissionDeniedError(
          "the signer's organisation has no validator, so it has no ballot");
    case ledger::ResultCode::kStale:
      return absl::AbortedError(
          "somebody was quicker: the epoch, the rules to be replaced or the proposal are over; "
          "vigil validators and vigil admin rules show tell");
    case ledger::ResultCode::kConflict:
      return absl::AbortedError(
          "a set is approved, or the organisation's last proposal is open or its ballot cast; "
          "vigil validators and vigil admin rules list tell");
    default:
      return absl::FailedPreconditionError(
          absl::StrCat("the chain answered ", ledger::ResultCodeName(code)));
  }
}

// `proposal`: nothing for a proposal itself, which its record numbers.
absl::Status Submit(const Session& session, const ProposalSigner& signer,
                    const ledger::RecordBody& body, absl::string_view what,
                    std::optional<uint64_t> proposal, bool trust) {
  ASSIGN_OR_RETURN(
      const ledger::RecordResult result,
      SubmitSigned(session, signer.client.get(), signer.first, signer.key, body, trust));
  RETURN_IF_ERROR(Refused(result.code));
  const uint64_t number = proposal.value_or(result.index.value());
  if (session.format == OutputFormat::kTable) {
    *session.out << what << " " << number << " by " << ForTerminal(signer.identity)
                 << (trust ? ", committed" : ", proven to be in the log") << '\n';
    return absl::OkStatus();
  }
  session.PrintJson({{"proposal", Number(number)},
                     {"record", Number(result.index.value())},
                     {"by", signer.identity},
                     {"proven", !trust}});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProposalSigner> OpenProposalSigner(const Session& session) {
  ASSIGN_OR_RETURN(CommandSigner signer, LoadSigner(session, ledger::Role::kAdmin, "admin"));
  ASSIGN_OR_RETURN(std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(FetchedEpochs fetched, FetchEpochs(signer.genesis, client.get()));
  ASSIGN_OR_RETURN(v1::Validators present, FetchPresent(fetched.genesis, client.get()));
  return ProposalSigner{.first = std::move(signer.genesis),
                        .genesis = std::move(fetched.genesis),
                        .present = std::move(present),
                        .key = std::move(signer.key),
                        .identity = std::move(signer.identity),
                        .client = std::move(client)};
}

absl::Status AskWhetherToSign(const Session& session, bool yes) {
  if (yes) return absl::OkStatus();
  *session.err << "sign it? yes or no: " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "yes") return absl::OkStatus();
  return absl::CancelledError("not signed; --yes signs without asking");
}

absl::Status SignAndReport(const Session& session, const ProposalSigner& signer,
                           const ledger::ProposalBody& body, bool trust) {
  return Submit(session, signer, body, "proposal", std::nullopt, trust);
}

absl::Status SignAndReport(const Session& session, const ProposalSigner& signer,
                           const BallotOptions& options) {
  const bool approves = options.choice == ledger::BallotChoice::kApprove;
  const ledger::BallotBody body{.proposal_index = RecordIndex(options.proposal),
                                .choice = static_cast<uint32_t>(options.choice)};
  return Submit(session, signer, body, approves ? "approved: proposal" : "rejected: proposal",
                options.proposal, options.trust);
}

}  // namespace vigil::client
