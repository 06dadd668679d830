#include "ledger/state/governance_queries.h"

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "ledger/chain/epoch.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr RecordIndex kNewest(std::numeric_limits<uint64_t>::max());

// The set of genesis and one more.
std::string LargerSet(const TestNetwork& network) {
  std::vector<GenesisValidator> set = network.genesis().validators;
  GenesisValidator coming;
  coming.org = "acme";
  coming.name = "n4";
  uint8_t seed = 200;
  for (PublicKey* key :
       {&coming.consensus_key, &coming.log_key, &coming.cosigner_key, &coming.record_key}) {
    std::array<uint8_t, 32> bytes{};
    bytes[31] = seed++;
    *key = SigningKey::FromSeed(bytes).public_key();
  }
  coming.reveal_anchor = TestHash(1);
  coming.reveal_length = 1000;
  coming.journal_id.bytes.fill(2);
  set.push_back(coming);
  return EncodeValidatorSet(set);
}

Record Propose(const TestNetwork& network, const std::string& set, const std::string& by) {
  ProposalBody body;
  body.epoch = 1;
  body.next_set = AsBytes(set);
  body.reason = "a second site";
  return network.Sign(body, by);
}

Record Vote(const TestNetwork& network, RecordIndex proposal, BallotChoice choice,
            const std::string& by) {
  return network.Sign(
      BallotBody{.proposal_index = proposal, .choice = static_cast<uint32_t>(choice)}, by);
}

}  // namespace

TEST_CASE("governance queries: proposals come newest first with their ballots", "[state]") {
  TestNetwork network(4);
  TestChain chain(&network);
  const std::string set = LargerSet(network);
  CHECK(ListProposals(chain.reader(), kNewest, 10, false)->empty());
  CHECK(!ApprovedProposal(chain.reader())->has_value());
  CHECK(absl::IsNotFound(GetProposal(chain.reader(), RecordIndex(7)).status()));

  const RecordResult first = chain.CommitOne(Propose(network, set, "acme/root"));
  REQUIRE(first.code == ResultCode::kOk);
  const RecordResult no =
      chain.CommitOne(Vote(network, first.index, BallotChoice::kReject, "globex/root"));
  REQUIRE(no.code == ResultCode::kOk);
  const RecordResult second = chain.CommitOne(Propose(network, set, "globex/root"));
  REQUIRE(second.code == ResultCode::kOk);

  const auto all = ListProposals(chain.reader(), kNewest, 10, false).value();
  REQUIRE(all.size() == 2);
  CHECK(all[0].index == second.index);
  CHECK(all[1].index == first.index);
  CHECK(all[1].row.by == "acme/root");
  REQUIRE(all[1].ballots.size() == 2);
  CHECK(all[1].ballots[0].org == "acme");
  CHECK(all[1].ballots[0].row.choice == BallotChoice::kApprove);
  CHECK(all[1].ballots[1].org == "globex");
  CHECK(all[1].ballots[1].row.choice == BallotChoice::kReject);

  SECTION("pages end where they are told and begin below") {
    const auto page = ListProposals(chain.reader(), kNewest, 1, false).value();
    REQUIRE(page.size() == 1);
    CHECK(page[0].index == second.index);
    const RecordIndex below(page[0].index.value() - 1);
    CHECK(ListProposals(chain.reader(), below, 1, false)->at(0).index == first.index);
  }
  SECTION("what is approved is open no more and is what begins next") {
    chain.CommitOne(Vote(network, second.index, BallotChoice::kApprove, "acme/root"));
    const auto listed = ListProposals(chain.reader(), kNewest, 10, true);
    for (const ProposalInfo& open : listed.value()) CHECK(open.index != second.index);
    const auto approved = ApprovedProposal(chain.reader()).value();
    REQUIRE(approved.has_value());
    CHECK(approved->index == second.index);
    CHECK(approved->row.state == ProposalState::kApproved);
    CHECK(ListEpochs(chain.reader(), 0, 10)->empty());
  }
}

}  // namespace vigil::ledger
