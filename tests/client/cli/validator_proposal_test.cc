#include "client/cli/validator_proposal.h"

#include <string>

#include "absl/strings/match.h"
#include "client/cli/validator_commands.h"
#include "ledger/chain/epoch.h"
#include "tests/ledger/proof/epoch_sample.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

using ledger::EpochSample;
using ledger::GenesisValidator;
using ledger::SampleOfEpochs;

ValidatorProposalOptions Change(SetChange change, const std::string& identity = "") {
  ValidatorProposalOptions options;
  options.change = change;
  options.identity = identity;
  options.file = "entry.json";
  return options;
}

std::string EntryOf(const GenesisValidator& validator) {
  return ledger::WriteValidatorEntry(validator);
}

const GenesisValidator& Newcomer() { return SampleOfEpochs().set(2).back(); }

void Refused(const absl::StatusOr<ProposedSet>& set, const std::string& words) {
  INFO(set.status().ToString());
  CHECK(absl::IsInvalidArgument(set.status()));
  CHECK(absl::StrContains(set.status().message(), words));
}

}  // namespace

TEST_CASE("validator proposal: the next set is the present one with one change", "[cli]") {
  const ledger::Genesis& genesis = SampleOfEpochs().genesis();
  ValidatorProposalOptions add = Change(SetChange::kAdd);
  add.address = "v5.example:7601";
  const ProposedSet added = BuildNextSet(genesis, add, EntryOf(Newcomer())).value();
  CHECK(added.validators == SampleOfEpochs().set(2));
  CHECK(added.addresses == std::vector<std::string>{"", "", "", "", "v5.example:7601"});
  CHECK(SetDifference(genesis.validators, added.validators).size() == 1);
  CHECK(SetDifference(genesis.validators, added.validators)[0].starts_with("+ acme/n4 consensus "));

  const ledger::Genesis second =
      ledger::WithNextEpoch(genesis, Height(5), added.validators, added.addresses);
  const GenesisValidator& other = SampleOfEpochs().set(3)[3];
  const ProposedSet replaced =
      BuildNextSet(second, Change(SetChange::kReplace, "globex/v3"), EntryOf(other)).value();
  CHECK(replaced.validators == SampleOfEpochs().set(3));
  CHECK(replaced.addresses == added.addresses);
  const auto lines = SetDifference(second.validators, replaced.validators);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].starts_with("~ globex/v3 was "));
  CHECK(absl::StrContains(lines[1], other.record_key.ToHex()));

  const ProposedSet removed =
      BuildNextSet(second, Change(SetChange::kRemove, "acme/v0"), "").value();
  CHECK(removed.validators.size() == 4);
  CHECK(removed.addresses == std::vector<std::string>{"", "", "", "v5.example:7601"});
  CHECK(SetDifference(second.validators, removed.validators)[0].starts_with("- acme/v0 "));
}

TEST_CASE("validator proposal: what may not follow is refused before anything is signed", "[cli]") {
  const ledger::Genesis& genesis = SampleOfEpochs().genesis();
  Refused(BuildNextSet(genesis, Change(SetChange::kRemove, "acme/v9"), ""), "is no validator");
  Refused(BuildNextSet(genesis, Change(SetChange::kAdd), "{"), "entry.json");
  Refused(BuildNextSet(genesis, Change(SetChange::kAdd), EntryOf(genesis.validators[1])),
          "is a validator already");
  GenesisValidator stranger = Newcomer();
  stranger.org = "initech";
  Refused(BuildNextSet(genesis, Change(SetChange::kAdd), EntryOf(stranger)), "not in genesis");
  GenesisValidator twice = Newcomer();
  twice.log_key = genesis.validators[2].log_key;
  Refused(BuildNextSet(genesis, Change(SetChange::kAdd), EntryOf(twice)), "used twice");
  GenesisValidator once_used = Newcomer();
  once_used.record_key = genesis.identities[0].key;
  Refused(BuildNextSet(genesis, Change(SetChange::kAdd), EntryOf(once_used)), "in use");
  ValidatorProposalOptions nowhere = Change(SetChange::kAdd);
  nowhere.address = "no port";
  Refused(BuildNextSet(genesis, nowhere, EntryOf(Newcomer())), "host:port");
  ValidatorProposalOptions two = Change(SetChange::kAdd);
  two.address = "a:1,b:2";
  Refused(BuildNextSet(genesis, two, EntryOf(Newcomer())), "addresses");
}

}  // namespace vigil::client
