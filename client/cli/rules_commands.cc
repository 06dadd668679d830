#include "client/cli/rules_commands.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/proposals.h"
#include "client/cli/rules_file.h"
#include "ledger/base/status_macros.h"
#include "ledger/state/rules.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

constexpr uint32_t kPage = 1'000;

// Lines of a rule without comments and with single blanks, by number; 0: what stands before the
// first one.
using RuleLines = std::map<uint32_t, std::vector<std::string>>;

RuleLines LinesOf(absl::string_view file) {
  RuleLines lines;
  uint32_t number = 0;
  for (absl::string_view line : absl::StrSplit(file, '\n')) {
    line = line.substr(0, line.find('#'));
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \r"), absl::SkipEmpty());
    if (words.empty()) continue;
    if (words.size() > 1 && words[0] == "rule" && !absl::SimpleAtoi(words[1], &number)) continue;
    lines[number].push_back(absl::StrJoin(words, " "));
  }
  return lines;
}

void AddChange(const std::vector<std::string>& before, const std::vector<std::string>& after,
               std::vector<std::string>* out) {
  const std::set<std::string> had(before.begin(), before.end());
  const std::set<std::string> has(after.begin(), after.end());
  for (const std::string& line : before) {
    if (!has.contains(line)) out->push_back(absl::StrCat("    - ", line));
  }
  for (const std::string& line : after) {
    if (!had.contains(line)) out->push_back(absl::StrCat("    + ", line));
  }
}

std::string RulesText(const v1::RulesBegun& rules) {
  if (rules.digest().empty()) return "none";
  return absl::StrCat("version ", rules.version(), ", ", rules.rule_count(), " rules, ",
                      HexEncode(AsBytes(rules.digest())));
}

std::string SinceText(const v1::RulesBegun& rules) {
  if (!rules.has_proposal_index()) return "genesis";
  return absl::StrCat("height ", rules.from_height(), ", proposal ", rules.proposal_index());
}

Json ToJson(const v1::RulesBegun& rules) {
  Json json;
  json["digest"] = HexEncode(AsBytes(rules.digest()));
  json["version"] = rules.version();
  json["rules"] = rules.rule_count();
  json["from_height"] = Number(rules.from_height());
  if (rules.has_proposal_index()) json["proposal"] = Number(rules.proposal_index());
  return json;
}

// The file, line by line: comments are anybody's.
void PrintFile(const Session& session, const std::string& file) {
  *session.out << '\n';
  for (const absl::string_view line : absl::StrSplit(file, '\n')) {
    *session.out << ForTerminal(line) << '\n';
  }
}

absl::Status DeliverFile(const Session& session, const std::string& save, const std::string& file) {
  if (save.empty()) {
    PrintFile(session, file);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(ledger::PosixFileSystem()->WriteAtomically(save, AsBytes(file)));
  *session.err << ForTerminal(save) << ": " << file.size() << " bytes\n";
  return absl::OkStatus();
}

absl::Status ShowProposal(const Session& session, Client* client, const RulesShowOptions& options) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(options.proposal, &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", options.proposal, "' where the record index of a proposal belongs"));
  }
  ASSIGN_OR_RETURN(const v1::Proposal proposal,
                   FetchProposal(client, number, ledger::ProposalSubject::kRules));
  v1::Rules replaced;  // None, where the proposal names none.
  if (!proposal.replaced_rules().empty()) {
    ASSIGN_OR_RETURN(replaced, FetchRules(client, proposal.replaced_rules()));
  }
  const std::vector<std::string> changes = RulesDifference(replaced.file(), proposal.rules());
  if (session.format != OutputFormat::kTable) {
    Json json = client::ToJson(proposal);
    json["changes"] = changes;
    json["file"] = proposal.rules();
    session.PrintJson(json);
    return absl::OkStatus();
  }
  Facts facts;
  facts.Add("proposal", absl::StrCat(proposal.record_index(), ", ", proposal.state()));
  facts.Add("by", proposal.by());
  facts.Add("reason", proposal.reason());
  facts.Add("ballots", BallotsText(proposal));
  facts.Add("rules", HexEncode(AsBytes(proposal.rules_digest())));
  facts.Add("instead of", RulesText(replaced.rules()));
  facts.Print(*session.out);
  for (const std::string& line : changes) *session.out << ForTerminal(line) << '\n';
  return options.save.empty() ? absl::OkStatus()
                              : DeliverFile(session, options.save, proposal.rules());
}

// A record with the bytes of an earlier one is that one, and a proposal that is over does nothing.
absl::Status CheckIsNew(Client* client, const std::string& signer,
                        const ledger::ProposalBody& body) {
  v1::ListProposalsRequest request;
  request.set_subject(std::string(ledger::ProposalSubjectName(ledger::ProposalSubject::kRules)));
  request.set_limit(kPage);
  ASSIGN_OR_RETURN(const v1::ListProposalsResponse page, client->ListProposals(request));
  const std::string digest = ToString(ledger::RulesDigestOf(body.rules).span());
  for (const v1::Proposal& one : page.proposals()) {
    const bool same =
        one.by() == signer && one.epoch() == body.epoch && one.reason() == body.reason &&
        one.rules_digest() == digest &&
        Hash::From(AsBytes(one.replaced_rules())).value_or(Hash()) == body.replaced_rules;
    if (!same || one.state() == "open") continue;
    return absl::InvalidArgumentError(
        absl::StrCat("proposal ", one.record_index(), " said exactly this and is ",
                     ForTerminal(one.state()), ": give another --reason"));
  }
  return absl::OkStatus();
}

// Shows what is about to be signed.
absl::Status Confirm(const Session& session, const ProposalSigner& signer, const v1::Rules& present,
                     const std::string& file, absl::string_view what, bool yes) {
  *session.err << what << " by " << ForTerminal(signer.identity) << ": rules "
               << ledger::RulesDigestOf(file).ToHex() << " instead of "
               << RulesText(present.rules()) << ":\n";
  const std::vector<std::string> lines = RulesDifference(present.file(), file);
  for (const std::string& line : lines) *session.err << "  " << ForTerminal(line) << '\n';
  if (lines.empty()) *session.err << "  only comments change\n";
  return AskWhetherToSign(session, yes);
}

}  // namespace

std::vector<std::string> RulesDifference(absl::string_view before, absl::string_view after) {
  const RuleLines had = LinesOf(before);
  const RuleLines has = LinesOf(after);
  std::set<uint32_t> numbers;
  for (const auto& [number, lines] : had) numbers.insert(number);
  for (const auto& [number, lines] : has) numbers.insert(number);
  std::vector<std::string> out;
  for (const uint32_t number : numbers) {
    const auto old = had.find(number);
    const auto now = has.find(number);
    if (old == had.end()) {
      if (number != 0) out.push_back(absl::StrCat("+ ", now->second.front()));
      continue;
    }
    if (now == has.end()) {
      if (number != 0) out.push_back(absl::StrCat("- ", old->second.front()));
      continue;
    }
    if (old->second == now->second) continue;
    out.push_back(number == 0 ? std::string("~ the file")
                              : absl::StrCat("~ ", old->second.front()));
    AddChange(old->second, now->second, &out);
  }
  return out;
}

absl::Status RunRulesShow(const Session& session, const RulesShowOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  if (!options.proposal.empty()) return ShowProposal(session, client.get(), options);
  std::string digest;
  if (!options.digest.empty()) {
    ASSIGN_OR_RETURN(const Hash hash, Hash::FromHex(options.digest));
    digest = ToString(hash.span());
  }
  ASSIGN_OR_RETURN(const v1::Rules rules, FetchRules(client.get(), digest));
  if (session.format != OutputFormat::kTable) {
    Json json = ToJson(rules.rules());
    json["file"] = rules.file();
    json["open_proposals"] = Json::array();
    for (const v1::Proposal& open : rules.open()) {
      json["open_proposals"].push_back(client::ToJson(open));
    }
    session.PrintJson(json);
    return absl::OkStatus();
  }
  Facts facts;
  facts.Add("rules", RulesText(rules.rules()));
  facts.Add("since", SinceText(rules.rules()));
  for (const v1::Proposal& open : rules.open()) {
    facts.Add("proposed", absl::StrCat("proposal ", open.record_index(), " by ", open.by(), ", ",
                                       BallotsText(open), ": ", open.reason()));
  }
  facts.Print(*session.out);
  return DeliverFile(session, options.save, rules.file());
}

absl::Status RunRulesHistory(const Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Rules rules, FetchRules(client.get(), ""));
  Listing listing(session, "rules", {"FROM HEIGHT", "PROPOSAL", "VERSION", "RULES", "DIGEST"});
  for (const v1::RulesBegun& begun : rules.history()) {
    listing.Add({absl::StrCat(begun.from_height()),
                 begun.has_proposal_index() ? absl::StrCat(begun.proposal_index()) : "genesis",
                 absl::StrCat(begun.version()), absl::StrCat(begun.rule_count()),
                 begun.digest().empty() ? "none" : HexEncode(AsBytes(begun.digest()))},
                ToJson(begun));
  }
  listing.Finish("");
  return absl::OkStatus();
}

absl::Status RunRulesPropose(const Session& session, const RulesProposeOptions& options) {
  if (options.reason.empty()) {
    return absl::InvalidArgumentError("why? --reason TEXT; the other organisations read it");
  }
  ASSIGN_OR_RETURN(const std::string file, ReadRuleFile(options.file));
  ASSIGN_OR_RETURN(const ProposalSigner signer, OpenProposalSigner(session));
  ASSIGN_OR_RETURN(const v1::Rules present, FetchRules(signer.client.get(), ""));
  ledger::ProposalBody body{.epoch = signer.genesis.epoch.value(),
                            .next_set = {},
                            .addresses = {},
                            .reason = options.reason,
                            .rules = file,
                            .replaced_rules = ledger::RulesDigestOf(present.file())};
  if (body.replaced_rules == ledger::RulesDigestOf(file)) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.file, ": these rules are active already"));
  }
  RETURN_IF_ERROR(CheckIsNew(signer.client.get(), signer.identity, body));
  RETURN_IF_ERROR(Confirm(session, signer, present, file, "a proposal", options.yes));
  return SignAndReport(session, signer, body, options.trust);
}

absl::Status RunRulesBallot(const Session& session, const BallotOptions& options) {
  ASSIGN_OR_RETURN(const ProposalSigner signer, OpenProposalSigner(session));
  Client* const client = signer.client.get();
  ASSIGN_OR_RETURN(const v1::Proposal proposal,
                   FetchProposal(client, options.proposal, ledger::ProposalSubject::kRules));
  if (proposal.state() != "open") {
    return absl::AbortedError(
        absl::StrCat("proposal ", options.proposal, " is ", ForTerminal(proposal.state())));
  }
  ASSIGN_OR_RETURN(const v1::Rules present, FetchRules(client, ""));
  const bool approves = options.choice == ledger::BallotChoice::kApprove;
  RETURN_IF_ERROR(Confirm(session, signer, present, proposal.rules(),
                          approves ? "an approval" : "a rejection", options.yes));
  return SignAndReport(session, signer, options);
}

}  // namespace vigil::client
