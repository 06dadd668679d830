#include "client/cli/rules_cli.h"

#include <limits>
#include <utility>

#include "client/cli/cli_options.h"
#include "client/cli/proposal_options.h"

namespace vigil::client {

CLI::App* RulesCli::AddCommand(CLI::App* parent, const std::string& name, const std::string& help,
                               Command command) {
  CLI::App* added = parent->add_subcommand(name, help);
  added->callback([this, command = std::move(command)] { choose_(command); });
  return added;
}

void RulesCli::AddBallot(CLI::App* rules, const std::string& name, const std::string& help,
                         ledger::BallotChoice choice) {
  AddBallotOptions(AddCommand(rules, name, help,
                              [this, choice](const Session& session) {
                                ballot_.choice = choice;
                                return RunRulesBallot(session, ballot_);
                              }),
                   &ballot_);
}

void RulesCli::Add(CLI::App* admin, Choose choose) {
  choose_ = std::move(choose);
  CLI::App* rules = admin->add_subcommand("rules", "by which rules the detectors go");
  rules->require_subcommand(1);
  rules->footer(
      "  vigil admin rules show --save rules.txt\n"
      "  vigil admin rules try rules.txt\n"
      "  vigil admin rules propose rules.txt --reason 'beacons of the new proxy'\n"
      "  vigil admin rules approve 4711\n\n"
      "A proposal holds the whole next rule file and is signed by an organisation's admin\n"
      "(--signing-key). More than half of the organisations with a validator decide; the new "
      "rules\n"
      "hold for the events of the next block and later ones, on every validator alike.\n");
  CLI::App* show =
      AddCommand(rules, "show", "the active rules, or what a proposal changes",
                 [this](const Session& session) { return RunRulesShow(session, show_); });
  CLI::Option* const proposal =
      show->add_option("proposal", show_.proposal, "record index of a proposal");
  show->add_option("--digest", show_.digest, "rules that are or were active")->excludes(proposal);
  show->add_option("--save", show_.save, "write the rule file there instead of printing it");

  CLI::App* propose =
      AddCommand(rules, "propose", "a whole rule file in the active one's place",
                 [this](const Session& session) { return RunRulesPropose(session, propose_); });
  propose->add_option("file", propose_.file, "the next rule file (docs/detecting.md)")->required();
  propose->add_option("--reason", propose_.reason, "for the other organisations; at most 256 bytes")
      ->check(RequestText())
      ->required();
  AddSigningFlags(propose, &propose_);

  AddBallot(rules, "approve", "your organisation's ballot for a proposal",
            ledger::BallotChoice::kApprove);
  AddBallot(rules, "reject", "your organisation's ballot against it",
            ledger::BallotChoice::kReject);
  AddListOptions(AddCommand(rules, "list", "proposals for rules, newest first",
                            [this](const Session& session) {
                              return RunProposals(session, list_, ledger::ProposalSubject::kRules);
                            }),
                 &list_);
  AddCommand(rules, "history", "every rule file since genesis",
             [](const Session& session) { return RunRulesHistory(session); });
  CLI::App* trial =
      AddCommand(rules, "try", "what a rule file would have matched on the chain; sends nothing",
                 [this](const Session& session) { return RunRulesTry(session, try_); });
  trial->add_option("file", try_.file, "a rule file")->required();
  trial->add_option("--blocks", try_.blocks, "so many of the newest blocks")
      ->check(NumberFrom(1, std::numeric_limits<uint64_t>::max()))
      ->capture_default_str();
}

}  // namespace vigil::client
