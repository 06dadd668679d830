#include "ledger/chain/epoch.h"
#include "ledger/chain/epoch_chain.h"
#include "tests/node/api/api_fixture.h"
#include "tests/support/catch.h"

namespace vigil::node {

TEST_CASE("epochs: before the first change the set is that of genesis and the chain is empty",
          "[api]") {
  Fixture f;
  const auto validators = f.client()->GetValidators({});
  INFO(validators.status());
  REQUIRE(validators.ok());
  CHECK(validators->epoch() == 1);
  CHECK(validators->base_height() == 0);
  CHECK(validators->set() == ledger::EncodeValidatorSet(f.genesis().validators));
  REQUIRE(validators->validators_size() == 1);
  const ledger::GenesisValidator& own = f.genesis().validators[0];
  CHECK(validators->validators(0).identity() == own.identity());
  CHECK(validators->validators(0).record_key() == own.record_key.view());
  CHECK(validators->validators(0).connected());
  CHECK(validators->validators(0).cosigner_key() == own.cosigner_key.view());
  CHECK(validators->validators(0).cosigner_epoch() == 1);
  CHECK(validators->validators(0).next_cosigner_key().empty());
  CHECK(!validators->has_approved());
  CHECK(validators->approved_set().empty());

  for (const uint64_t after : {0, 1, 9}) {
    v1::GetEpochChainRequest request;
    request.set_after_epoch(after);
    const auto chain = f.client()->GetEpochChain(request);
    REQUIRE(chain.ok());
    CHECK(chain->file() == ledger::EncodeEpochChain({}));
    CHECK(chain->epoch() == 1);
  }
  CHECK(f.client()->ListEpochs({})->epochs().empty());
  CHECK(f.client()->ListProposals({})->proposals().empty());
}

TEST_CASE("epochs: limits over the maximum and proposals that are not there are refused", "[api]") {
  Fixture f;
  v1::ListProposalsRequest proposals;
  proposals.set_limit(1001);
  CHECK(absl::IsInvalidArgument(f.client()->ListProposals(proposals).status()));
  v1::ListEpochsRequest epochs;
  epochs.set_limit(1001);
  CHECK(absl::IsInvalidArgument(f.client()->ListEpochs(epochs).status()));
  v1::ListProposalsRequest one;
  one.set_proposal_index(0);
  CHECK(absl::IsNotFound(f.client()->ListProposals(one).status()));
}

}  // namespace vigil::node
