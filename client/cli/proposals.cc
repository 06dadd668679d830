#include "client/cli/proposals.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/listing.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"

namespace vigil::client {
namespace {

absl::string_view ChoiceName(uint32_t choice) { return choice == 1 ? "approve" : "reject"; }

absl::string_view CommandFor(absl::string_view subject) {
  return subject == "rules" ? "vigil admin rules" : "vigil admin validator";
}

}  // namespace

std::string IdentitiesOf(const std::string& set) {
  const auto decoded = ledger::DecodeValidatorSet(AsBytes(set));
  if (!decoded.ok()) return absl::StrCat("malformed: ", decoded.status().message());
  std::vector<std::string> names;
  for (const ledger::GenesisValidator& validator : *decoded) names.push_back(validator.identity());
  return absl::StrJoin(names, " ");
}

Json ToJson(const v1::Proposal& proposal) {
  Json json;
  json["proposal"] = Number(proposal.record_index());
  json["subject"] = proposal.subject();
  json["state"] = proposal.state();
  json["epoch"] = Number(proposal.epoch());
  json["organisation"] = proposal.organisation();
  json["by"] = proposal.by();
  json["reason"] = proposal.reason();
  if (proposal.subject() == "rules") {
    json["rules_digest"] = HexEncode(AsBytes(proposal.rules_digest()));
    json["replaced_rules"] = HexEncode(AsBytes(proposal.replaced_rules()));
  } else {
    json["next_set"] = IdentitiesOf(proposal.next_set());
    json["addresses"] = proposal.addresses();
  }
  json["approve"] = Number(proposal.approve_count());
  json["reject"] = Number(proposal.reject_count());
  json["height"] = Number(proposal.height());
  json["closed_height"] = Number(proposal.closed_height());
  json["ballots"] = Json::array();
  for (const v1::Ballot& ballot : proposal.ballots()) {
    json["ballots"].push_back({{"organisation", ballot.organisation()},
                               {"by", ballot.by()},
                               {"choice", std::string(ChoiceName(ballot.choice()))},
                               {"record", Number(ballot.record_index())}});
  }
  return json;
}

std::string BallotsText(const v1::Proposal& proposal) {
  std::vector<std::string> texts;
  for (const v1::Ballot& ballot : proposal.ballots()) {
    texts.push_back(absl::StrCat(ballot.organisation(), " ", ChoiceName(ballot.choice()), "s"));
  }
  return absl::StrJoin(texts, ", ");
}

absl::Status RunProposals(const Session& session, const ProposalListOptions& options,
                          ledger::ProposalSubject subject) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::ListProposalsRequest request;
  request.set_subject(std::string(ledger::ProposalSubjectName(subject)));
  request.set_open_only(options.open_only);
  request.set_limit(options.limit);
  request.set_cursor(options.cursor);
  ASSIGN_OR_RETURN(const v1::ListProposalsResponse page, client->ListProposals(request));
  Listing listing(session, "proposals",
                  {"PROPOSAL", "STATE", "EPOCH", "BY", "APPROVE", "REJECT", "REASON"});
  for (const v1::Proposal& one : page.proposals()) {
    listing.Add({absl::StrCat(one.record_index()), one.state(), absl::StrCat(one.epoch()), one.by(),
                 absl::StrCat(one.approve_count()), absl::StrCat(one.reject_count()), one.reason()},
                ToJson(one));
  }
  listing.Finish(page.next_cursor() == 0 ? "" : absl::StrCat("--cursor ", page.next_cursor()));
  return absl::OkStatus();
}

absl::StatusOr<v1::Proposal> FetchProposal(Client* client, uint64_t proposal,
                                           ledger::ProposalSubject subject) {
  v1::ListProposalsRequest request;
  request.set_proposal_index(proposal);
  ASSIGN_OR_RETURN(v1::ListProposalsResponse page, client->ListProposals(request));
  if (page.proposals().empty() || page.proposals(0).record_index() != proposal)
    return absl::DataLossError("the validator answered without the proposal that was asked for");
  v1::Proposal found = std::move(*page.mutable_proposals(0));
  // Validators that are too old to say know of sets alone.
  if (found.subject().empty()) found.set_subject("validators");
  if (found.subject() == ledger::ProposalSubjectName(subject)) return found;
  return absl::InvalidArgumentError(absl::StrCat("proposal ", proposal, " is for ",
                                                 ForTerminal(found.subject()), ": see ",
                                                 CommandFor(found.subject())));
}

}  // namespace vigil::client
