#include "ledger/proof/policy_chain.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/random.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/header.h"
#include "ledger/log/note.h"
#include "ledger/proof/consistency.h"
#include "ledger/proof/fork_evidence.h"
#include "ledger/proof/head.h"
#include "ledger/proof/verify_proof.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/ledger/proof/epoch_sample.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

using Anchors = std::vector<EpochAnchor>;

absl::StatusOr<PolicyChain> Walk(const std::string& file) {
  return PolicyChain::Walk(SampleOfEpochs().policy(), AsBytes(file));
}

PolicyChain AllEpochs() { return Walk(SampleOfEpochs().Chain()).value(); }

// Both walks refuse the file, from the pinned policy and from the pinned genesis.
void Refused(const Anchors& anchors, absl::StatusCode code, const std::string& words) {
  const std::string file = EncodeEpochChain(anchors);
  const absl::Status from_policy = Walk(file).status();
  INFO(from_policy.ToString());
  CHECK(from_policy.code() == code);
  CHECK(absl::StrContains(from_policy.message(), words));
  const absl::Status from_genesis =
      WalkEpochChain(SampleOfEpochs().genesis(), AsBytes(file)).status();
  INFO(from_genesis.ToString());
  CHECK(!from_genesis.ok());
  CHECK(absl::StrContains(from_genesis.message(), words));
}

std::string VerdictOf(const PolicyChain& policies, const std::string& file) {
  const ProofReport report = VerifyProof(policies, file);
  INFO(report.reason);
  return std::string(ProofVerdictName(report.verdict));
}

}  // namespace

TEST_CASE("policy chain: each epoch's policy is the one that its genesis gives", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const PolicyChain chain = AllEpochs();
  REQUIRE(chain.epochs().size() == EpochSample::kEpochs);
  Genesis genesis = sample.genesis();
  for (uint64_t epoch = 1; epoch <= EpochSample::kEpochs; ++epoch) {
    const PolicyEpoch& found = *chain.Find(epoch);
    CHECK(found.number == epoch);
    CHECK(found.policy == LogPolicyOf(genesis));
    CHECK(found.policy == sample.PolicyOf(epoch));
    const bool over = epoch < EpochSample::kEpochs;
    CHECK(found.final_size.has_value() == over);
    if (!over) continue;
    CHECK(found.final_size == EpochSample::FinalSize(epoch));
    genesis = VerifyEpochAnchor(genesis, sample.anchors()[epoch - 1]).value();
  }
  CHECK(chain.Find(0) == nullptr);
  CHECK(chain.Find(EpochSample::kEpochs + 1) == nullptr);
  CHECK(chain.NumbersText() == "1 to 4");
}

TEST_CASE("policy chain: a folder's epoch chain gives its anchors and the last epoch's genesis",
          "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs("/d").ok());
  const EpochWalk none = LoadEpochChain(files, "/d", sample.genesis()).value();
  CHECK(none.anchors.empty());
  CHECK(none.genesis.epoch == Epoch(1));
  REQUIRE(files.WriteAtomically(EpochChainPath("/d"), AsBytes(sample.Chain())).ok());
  const EpochWalk all = LoadEpochChain(files, "/d", sample.genesis()).value();
  CHECK(all.anchors == sample.anchors());
  CHECK(all.genesis.epoch == Epoch(EpochSample::kEpochs));
  CHECK(all.genesis.validators == sample.set(EpochSample::kEpochs));
  CHECK(LoadEpochs(files, "/d", sample.genesis())->validators == all.genesis.validators);
  // What does not hold is not taken in part.
  REQUIRE(files.WriteAtomically(EpochChainPath("/d"), AsBytes(sample.Chain() + "x")).ok());
  const absl::Status bad = LoadEpochChain(files, "/d", sample.genesis()).status();
  CHECK(absl::IsInvalidArgument(bad));
  CHECK(absl::StrContains(bad.message(), "vigil log epochs -o /d/epochs.chain"));
}

TEST_CASE("epoch chain: each change of a set comes back whole from its anchor", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  Anchors anchors = sample.anchors();
  std::vector<std::vector<std::string>> addresses;
  for (size_t i = 0; i < anchors.size(); ++i) {
    std::vector<std::string> of_set(sample.set(i + 2).size());
    for (size_t j = 1; j < of_set.size(); ++j) {
      of_set[j] = absl::StrCat("host-", i, "-", j, ":", 7000 + j);  // None for the first.
    }
    anchors[i].addresses = absl::StrJoin(of_set, ",");
    addresses.push_back(of_set);
  }
  CHECK(DecodeEpochChain(AsBytes(EncodeEpochChain(anchors))).value() == anchors);
  Genesis genesis = sample.genesis();
  for (size_t i = 0; i < anchors.size(); ++i) {
    const Genesis before = genesis;
    genesis = VerifyEpochAnchor(genesis, anchors[i]).value();
    const uint64_t size = EpochSample::FinalSize(i + 1);
    const BlockHeader header = sample.HeaderAt(size);
    INFO("epoch " << i + 2);
    CHECK(genesis.epoch == Epoch(i + 2));
    CHECK(genesis.epoch_base == header.height);
    CHECK(genesis.epoch_base_view == header.view);
    CHECK(genesis.epoch_base_hash == HeaderHash(AsBytes(EncodeHeader(header))));
    CHECK(genesis.epoch_base_size == size);
    CHECK(genesis.validators == sample.set(i + 2));
    CHECK(genesis.validator_set_hash == HashValidatorSet(sample.set(i + 2)));
    CHECK(genesis.validator_addresses == addresses[i]);
    REQUIRE(genesis.past.size() == i + 1);
    CHECK(genesis.past[i].validators == before.validators);
    CHECK(genesis.past[i].hash == before.validator_set_hash);
    CHECK(genesis.past[i].base == before.epoch_base);
    const Genesis again =
        WalkEpochChain(sample.genesis(), AsBytes(EncodeEpochChain({&anchors[0], i + 1}))).value();
    CHECK(again.validators == genesis.validators);
    CHECK(again.validator_addresses == genesis.validator_addresses);
    CHECK(again.epoch_base_hash == genesis.epoch_base_hash);
  }
}

TEST_CASE("policy chain: a proof of any epoch verifies under genesis and the chain", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const PolicyChain chain = AllEpochs();
  for (uint64_t epoch = 1; epoch <= EpochSample::kEpochs; ++epoch) {
    const uint64_t size = EpochSample::FinalSize(epoch);
    for (uint64_t height = 1; height <= size; ++height) {
      const std::string file = sample.BlockProof(height, size, epoch);
      const ProofReport report = VerifyProof(chain, file);
      INFO(report.reason);
      REQUIRE(report.verdict == ProofVerdict::kVerified);
      CHECK(report.head->epoch == epoch);
      CHECK(VerdictOf(sample.policy(), file) == (epoch == 1 ? "VERIFIED" : "UNKNOWN_EPOCH"));
      CHECK(VerdictOf(sample.PolicyOf(epoch), file) == "VERIFIED");
    }
  }
}

TEST_CASE("policy chain: an epoch that the chain does not reach is unknown", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const PolicyChain chain =
      Walk(sample.ChainOf({sample.anchors().begin(), sample.anchors().begin() + 1})).value();
  CHECK(VerdictOf(chain, sample.BlockProof(3, 10, 2)) == "VERIFIED");
  CHECK(VerdictOf(chain, sample.BlockProof(3, 15, 3)) == "UNKNOWN_EPOCH");
  const PolicyChain none = Walk(sample.ChainOf({})).value();
  CHECK(VerdictOf(none, sample.BlockProof(3, 5, 1)) == "VERIFIED");
  CHECK(VerdictOf(none, sample.BlockProof(3, 10, 2)) == "UNKNOWN_EPOCH");
}

TEST_CASE("policy chain: a replaced quorum vouches for nothing beyond its epoch", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const PolicyChain chain = AllEpochs();
  // Leaves of its own making, by all keys that epoch 1 ever had.
  std::vector<std::string> forged(sample.leaves().begin(), sample.leaves().begin() + 5);
  BlockHeader header = sample.HeaderAt(5);
  header.height = Height(6);
  forged.push_back(EpochSample::SealOf(header));
  const std::string file = sample.BlockProof(forged, 6, 1);
  CHECK(VerdictOf(sample.policy(), file) == "VERIFIED");  // Without the chain nobody can know.
  CHECK(VerdictOf(chain, file) == "KEY_REVOKED");
  CHECK(VerdictOf(chain, sample.BlockProof(2, 6, 1)) == "KEY_REVOKED");
  CHECK(VerdictOf(chain, sample.BlockProof(2, 11, 2)) == "KEY_REVOKED");
  CHECK(VerdictOf(chain, sample.BlockProof(2, 16, 3)) == "KEY_REVOKED");
  // Keys that were replaced sign under the new epoch's names, too: they are nobody's there.
  REQUIRE(sample.set(4)[0].cosigner_key != sample.set(3)[1].cosigner_key);
  CHECK(VerdictOf(chain, sample.BlockProof(2, 17, 4)) == "VERIFIED");
  CHECK(VerdictOf(chain, sample.BlockProofByOldKeys(2, 17, 4)) == "QUORUM_SHORT");
  // Up to its end it does, and a proof under it says so.
  CHECK(VerdictOf(chain, sample.BlockProof(2, 5, 1)) == "VERIFIED");

  SECTION("nor does a line of another epoch's name help it") {
    SignedNote note = DecodeNote(sample.SignHead(forged, 1)).value();
    NoteSignature extra = note.signatures.back();
    extra.name = sample.origin() + "/v/acme/v0/9";
    note.signatures.push_back(extra);
    ProvenHead head;
    const auto refusal = CheckHead(chain, EncodeNote(note), &head);
    REQUIRE(refusal.has_value());
    CHECK(refusal->verdict == ProofVerdict::kKeyRevoked);
  }
  SECTION("its word does not count against the others in evidence of a fork") {
    std::vector<std::string> honest(sample.leaves().begin(), sample.leaves().begin() + 6);
    const ForkEvidence fork =
        CheckForkEvidence(chain, sample.SignHead(honest, 2), sample.SignHead(forged, 1)).value();
    CHECK(fork.culprits.empty());
    // Epoch 1's log key and its four cosigners signed the forgery alone.
    CHECK(fork.against_quorum.size() == 5);
    for (const std::string& vkey : fork.against_quorum) {
      CHECK(!absl::StrContains(vkey, "/2+"));
    }
  }
}

TEST_CASE("policy chain: fewer than an epoch's quorum are refused in its name", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const PolicyChain chain = AllEpochs();
  ProvenHead head;
  CHECK(CheckHead(chain, sample.HeadAt(10, 2, 2), &head)->verdict == ProofVerdict::kQuorumShort);
  CHECK(!CheckHead(chain, sample.HeadAt(10, 2, 3), &head).has_value());
  CHECK(head.epoch == 2);

  SECTION("two minorities of two epochs are no quorum") {
    SignedNote note = DecodeNote(sample.HeadAt(10, 2, 2)).value();
    const SignedNote other = DecodeNote(sample.HeadAt(10, 1, 2)).value();
    note.signatures.insert(note.signatures.end(), other.signatures.begin(), other.signatures.end());
    CHECK(CheckHead(chain, EncodeNote(note), &head)->verdict == ProofVerdict::kQuorumShort);
  }
}

TEST_CASE("policy chain: consistency leads from one epoch's head to another's", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  std::vector<Hash> hashes;
  for (const std::string& leaf : sample.leaves()) hashes.push_back(LeafHash(AsBytes(leaf)));
  ConsistencyProof proof;
  proof.path = ConsistencyPath(hashes, 5);
  proof.checkpoints = {.first = sample.HeadAt(5, 1), .second = sample.HeadAt(20, 4)};
  const std::string file = EncodeConsistencyProof(proof);
  CHECK(VerifyConsistencyProof(AllEpochs(), file).verdict == ProofVerdict::kVerified);
  CHECK(VerifyConsistencyProof(sample.policy(), file).verdict == ProofVerdict::kUnknownEpoch);
}

TEST_CASE("policy chain: a later pinned policy goes on from its own epoch", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const PolicyChain chain = PolicyChain::Walk(sample.PolicyOf(3), AsBytes(sample.Chain())).value();
  CHECK(chain.NumbersText() == "3 to 4");
  CHECK(VerdictOf(chain, sample.BlockProof(2, 20, 4)) == "VERIFIED");
  CHECK(VerdictOf(chain, sample.BlockProof(2, 16, 3)) == "KEY_REVOKED");
  CHECK(VerdictOf(chain, sample.BlockProof(2, 5, 1)) == "UNKNOWN_EPOCH");
}

TEST_CASE("policy chain: witnesses outside are asked for in every epoch", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  std::array<uint8_t, 32> seed{};
  seed[0] = 0xEE;
  const SigningKey key = SigningKey::FromSeed(seed);
  Policy pinned = sample.policy();
  pinned.witnesses.push_back(
      {.name = "w.example",
       .key = {.name = "w.example", .type = NoteKeyType::kCosignatureV1, .key = key.public_key()},
       .url = ""});
  pinned.groups.push_back({.name = "both", .threshold = 2, .members = {"validators", "w.example"}});
  pinned.quorum = "both";
  const PolicyChain chain = PolicyChain::Walk(pinned, AsBytes(sample.Chain())).value();
  CHECK(ParsePolicy(EncodePolicy(chain.newest())).value() == chain.newest());
  ProvenHead head;
  const std::string alone = sample.HeadAt(20, 4);
  CHECK(CheckHead(chain, alone, &head)->verdict == ProofVerdict::kQuorumShort);
  SignedNote note = DecodeNote(alone).value();
  note.signatures.push_back(CosignNote(key, "w.example", note.text, 1'800'000'000));
  CHECK(!CheckHead(chain, EncodeNote(note), &head).has_value());
}

TEST_CASE("policy chain: other groups beside that of the validators stay what they are",
          "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const SigningKey key = SigningKey::FromSeed(std::array<uint8_t, 32>{0xEE});
  Policy pinned = sample.policy();
  pinned.witnesses.push_back(
      {.name = "w.example",
       .key = {.name = "w.example", .type = NoteKeyType::kCosignatureV1, .key = key.public_key()},
       .url = ""});
  // As many as the validators, but one is no validator; all validators, but not all of them.
  const PolicyGroup mixed{
      .name = "mixed", .threshold = 3, .members = {"acme/v0", "globex/v1", "acme/v2", "w.example"}};
  const PolicyGroup few{
      .name = "few", .threshold = 2, .members = {"acme/v0", "globex/v1", "acme/v2"}};
  pinned.groups.insert(pinned.groups.begin(), {mixed, few});
  const absl::StatusOr<PolicyChain> chain = PolicyChain::Walk(pinned, AsBytes(sample.Chain()));
  INFO(chain.status());
  REQUIRE(chain.ok());
  REQUIRE(chain->newest().groups.size() == 3);
  CHECK(chain->newest().groups[0] == mixed);
  CHECK(chain->newest().groups[1] == few);
  CHECK(chain->newest().groups[2] == sample.PolicyOf(EpochSample::kEpochs).groups[0]);

  SECTION("a validator that comes with the name of a group is refused") {
    pinned.groups[0].name = "acme/n4";
    CHECK(absl::StrContains(PolicyChain::Walk(pinned, AsBytes(sample.Chain())).status().message(),
                            "has the name of a group"));
  }
  SECTION("or with the name or key of a witness outside") {
    pinned.witnesses.back().name = "acme/n4";
    pinned.groups.erase(pinned.groups.begin());
    CHECK(absl::StrContains(PolicyChain::Walk(pinned, AsBytes(sample.Chain())).status().message(),
                            "has name or key of witness acme/n4"));
    pinned.witnesses.back().name = "w.example";
    pinned.witnesses.back().key.key = sample.set(2).back().cosigner_key;
    CHECK(absl::StrContains(PolicyChain::Walk(pinned, AsBytes(sample.Chain())).status().message(),
                            "has name or key of witness w.example"));
  }
}

TEST_CASE("policy chain: the epoch in a cosigner's name is read in one way", "[epochs]") {
  CHECK(EpochOfCosigner("log", "log/v/acme/v1/7") == 7);
  CHECK(EpochOfCosigner("log", "log/v/acme/v1/0") == 0);
  for (const char* other :
       {"log2/v/acme/v1/7", "/v/acme/v1/7", "lo/v/acme/v1/7", "log/w/acme/v1/7", "log/7", "log/v/7",
        "log/v/acme/v1/", "log/v/acme/v1/07", "log/v/acme/v1/+7", "log/v/acme/v1/x",
        "log/v/acme/v1/18446744073709551616"}) {
    INFO(other);
    // "log/v/7" has no slash behind the log's part.
    CHECK(!EpochOfCosigner("log", other).has_value());
  }
}

TEST_CASE("policy chain: one policy alone is of no epoch", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const PolicyChain alone(sample.policy());
  CHECK(alone.Find(0) == nullptr);
  CHECK(alone.Find(1) == nullptr);
  const PolicyChain last = PolicyChain::Walk(sample.PolicyOf(4), AsBytes(sample.Chain())).value();
  CHECK(last.NumbersText() == "4");
  CHECK(last.Find(3) == nullptr);
  CHECK(last.Find(4) != nullptr);
}

TEST_CASE("policy chain: policies that cannot be carried over are refused", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const std::string file = sample.Chain();
  const auto refused = [&](const Policy& policy, const std::string& words) {
    const absl::Status status = PolicyChain::Walk(policy, AsBytes(file)).status();
    INFO(status.ToString());
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(absl::StrContains(status.message(), words));
  };
  Policy weak = sample.policy();
  weak.groups.front().threshold = 2;
  refused(weak, "asks for 2 of 4");
  Policy strong = sample.policy();
  strong.groups.front().threshold = 4;
  refused(strong, "asks for 4 of 4");
  Policy none = sample.policy();
  none.groups.clear();
  none.quorum = std::string(kQuorumNone);
  refused(none, "no group");
  Policy mixed = sample.policy();
  mixed.witnesses.back().key.name = sample.origin() + "/v/globex/v3/2";
  refused(mixed, "of 2 epochs");
  Policy zero = sample.policy();
  for (PolicyWitness& witness : zero.witnesses) witness.key.name.back() = '0';
  refused(zero, "of 1 epochs");
  Policy two = sample.policy();
  two.logs.back().key.name = "other.example/log";
  refused(two, "two logs");
}

TEST_CASE("epoch chain: forged and misplaced anchors are refused", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const Anchors good = sample.anchors();
  const std::vector<std::string> before(sample.leaves().begin(), sample.leaves().begin() + 4);
  const std::string seal = sample.leaves()[4];
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

  SECTION("cosigned by a minority") {
    Refused({sample.MakeAnchor(before, seal, 1, sample.set(2), 2)},
            absl::StatusCode::kPermissionDenied, "of 3");
  }
  SECTION("cosigned in the next epoch's name") {
    Anchors anchors = good;
    anchors[0].checkpoint = sample.HeadAt(5, 2);
    Refused(anchors, absl::StatusCode::kPermissionDenied, "end of epoch 1");
  }
  SECTION("an epoch skipped") {
    Refused({good[1]}, kInvalid, "in epoch 2");
    Refused({good[0], good[2]}, kInvalid, "in epoch 3");
    Refused({good[0], good[0]}, kInvalid, "in epoch 1");
    Refused({good[0], good[2], good[1]}, kInvalid, "in epoch 3");
  }
  SECTION("another next set than the seal names") {
    Anchors anchors = good;
    anchors[0].next_set = good[1].next_set;
    Refused(anchors, kInvalid, "names next validator set");
    anchors[0].next_set = EncodeValidatorSet(sample.set(1));
    Refused(anchors, kInvalid, "names next validator set");
  }
  SECTION("a checkpoint that is not of the epoch's end") {
    Anchors anchors = good;
    anchors[0].checkpoint = sample.HeadAt(4, 1);
    Refused(anchors, kInvalid, "has size 4");
    anchors[0].checkpoint = sample.HeadAt(6, 1);
    Refused(anchors, kInvalid, "has size 6");
  }
  SECTION("a block that seals nothing") {
    BlockHeader header = sample.HeaderAt(4);
    const std::vector<std::string> three(before.begin(), before.begin() + 3);
    Refused({sample.MakeAnchor(three, EpochSample::SealOf(header), 1, sample.set(1))}, kInvalid,
            "ends no epoch");
  }
  SECTION("a seal of another chain") {
    BlockHeader header = sample.HeaderAt(5);
    header.chain_id = TestHash(1);
    Refused({sample.MakeAnchor(before, EpochSample::SealOf(header), 1, sample.set(2))}, kInvalid,
            "of chain");
  }
  SECTION("a seal whose own set is another one, from the second epoch on for a policy") {
    BlockHeader header = sample.HeaderAt(10);
    header.validator_set_hash = HashValidatorSet(sample.set(1));
    const std::vector<std::string> nine(sample.leaves().begin(), sample.leaves().begin() + 9);
    Refused({good[0], sample.MakeAnchor(nine, EpochSample::SealOf(header), 2, sample.set(3))},
            kInvalid, "names validator set");
  }
  SECTION("an end that is not above the one before") {
    BlockHeader header = sample.HeaderAt(10);
    header.height = Height(5);
    Refused({good[0], sample.MakeAnchor(before, EpochSample::SealOf(header), 2, sample.set(3))},
            kInvalid, "height 5");
  }
  SECTION("an end with fewer leaves than the one before") {
    // In epoch 2's own words, signed by its quorum, and one block above the end of epoch 1.
    const auto end_at = [&](size_t leaves) {
      const std::string leaf = EncodeSealLeaf(AsBytes(EncodeHeader(sample.HeaderAt(10))), Hash(),
                                              RecordIndex(leaves - 1), /*record_count=*/0);
      const auto& all = sample.leaves();
      return sample.MakeAnchor({all.begin(), all.begin() + static_cast<ptrdiff_t>(leaves - 1)},
                               leaf, 2, sample.set(3));
    };
    Refused({good[0], end_at(4)}, kInvalid, "ends at 4 leaves, the one before at 5");
    Refused({good[0], end_at(5)}, kInvalid, "ends at 5 leaves, the one before at 5");
    CHECK(Walk(sample.ChainOf({good[0], end_at(6)})).ok());
    CHECK(WalkEpochChain(sample.genesis(), AsBytes(sample.ChainOf({good[0], end_at(6)}))).ok());
  }
  SECTION("a leaf that is not in the tree") {
    Anchors anchors = good;
    anchors[0].seal_leaf = EpochSample::SealOf([&] {
      BlockHeader header = sample.HeaderAt(5);
      header.time_unix_millis += 1;
      return header;
    }());
    Refused(anchors, kInvalid, "");
    anchors = good;
    anchors[0].path.pop_back();
    Refused(anchors, kInvalid, "");
  }
  SECTION("what only genesis can tell of the first epoch") {
    BlockHeader header = sample.HeaderAt(5);
    header.validator_set_hash = TestHash(1);
    const auto from_genesis = [&](const EpochAnchor& anchor) {
      return std::string(
          WalkEpochChain(sample.genesis(), AsBytes(sample.ChainOf({anchor}))).status().message());
    };
    CHECK(absl::StrContains(
        from_genesis(sample.MakeAnchor(before, EpochSample::SealOf(header), 1, sample.set(2))),
        "names validator set"));
    // A set that execution would never have let in, sealed and cosigned all the same.
    std::vector<GenesisValidator> strangers = sample.set(2);
    for (GenesisValidator& one : strangers) one.journal_id.bytes[0] ^= 1;
    header = sample.HeaderAt(5);
    header.next_validator_set_hash = HashValidatorSet(strangers);
    CHECK(absl::StrContains(
        from_genesis(sample.MakeAnchor(before, EpochSample::SealOf(header), 1, strangers)),
        "is or was in use"));
  }
  SECTION("addresses that are none") {
    Anchors anchors = good;
    anchors[0].addresses = "not an address";
    Refused(anchors, kInvalid, "addresses");
  }
}

TEST_CASE("epoch chain: a policy of a log that is no chain of this kind has none", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  Policy other = sample.policy();
  const std::string name = sample.origin().substr(0, sample.origin().rfind('/')) + "/no-hash";
  for (PolicyLog& log : other.logs) log.key.name = name;
  for (PolicyWitness& witness : other.witnesses) {
    witness.key.name = absl::StrCat(name, "/v/", witness.name, "/1");
  }
  CHECK(absl::StrContains(PolicyChain::Walk(other, AsBytes(sample.Chain())).status().message(),
                          "is no Vigil chain"));
}

TEST_CASE("epoch chain: a file that is cut or too long or too large is refused", "[epochs]") {
  const std::string file = SampleOfEpochs().Chain();
  for (size_t size = 0; size < file.size(); ++size) {
    if (absl::IsInvalidArgument(Walk(file.substr(0, size)).status())) continue;
    FAIL_CHECK("accepted " << size << " of " << file.size() << " bytes");
  }
  CHECK(absl::IsInvalidArgument(Walk(file + '\0').status()));
  CHECK(absl::IsInvalidArgument(Walk(file + file).status()));
  std::string many = file;
  many[21] = '\x7f';  // The count.
  CHECK(absl::IsInvalidArgument(Walk(many).status()));
  // Anchors may repeat what they please; 4097 are one too many.
  CHECK(absl::IsInvalidArgument(
      DecodeEpochChain(AsBytes(EncodeEpochChain(Anchors(kEpochAnchorsMax + 1)))).status()));
  CHECK(DecodeEpochChain(AsBytes(EncodeEpochChain(Anchors(2)))).ok());
  Anchors large = {SampleOfEpochs().anchors()[0]};
  large[0].checkpoint.append(kEpochAnchorBytesMax, '\n');
  CHECK(absl::IsInvalidArgument(Walk(EncodeEpochChain(large)).status()));
}

// Every few bytes one bit, other bytes with another seed: each costs a walk with its signatures.
TEST_CASE("epoch chain: flipped bits are refused but in times and addresses", "[epochs]") {
  const EpochSample& sample = SampleOfEpochs();
  const std::string file = sample.ChainOf({sample.anchors()[0]});
  const PolicyChain whole = Walk(file).value();
  VIGIL_TEST_SEED(seed, 1);
  SplitMix64 random(seed);
  size_t accepted = 0;
  for (size_t at = 0; at < file.size(); at += 1 + random.Below(8)) {
    std::string bad = file;
    bad[at] = static_cast<char>(bad[at] ^ (1 << random.Below(8)));
    const absl::StatusOr<PolicyChain> chain = Walk(bad);
    if (!chain.ok()) continue;
    // A line whose name or key hash is another one is somebody else's, of which a quorum has no
    // need: four cosigned, three are enough. Nothing else may be read from it.
    ++accepted;
    CHECK(chain->epochs() == whole.epochs());
    const EpochAnchor read = DecodeEpochChain(AsBytes(bad)).value()[0];
    CHECK(read.checkpoint != sample.anchors()[0].checkpoint);
  }
  INFO("accepted " << accepted << " of " << file.size());
  CHECK(accepted < 800);

  SECTION("with exactly a quorum none at all") {
    const std::vector<std::string> before(sample.leaves().begin(), sample.leaves().begin() + 4);
    const std::string tight =
        sample.ChainOf({sample.MakeAnchor(before, sample.leaves()[4], 1, sample.set(2), 3)});
    REQUIRE(Walk(tight).ok());
    for (size_t at = 0; at < tight.size(); at += 1 + random.Below(8)) {
      std::string bad = tight;
      bad[at] = static_cast<char>(bad[at] ^ (1 << random.Below(8)));
      if (Walk(bad).ok()) FAIL_CHECK("accepted a flipped bit of byte " << at);
      if (WalkEpochChain(sample.genesis(), AsBytes(bad)).ok())
        FAIL_CHECK("genesis accepted a flipped bit of byte " << at);
    }
  }
}

}  // namespace vigil::ledger
