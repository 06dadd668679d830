#include "client/cli/validator_proposal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/input_file.h"
#include "client/cli/output.h"
#include "client/cli/proposals.h"
#include "client/cli/validator_commands.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/state/governance_queries.h"

namespace vigil::client {
namespace {

using ledger::GenesisValidator;

constexpr size_t kEntryBytesMax = 64 << 10;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Says whose cosigner keys stay for one more epoch if the proposal is approved now.
void TellOfKeptKeys(const Session& session, const ProposalSigner& signer,
                    const std::vector<GenesisValidator>& next) {
  std::vector<std::string> keeping;
  for (const v1::ValidatorInfo& one : signer.present.validators()) {
    const bool stays = std::ranges::any_of(next, [&](const GenesisValidator& validator) {
      return validator.identity() == one.identity() &&
             ToString(validator.record_key.span()) == one.record_key();
    });
    if (stays && one.next_cosigner_key().empty()) keeping.push_back(ForTerminal(one.identity()));
  }
  if (keeping.empty()) return;
  *session.err << "note: " << absl::StrJoin(keeping, ", ")
               << " announced no next cosigner key yet; if this ballot decides, the present one "
                  "stays for one more epoch. Validators that run announce theirs within seconds\n";
}

// Shows what is about to be signed. Errors: kCancelled unless `yes` or the answer is yes.
absl::Status Confirm(const Session& session, const ProposalSigner& signer,
                     const std::vector<GenesisValidator>& next, absl::string_view what, bool yes) {
  *session.err << what << " by " << ForTerminal(signer.identity) << ", epoch "
               << signer.genesis.epoch.value() << " of " << signer.genesis.validators.size()
               << " validators would be followed by " << next.size() << ":\n";
  const std::vector<std::string> lines = SetDifference(signer.genesis.validators, next);
  for (const std::string& line : lines) *session.err << "  " << line << '\n';
  if (lines.empty()) *session.err << "  only the order of the validators changes\n";
  return AskWhetherToSign(session, yes);
}

}  // namespace

absl::StatusOr<ProposedSet> BuildNextSet(const ledger::Genesis& genesis,
                                         const ValidatorProposalOptions& options,
                                         const std::string& newcomer) {
  ProposedSet set{.validators = genesis.validators, .addresses = genesis.validator_addresses};
  set.addresses.resize(set.validators.size());
  const bool takes_file = options.change != SetChange::kRemove;
  GenesisValidator coming;
  if (takes_file) {
    absl::StatusOr<GenesisValidator> read = ledger::ParseValidatorEntry(newcomer);
    if (!read.ok()) return Annotate(read.status(), options.file);
    coming = *std::move(read);
  }
  const std::string going =
      options.identity.empty() && takes_file ? coming.identity() : options.identity;
  const auto at = std::ranges::find(set.validators, going, &GenesisValidator::identity);
  const ptrdiff_t index = at - set.validators.begin();
  if (options.change == SetChange::kAdd) {
    if (at != set.validators.end())
      return Invalid(going, " is a validator already; vigil admin validator replace gives it keys");
    set.validators.push_back(coming);
    set.addresses.push_back(options.address);
  } else if (at == set.validators.end()) {
    return Invalid("\"", going, "\" is no validator of epoch ", genesis.epoch.value(),
                   "; write org/name as `vigil validators` does");
  } else if (options.change == SetChange::kReplace) {
    *at = coming;
    if (!options.address.empty()) set.addresses[index] = options.address;
  } else {
    set.validators.erase(at);
    set.addresses.erase(set.addresses.begin() + index);
  }
  // As every validator would read it: limits, names, keys.
  RETURN_IF_ERROR(
      ledger::DecodeValidatorSet(AsBytes(ledger::EncodeValidatorSet(set.validators))).status());
  RETURN_IF_ERROR(ledger::CheckNextSet(genesis, set.validators));
  RETURN_IF_ERROR(
      ledger::SplitAddresses(absl::StrJoin(set.addresses, ","), set.validators.size()).status());
  return set;
}

absl::Status RunValidatorProposal(const Session& session, const ValidatorProposalOptions& options) {
  if (options.reason.empty()) return Invalid("why? --reason TEXT; the other organisations read it");
  std::string newcomer;
  if (options.change != SetChange::kRemove) {
    ASSIGN_OR_RETURN(const std::optional<std::string> file,
                     ReadInput(options.file, kEntryBytesMax));
    if (!file.has_value()) return Invalid(options.file, ": too large for one validator");
    newcomer = *file;
  }
  ASSIGN_OR_RETURN(const ProposalSigner signer, OpenProposalSigner(session));
  ASSIGN_OR_RETURN(const ProposedSet set, BuildNextSet(signer.genesis, options, newcomer));
  RETURN_IF_ERROR(Confirm(session, signer, set.validators, "a proposal", options.yes));
  const std::string next_set = ledger::EncodeValidatorSet(set.validators);
  const bool any = std::ranges::any_of(set.addresses, [](const auto& one) { return !one.empty(); });
  const std::string addresses = any ? absl::StrJoin(set.addresses, ",") : "";
  const ledger::ProposalBody body{.epoch = signer.genesis.epoch.value(),
                                  .next_set = AsBytes(next_set),
                                  .addresses = addresses,
                                  .reason = options.reason};
  return SignAndReport(session, signer, body, options.trust);
}

namespace {

// What keeps an approval back: newcomers of `next` of whom the validator that answers does not say
// that they have caught up.
std::vector<std::string> NotCaughtUp(Client* client, uint64_t proposal,
                                     const std::vector<GenesisValidator>& present,
                                     const std::vector<GenesisValidator>& next) {
  std::vector<std::string> behind;
  std::optional<absl::StatusOr<v1::ListNewcomersResponse>> answer;
  for (const GenesisValidator& newcomer : next) {
    if (!ledger::IsNewcomer(present, newcomer)) continue;
    if (!answer.has_value()) answer = client->ListNewcomers();
    if (!answer->ok()) {
      behind.push_back(absl::StrCat(newcomer.identity(),
                                    ": whether it has caught up is not known, ",
                                    ForTerminal(answer->status().message())));
      continue;
    }
    v1::Newcomer seen;
    for (const v1::Newcomer& one : (*answer)->newcomers()) {
      const bool same = one.proposal_index() == proposal &&
                        one.consensus_key() == ToString(newcomer.consensus_key.span());
      if (same) seen = one;
    }
    if (seen.caught_up()) continue;
    behind.push_back(absl::StrCat(newcomer.identity(), " ", LearningText(seen), " (seen by ",
                                  ForTerminal((*answer)->validator()), ")"));
  }
  return behind;
}

// A set whose newcomers have nothing yet begins with so many validators too few.
absl::Status CheckCaughtUp(const Session& session, const ProposalSigner& signer,
                           const std::vector<GenesisValidator>& next,
                           const BallotOptions& options) {
  if (options.choice != ledger::BallotChoice::kApprove) return absl::OkStatus();
  const std::vector<std::string> behind =
      NotCaughtUp(signer.client.get(), options.proposal, signer.genesis.validators, next);
  if (behind.empty()) return absl::OkStatus();
  if (options.even_if_behind) {
    for (const std::string& line : behind) *session.err << "warning: " << line << '\n';
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      absl::StrJoin(behind, "; "),
      ": start its machine and wait (vigil validators shows how far it is), or approve all the "
      "same with --even-if-behind: the epoch then begins with that many validators too few"));
}

}  // namespace

absl::Status RunValidatorBallot(const Session& session, const BallotOptions& options) {
  ASSIGN_OR_RETURN(const ProposalSigner signer, OpenProposalSigner(session));
  ASSIGN_OR_RETURN(
      const v1::Proposal proposal,
      FetchProposal(signer.client.get(), options.proposal, ledger::ProposalSubject::kValidators));
  if (proposal.state() != "open") {
    return absl::AbortedError(
        absl::StrCat("proposal ", options.proposal, " is ", ForTerminal(proposal.state())));
  }
  const auto next = ledger::DecodeValidatorSet(AsBytes(proposal.next_set()));
  if (!next.ok()) return absl::DataLossError(next.status().message());
  RETURN_IF_ERROR(CheckCaughtUp(session, signer, *next, options));
  const bool approves = options.choice == ledger::BallotChoice::kApprove;
  if (approves) TellOfKeptKeys(session, signer, *next);
  RETURN_IF_ERROR(
      Confirm(session, signer, *next, approves ? "an approval" : "a rejection", options.yes));
  return SignAndReport(session, signer, options);
}

}  // namespace vigil::client
