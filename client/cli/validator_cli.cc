#include "client/cli/validator_cli.h"

#include <limits>
#include <utility>

#include "client/cli/cli_options.h"
#include "client/cli/proposal_options.h"

namespace vigil::client {

CLI::App* ValidatorCli::AddCommand(CLI::App* parent, const std::string& name,
                                   const std::string& help, Command command) {
  CLI::App* added = parent->add_subcommand(name, help);
  added->callback([this, command = std::move(command)] { choose_(command); });
  return added;
}

void ValidatorCli::AddChange(CLI::App* validator, const std::string& name, const std::string& help,
                             SetChange change) {
  CLI::App* command = AddCommand(validator, name, help, [this, change](const Session& session) {
    change_.change = change;
    return RunValidatorProposal(session, change_);
  });
  if (change != SetChange::kRemove) {
    command->add_option("file", change_.file, "the newcomer's entry, as its vigild wrote it")
        ->required();
    command->add_option("--address", change_.address, "host:port where the others reach it")
        ->check(RequestText());
  }
  if (change != SetChange::kAdd) {
    CLI::Option* const identity =
        command->add_option("identity", change_.identity, "org/name of the present set")
            ->check(RequestText());
    if (change == SetChange::kRemove) {
      identity->required();
    } else {
      identity->description("org/name that it replaces; default: the one of its own name");
    }
  }
  command->add_option("--reason", change_.reason, "for the other organisations; at most 256 bytes")
      ->check(RequestText())
      ->required();
  AddSigningFlags(command, &change_);
}

void ValidatorCli::AddBallot(CLI::App* validator, const std::string& name, const std::string& help,
                             ledger::BallotChoice choice) {
  CLI::App* command = AddCommand(validator, name, help, [this, choice](const Session& session) {
    ballot_.choice = choice;
    return RunValidatorBallot(session, ballot_);
  });
  if (choice == ledger::BallotChoice::kApprove) {
    command->add_flag("--even-if-behind", ballot_.even_if_behind,
                      "although a newcomer has not caught up, or its machine is not seen");
  }
  AddBallotOptions(command, &ballot_);
}

void ValidatorCli::Add(CLI::App* app, CLI::App* admin, Choose choose) {
  choose_ = std::move(choose);
  CLI::App* validators =
      AddCommand(app, "validators", "who the validators are, and what is proposed",
                 [this](const Session& session) {
                   return epochs_ ? RunValidatorEpochs(session) : RunValidators(session);
                 });
  validators->add_flag("--epochs", epochs_, "every set since genesis instead");

  CLI::App* validator =
      admin->add_subcommand("validator", "who shall be the validators of the next epoch");
  validator->require_subcommand(1);
  validator->footer(
      "  vigil admin validator add entry.json --address v5:7601 --reason 'second site'\n"
      "  vigil admin validator approve 4711\n\n"
      "A proposal names the whole next set and is signed by an organisation's admin\n"
      "(--signing-key). A majority of the organisations with a validator decides; the next epoch\n"
      "begins by itself. A quorum of each set must be of the one before: change few at a time.\n"
      "Validators that stay get a new cosigner key if they announced it before the deciding\n"
      "ballot; `list` shows who has.\n");
  AddCommand(validator, "list",
             "who the validators are, since which epoch each has its cosigner key, and what is "
             "proposed; as vigil validators",
             [](const Session& session) { return RunValidators(session); });
  AddChange(validator, "add", "propose the present set and one more", SetChange::kAdd);
  AddChange(validator, "remove", "propose the present set without one", SetChange::kRemove);
  AddChange(validator, "replace", "propose other keys, or another validator, in one's place",
            SetChange::kReplace);
  AddBallot(validator, "approve", "your organisation's ballot for a proposal",
            ledger::BallotChoice::kApprove);
  AddBallot(validator, "reject", "your organisation's ballot against it",
            ledger::BallotChoice::kReject);
  AddListOptions(AddCommand(validator, "proposals", "newest first",
                            [this](const Session& session) {
                              return RunProposals(session, list_,
                                                  ledger::ProposalSubject::kValidators);
                            }),
                 &list_);
  AddCommand(validator, "show", "one proposal, its ballots and what it changes",
             [this](const Session& session) { return RunProposalShow(session, shown_); })
      ->add_option("proposal", shown_, "its record index")
      ->check(NumberFrom(0, std::numeric_limits<uint64_t>::max()))
      ->required();
}

}  // namespace vigil::client
