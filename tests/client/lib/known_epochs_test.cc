#include "client/lib/known_epochs.h"

#include <string>

#include "ledger/chain/epoch_chain.h"
#include "tests/ledger/proof/epoch_sample.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

using ledger::EncodeEpochChain;
using ledger::EpochAnchor;
using ledger::SampleOfEpochs;

std::string Part(size_t first, size_t count) {
  return EncodeEpochChain(std::span(SampleOfEpochs().anchors()).subspan(first, count));
}

v1::GetProofRequest BlockRequest(uint64_t height) {
  v1::GetProofRequest request;
  request.set_block_height(height);
  return request;
}

}  // namespace

TEST_CASE("known epochs: they grow by what follows and by nothing else", "[lib]") {
  KnownEpochs known(SampleOfEpochs().policy());
  CHECK(known.policies().is_alone());
  CHECK(*known.Append(Part(0, 0)) == 0);
  CHECK(absl::IsDataLoss(known.Append(Part(1, 1)).status()));
  CHECK(known.end_count() == 0);
  CHECK(*known.Append(Part(0, 1)) == 1);
  CHECK(absl::IsDataLoss(known.Append(Part(0, 1)).status()));
  CHECK(absl::IsDataLoss(known.Append("x").status()));
  CHECK(*known.Append(Part(1, 2)) == 2);
  CHECK(known.file() == SampleOfEpochs().Chain());
  CHECK(known.policies().NumbersText() == "1 to 4");
}

TEST_CASE("known epochs: a file continues what is known or is refused", "[lib]") {
  KnownEpochs known(SampleOfEpochs().policy());
  REQUIRE(known.Load(Part(0, 2)).ok());
  CHECK(known.Load(Part(0, 1)).ok());  // Less is no news.
  CHECK(known.end_count() == 2);
  CHECK(known.Load(Part(0, 3)).ok());
  CHECK(known.end_count() == 3);
  CHECK(absl::IsDataLoss(known.Load("x")));

  SECTION("two ends of one epoch, both signed by its quorum, are a fork") {
    const ledger::EpochSample& sample = SampleOfEpochs();
    ledger::BlockHeader header = sample.HeaderAt(5);
    header.time_unix_millis += 1;
    header.next_validator_set_hash = sample.HeaderAt(11).validator_set_hash;
    const std::vector<std::string> before(sample.leaves().begin(), sample.leaves().begin() + 4);
    const EpochAnchor other =
        sample.MakeAnchor(before, ledger::EpochSample::SealOf(header), 1, sample.set(3));
    const absl::Status status = known.Load(EncodeEpochChain({&other, 1}));
    CHECK(absl::IsDataLoss(status));
    CHECK(known.end_count() == 3);
  }
}

TEST_CASE("known epochs: a proof of an epoch not known yet is no lie", "[lib]") {
  const ledger::EpochSample& sample = SampleOfEpochs();
  KnownEpochs known(sample.policy());
  const std::string file = sample.BlockProof(7, 10, 2);
  CHECK(absl::IsOutOfRange(CheckProof(known.policies(), BlockRequest(7), file).status()));
  REQUIRE(known.Append(Part(0, 1)).ok());
  CHECK(CheckProof(known.policies(), BlockRequest(7), file).ok());
  // What a replaced set signs later is one.
  CHECK(absl::IsDataLoss(
      CheckProof(known.policies(), BlockRequest(3), sample.BlockProof(3, 6, 1)).status()));
}

}  // namespace vigil::client
