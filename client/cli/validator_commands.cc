#include "client/cli/validator_commands.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/proposals.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"

namespace vigil::client {
namespace {

using ledger::GenesisValidator;

constexpr uint32_t kPage = 1'000;

std::string KeyText(absl::string_view bytes) { return HexEncode(AsBytes(bytes)); }

std::string KeyLine(const GenesisValidator& validator) {
  return absl::StrCat("consensus ", validator.consensus_key.ToHex(), " log ",
                      validator.log_key.ToHex(), " cosigner ", validator.cosigner_key.ToHex(),
                      " record ", validator.record_key.ToHex(), " journal ",
                      validator.journal_id.ToHex());
}

const GenesisValidator* Find(const std::vector<GenesisValidator>& set,
                             const std::string& identity) {
  const auto at = std::ranges::find(set, identity, &GenesisValidator::identity);
  return at == set.end() ? nullptr : &*at;
}

Json ToJson(const v1::ValidatorInfo& validator) {
  Json json;
  json["identity"] = validator.identity();
  json["organisation"] = validator.organisation();
  json["address"] = validator.address();
  json["consensus_key"] = KeyText(validator.consensus_key());
  json["log_key"] = KeyText(validator.log_key());
  json["cosigner_key"] = KeyText(validator.cosigner_key());
  json["record_key"] = KeyText(validator.record_key());
  json["journal_id"] = KeyText(validator.journal_id());
  json["connected"] = validator.connected();
  json["cosigner_epoch"] = Number(validator.cosigner_epoch());
  json["next_cosigner_key"] = KeyText(validator.next_cosigner_key());
  return json;
}

absl::StatusOr<v1::ListProposalsResponse> OpenProposals(Client* client) {
  v1::ListProposalsRequest request;
  request.set_subject(
      std::string(ledger::ProposalSubjectName(ledger::ProposalSubject::kValidators)));
  request.set_open_only(true);
  request.set_limit(kPage);
  return client->ListProposals(request);
}

Json ToJson(const v1::Newcomer& newcomer) {
  Json json;
  json["proposal"] = Number(newcomer.proposal_index());
  json["identity"] = newcomer.identity();
  json["consensus_key"] = KeyText(newcomer.consensus_key());
  json["learns"] = newcomer.learns();
  json["caught_up"] = newcomer.caught_up();
  json["height"] = Number(newcomer.height());
  json["behind"] = Number(newcomer.behind());
  json["silent_millis"] = Number(newcomer.silent_millis());
  return json;
}

// A validator that refuses, or is older, knows nobody: what it knows else is shown all the same.
v1::ListNewcomersResponse NewcomersOrNone(Client* client) {
  absl::StatusOr<v1::ListNewcomersResponse> newcomers = client->ListNewcomers();
  return newcomers.ok() ? *std::move(newcomers) : v1::ListNewcomersResponse();
}

void PrintNewcomers(const Session& session, const v1::ListNewcomersResponse& newcomers) {
  for (const v1::Newcomer& one : newcomers.newcomers()) {
    *session.out << "newcomer: " << ForTerminal(one.identity()) << " of proposal "
                 << one.proposal_index() << ", " << LearningText(one) << " (seen by "
                 << ForTerminal(newcomers.validator()) << ")\n";
  }
}

void PrintPending(const Session& session, const v1::Validators& validators,
                  const v1::ListProposalsResponse& open) {
  if (validators.has_approved()) {
    *session.out << "approved: the set of proposal " << validators.approved().record_index()
                 << " begins with the next epoch: "
                 << ForTerminal(IdentitiesOf(validators.approved().next_set())) << '\n';
  }
  for (const v1::Proposal& proposal : open.proposals()) {
    *session.out << "open: proposal " << proposal.record_index() << " by "
                 << ForTerminal(proposal.by()) << ", " << ForTerminal(BallotsText(proposal)) << ": "
                 << ForTerminal(proposal.reason()) << '\n';
  }
}

}  // namespace

std::string LearningText(const v1::Newcomer& newcomer) {
  if (!newcomer.learns()) return "not seen: its machine does not run, or cannot reach this one";
  if (newcomer.height() == 0) return "learns: it takes a snapshot";
  return absl::StrCat(newcomer.caught_up() ? "has caught up" : "learns", ", at height ",
                      newcomer.height(), ", ", newcomer.behind(), " behind, heard ",
                      newcomer.silent_millis() / 1000, " s ago");
}

absl::Status RunValidators(const Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Validators validators, client->GetValidators({}));
  ASSIGN_OR_RETURN(const v1::ListProposalsResponse open, OpenProposals(client.get()));
  if (session.format == OutputFormat::kTable) {
    *session.out << "epoch " << validators.epoch() << " above height " << validators.base_height()
                 << '\n';
  }
  Listing listing(session, "validators",
                  {"VALIDATOR", "ORGANISATION", "ADDRESS", "CONNECTED", "RECORD KEY", "JOURNAL",
                   "COSIGNER SINCE", "NEXT COSIGNER"});
  listing.Set("epoch", Number(validators.epoch()));
  listing.Set("base_height", Number(validators.base_height()));
  for (const v1::ValidatorInfo& one : validators.validators()) {
    listing.Add({one.identity(), one.organisation(), one.address().empty() ? "-" : one.address(),
                 one.connected() ? "yes" : "no", ShortHex(one.record_key()),
                 ShortHex(one.journal_id()), absl::StrCat("epoch ", one.cosigner_epoch()),
                 one.next_cosigner_key().empty() ? "-" : ShortHex(one.next_cosigner_key())},
                ToJson(one));
  }
  Json proposals = Json::array();
  for (const v1::Proposal& proposal : open.proposals()) proposals.push_back(ToJson(proposal));
  listing.Set("open_proposals", std::move(proposals));
  if (validators.has_approved()) listing.Set("approved", ToJson(validators.approved()));
  const v1::ListNewcomersResponse newcomers = NewcomersOrNone(client.get());
  Json learning = Json::array();
  for (const v1::Newcomer& one : newcomers.newcomers()) learning.push_back(ToJson(one));
  listing.Set("newcomers", std::move(learning));
  listing.Finish("");
  if (session.format != OutputFormat::kTable) return absl::OkStatus();
  PrintPending(session, validators, open);
  PrintNewcomers(session, newcomers);
  return absl::OkStatus();
}

absl::Status RunValidatorEpochs(const Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  Listing listing(session, "epochs", {"EPOCH", "ABOVE HEIGHT", "PROPOSAL", "VALIDATORS"});
  v1::ListEpochsRequest request;
  request.set_limit(kPage);
  do {
    ASSIGN_OR_RETURN(const v1::ListEpochsResponse page, client->ListEpochs(request));
    for (const v1::EpochBegun& epoch : page.epochs()) {
      const std::string identities = IdentitiesOf(epoch.set());
      Json json;
      json["epoch"] = Number(epoch.number());
      json["base_height"] = Number(epoch.base_height());
      json["proposal"] = Number(epoch.proposal_index());
      json["validators"] = identities;
      json["addresses"] = epoch.addresses();
      listing.Add({absl::StrCat(epoch.number()), absl::StrCat(epoch.base_height()),
                   absl::StrCat(epoch.proposal_index()), identities},
                  std::move(json));
    }
    request.set_cursor(page.next_cursor());
  } while (request.cursor() != 0);
  listing.Finish("");
  if (session.format == OutputFormat::kTable)
    *session.err << "epoch 1 is that of the genesis file\n";
  return absl::OkStatus();
}

absl::Status RunProposalShow(const Session& session, uint64_t proposal) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Proposal shown,
                   FetchProposal(client.get(), proposal, ledger::ProposalSubject::kValidators));
  ASSIGN_OR_RETURN(const v1::Validators present, client->GetValidators({}));
  const auto now = ledger::DecodeValidatorSet(AsBytes(present.set()));
  const auto next = ledger::DecodeValidatorSet(AsBytes(shown.next_set()));
  // Of another epoch's proposal the present set says nothing.
  const bool comparable = now.ok() && next.ok() && present.epoch() == shown.epoch();
  const std::vector<std::string> changes =
      comparable ? SetDifference(*now, *next) : std::vector<std::string>();
  v1::ListNewcomersResponse learning = NewcomersOrNone(client.get());
  for (int i = learning.newcomers_size() - 1; i >= 0; --i) {
    if (learning.newcomers(i).proposal_index() == proposal) continue;
    learning.mutable_newcomers()->DeleteSubrange(i, 1);
  }
  if (session.format != OutputFormat::kTable) {
    Json json = ToJson(shown);
    json["changes"] = changes;
    json["newcomers"] = Json::array();
    for (const v1::Newcomer& one : learning.newcomers()) json["newcomers"].push_back(ToJson(one));
    session.PrintJson(json);
    return absl::OkStatus();
  }
  Facts facts;
  facts.Add("proposal", absl::StrCat(shown.record_index(), ", ", shown.state()));
  facts.Add("ends epoch", absl::StrCat(shown.epoch()));
  facts.Add("by", shown.by());
  facts.Add("reason", shown.reason());
  facts.Add("ballots", BallotsText(shown));
  facts.Add("next set", IdentitiesOf(shown.next_set()));
  facts.Print(*session.out);
  for (const std::string& line : changes) *session.out << line << '\n';
  PrintNewcomers(session, learning);
  return absl::OkStatus();
}

std::vector<std::string> SetDifference(const std::vector<GenesisValidator>& present,
                                       const std::vector<GenesisValidator>& next) {
  std::vector<std::string> lines;
  for (const GenesisValidator& before : present) {
    const std::string identity = before.identity();
    const GenesisValidator* const after = Find(next, identity);
    if (after == nullptr) lines.push_back(absl::StrCat("- ", identity, " ", KeyLine(before)));
    if (after == nullptr || *after == before) continue;
    lines.push_back(absl::StrCat("~ ", identity, " was ", KeyLine(before)));
    lines.push_back(absl::StrCat("~ ", identity, " becomes ", KeyLine(*after)));
  }
  for (const GenesisValidator& after : next) {
    if (Find(present, after.identity()) == nullptr)
      lines.push_back(absl::StrCat("+ ", after.identity(), " ", KeyLine(after)));
  }
  return lines;
}

}  // namespace vigil::client
