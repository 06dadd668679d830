#include <string>

#include "absl/strings/match.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/evidence/verify_evidence.h"
#include "ledger/proof/policy_chain.h"
#include "tests/ledger/evidence/evidence_sample.h"
#include "tests/ledger/proof/epoch_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

// The samples' networks are one and the same, so that the heads of one may stand over the leaves of
// the other: as if the set had changed below.
struct LaterEvidence {
  std::string head = SampleOfEpochs().SignHead(TheEvidence().chain().leaves(), 2);
  std::string epochs = EncodeEpochChain({&SampleOfEpochs().anchors()[0], 1});
  std::string first = TheEvidence().AlertFile();

  std::string File(absl::string_view chain) const {
    Evidence evidence = DecodeEvidence(first).value();
    evidence.checkpoint = head;
    evidence.epochs = chain;
    return EncodeEvidence(evidence);
  }
};

}  // namespace

TEST_CASE("evidence of a later epoch carries what leads there from genesis", "[evidence]") {
  REQUIRE(SampleOfEpochs().policy() == TheEvidence().policy());
  const LaterEvidence later;
  const std::string file = later.File(later.epochs);
  REQUIRE(LooksLikeEvidence(file));
  const Evidence decoded = DecodeEvidence(file).value();
  CHECK(decoded.epochs == later.epochs);
  CHECK(EncodeEvidence(decoded) == file);
  const EvidenceReport report = VerifyEvidence(TheEvidence().policy(), file);
  INFO(report.reason);
  REQUIRE(report.verdict == ProofVerdict::kVerified);
  CHECK(report.head->epoch == 2);
  CHECK(report.records.size() == TheEvidence().of_alert.size());

  SECTION("without it the epoch is unknown") {
    Evidence bare = DecodeEvidence(file).value();
    bare.epochs = "";
    const std::string cut = EncodeEvidence(bare);
    CHECK(VerifyEvidence(TheEvidence().policy(), cut).verdict == ProofVerdict::kUnknownEpoch);
    // A reader may bring the chain instead.
    const PolicyChain brought =
        PolicyChain::Walk(TheEvidence().policy(), AsBytes(later.epochs)).value();
    CHECK(VerifyEvidence(brought, cut).verdict == ProofVerdict::kVerified);
  }
  SECTION("a validator of the later epoch is named") {
    Evidence named = DecodeEvidence(file).value();
    const std::string genesis = TheEvidence().genesis_file();
    named.genesis = genesis;
    const std::string text = EncodeEvidence(named);
    const EvidenceReport told = VerifyEvidence(TheEvidence().policy(), text);
    REQUIRE(told.verdict == ProofVerdict::kVerified);
    REQUIRE(told.validators.size() == 5);
    CHECK(told.validators.back().identity == "acme/n4");
    CHECK(told.validators.back().organisation == "Acme Corporation");
    CHECK(told.validators.back().cosigned);
  }
}

TEST_CASE("evidence with an epoch chain that does not hold is refused", "[evidence]") {
  const EpochSample& sample = SampleOfEpochs();
  const LaterEvidence later;
  const auto verdict = [&](const std::string& chain) {
    return VerifyEvidence(TheEvidence().policy(), later.File(chain)).verdict;
  };
  CHECK(verdict("no chain") == ProofVerdict::kMalformed);
  CHECK(verdict(later.epochs.substr(0, later.epochs.size() - 1)) == ProofVerdict::kMalformed);
  CHECK(verdict(EncodeEpochChain({})) == ProofVerdict::kUnknownEpoch);
  CHECK(verdict(EncodeEpochChain({&sample.anchors()[1], 1})) == ProofVerdict::kMalformed);
  const std::vector<std::string> before(sample.leaves().begin(), sample.leaves().begin() + 4);
  const EpochAnchor minority = sample.MakeAnchor(before, sample.leaves()[4], 1, sample.set(2), 2);
  CHECK(verdict(EncodeEpochChain({&minority, 1})) == ProofVerdict::kQuorumShort);
  // The set of epoch 1 does not vouch for a log that grew beyond its end.
  Evidence old = DecodeEvidence(later.first).value();
  old.epochs = later.epochs;
  CHECK(VerifyEvidence(TheEvidence().policy(), EncodeEvidence(old)).verdict ==
        ProofVerdict::kKeyRevoked);
}

}  // namespace vigil::ledger
