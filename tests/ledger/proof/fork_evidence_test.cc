#include "ledger/proof/fork_evidence.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/log/note.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

ProofSample::Signers Witnesses(uint32_t count) {
  ProofSample::Signers signers;
  signers.witness_count = count;
  return signers;
}

}  // namespace

TEST_CASE("two roots of one size convict every key that signed both", "[proof]") {
  const ProofSample& sample = Sample();
  const std::string ours = sample.HeadAt(9);
  const std::string theirs = sample.SignHead(9, TestHash(1), Witnesses(2));
  const ForkEvidence evidence = CheckForkEvidence(sample.policy(), ours, theirs).value();
  CHECK(evidence.first.root != evidence.second.root);
  CHECK(evidence.first.size == 9);
  const Policy& policy = sample.policy();
  CHECK(evidence.culprits == std::vector<std::string>{EncodeNoteKey(policy.logs[0].key),
                                                      EncodeNoteKey(policy.witnesses[0].key),
                                                      EncodeNoteKey(policy.witnesses[1].key)});
}

TEST_CASE("who signs against the quorum is named and not called a double signer", "[proof]") {
  const ProofSample& sample = Sample();
  const Policy& policy = sample.policy();
  SignedNote lie = DecodeNote(sample.SignHead(9, TestHash(1), Witnesses(1))).value();
  const std::string liar = lie.signatures.back().name;
  SignedNote ours = DecodeNote(sample.HeadAt(9)).value();
  std::erase_if(ours.signatures, [&](const auto& line) { return line.name == liar; });
  std::erase_if(lie.signatures, [&](const auto& line) { return line.name != liar; });
  const auto check = [&] { return CheckForkEvidence(policy, EncodeNote(ours), EncodeNote(lie)); };
  const absl::StatusOr<ForkEvidence> evidence = check();
  REQUIRE(evidence.ok());
  CHECK(evidence->culprits.empty());
  CHECK(evidence->against_quorum ==
        std::vector<std::string>{EncodeNoteKey(policy.witnesses[0].key)});

  // Without a quorum on either side it is one word against another.
  ours.signatures.resize(2);
  CHECK(absl::IsNotFound(check().status()));
}

TEST_CASE("a signature on one side convicts nobody without a quorum on the other", "[proof]") {
  const ProofSample& sample = Sample();
  const std::string ours = sample.HeadAt(9);
  SignedNote forged = DecodeNote(sample.SignHead(9, TestHash(1), Witnesses(2))).value();
  SECTION("made by an unlisted key") {
    const std::string name = sample.policy().witnesses[0].key.name;
    forged.signatures = {CosignNote(sample.network().key("acme/eve"), name, forged.text, 5)};
  }
  SECTION("taken from the other note") { forged.signatures = DecodeNote(ours)->signatures; }
  const absl::Status status = CheckForkEvidence(sample.policy(), ours, EncodeNote(forged)).status();
  CHECK(absl::IsNotFound(status));
}

TEST_CASE("notes that agree or cannot be compared are no evidence", "[proof]") {
  const ProofSample& sample = Sample();
  const std::string ours = sample.HeadAt(9);
  const auto check = [&](const std::string& other) {
    return CheckForkEvidence(sample.policy(), ours, other).status();
  };
  CHECK(absl::IsFailedPrecondition(check(ours)));
  const absl::Status sizes = check(sample.HeadAt(10));
  CHECK(absl::IsFailedPrecondition(sizes));
  CHECK(absl::StrContains(sizes.message(), "sizes 9 and 10"));
  ProofSample::Signers other;
  other.origin = CheckpointOrigin("other", TestHash(1));
  CHECK(absl::IsFailedPrecondition(check(sample.SignHead(9, TestHash(1), other))));
  CHECK(absl::IsInvalidArgument(check("no note")));
}

TEST_CASE("two leaves at one index convict whoever signed both trees", "[proof]") {
  const ProofSample& sample = Sample();
  const std::string ours =
      BuildRecordProof(sample, sample.HeadAt(12), ProofSample::kHeartbeat).value();
  ProofParts parts = TakeApart(sample.RecordProofFile(ProofSample::kHeartbeat));
  SECTION("another leaf") {
    sample.ForgeLeaf(&parts, sample.leaves()[0]);
    const ForkEvidence evidence =
        CheckForkProofs(sample.policy(), ours, PutTogether(parts)).value();
    CHECK(evidence.first.size == 12);
    CHECK(evidence.second.size == sample.leaves().size());
    CHECK(evidence.culprits.size() == 5);
  }
  SECTION("the same leaf") {
    CHECK(absl::IsFailedPrecondition(
        CheckForkProofs(sample.policy(), ours, PutTogether(parts)).status()));
  }
  SECTION("another leaf that is not in the tree") {
    parts.extra.leaf = sample.leaves()[0];
    CHECK(absl::IsFailedPrecondition(
        CheckForkProofs(sample.policy(), ours, PutTogether(parts)).status()));
  }
  SECTION("another index") {
    CHECK(absl::IsFailedPrecondition(
        CheckForkProofs(sample.policy(), ours, sample.RecordProofFile(ProofSample::kBatch))
            .status()));
  }
  SECTION("no proof") {
    CHECK(absl::IsInvalidArgument(CheckForkProofs(sample.policy(), ours, "x").status()));
  }
}

TEST_CASE("an evidence file holds two signed checkpoints and nothing else", "[proof]") {
  const TwoNotes notes{.first = Sample().HeadAt(9), .second = Sample().SignHead(9, TestHash(1))};
  const std::string file = EncodeForkEvidence(notes);
  CHECK(file == absl::StrCat("vigil.dev/fork-evidence@v1\n\n", notes.first, "\n", notes.second));
  CHECK(DecodeForkEvidence(file).value() == notes);
  CHECK(!DecodeForkEvidence(file.substr(1)).ok());
  CHECK(!DecodeForkEvidence(file + "\n").ok());
  CHECK(!DecodeForkEvidence(absl::StrCat("vigil.dev/fork-evidence@v1\n\n", notes.first)).ok());
  CHECK(!DecodeForkEvidence(absl::StrCat(file, "\n", notes.first)).ok());
  CHECK(!DecodeForkEvidence(std::string(kForkEvidenceBytesMax + 1, 'x')).ok());
}

}  // namespace vigil::ledger
