#include "ledger/proof/consistency.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/log/checkpoint.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

std::string FileOf(uint64_t older, uint64_t newer) {
  return BuildConsistencyProof(Sample().tiles(), Sample().HeadAt(older), Sample().HeadAt(newer))
      .value();
}
ConsistencyReport Verify(const std::string& file) {
  return VerifyConsistencyProof(Sample().policy(), file);
}
void Expect(const std::string& file, ProofVerdict verdict, const std::string& words) {
  const ConsistencyReport report = Verify(file);
  INFO(ProofVerdictName(report.verdict) << ": " << report.reason);
  CHECK(report.verdict == verdict);
  CHECK(absl::StrContains(report.reason, words));
}

}  // namespace

TEST_CASE("a log that grew is consistent with every earlier checkpoint", "[proof]") {
  const uint64_t size = Sample().leaves().size();
  for (uint64_t older = 1; older <= size; ++older) {
    const ConsistencyReport report = Verify(FileOf(older, size));
    REQUIRE(report.verdict == ProofVerdict::kVerified);
    CHECK(report.older->checkpoint.size == older);
    CHECK(report.newer->checkpoint.size == size);
    CHECK(report.reason.empty());
  }
}

TEST_CASE("a consistency file is the text that the page draws", "[proof]") {
  const std::string file = FileOf(4, 8);
  CHECK(absl::StartsWith(file, "vigil.dev/consistency-proof@v1\nold 4\n"));
  CHECK(absl::EndsWith(file, absl::StrCat("\n\n", Sample().HeadAt(4), "\n", Sample().HeadAt(8))));
  const ConsistencyProof proof = DecodeConsistencyProof(file).value();
  CHECK(proof.path.size() == 1);
  CHECK(EncodeConsistencyProof(proof) == file);
  for (size_t cut = 0; cut + 1 < file.size(); ++cut) {
    const std::string shorter = file.substr(0, cut);
    const absl::StatusOr<ConsistencyProof> decoded = DecodeConsistencyProof(shorter);
    // Only whole signature lines of the newer note may be missing.
    if (decoded.ok()) CHECK(shorter.back() == '\n');
  }
  CHECK(!DecodeConsistencyProof(file + "\n").ok());
  CHECK(!DecodeConsistencyProof(file + file).ok());
  CHECK(!DecodeConsistencyProof(std::string(kConsistencyBytesMax + 1, 'x')).ok());
  std::string other = file;
  other.replace(other.find("old 4"), 5, "old 5");
  Expect(other, ProofVerdict::kMalformed, "old size '5'");
}

TEST_CASE("what does not show a prefix is not consistent", "[proof]") {
  ConsistencyProof proof = DecodeConsistencyProof(FileOf(5, 9)).value();
  SECTION("a changed path") {
    proof.path[0].bytes[0] ^= 1;
    Expect(EncodeConsistencyProof(proof), ProofVerdict::kNotConsistent, "another root");
  }
  SECTION("a path of another length") {
    proof.path.pop_back();
    Expect(EncodeConsistencyProof(proof), ProofVerdict::kNotConsistent, "hashes");
  }
  SECTION("the newer checkpoint first") {
    std::swap(proof.checkpoints.first, proof.checkpoints.second);
    Expect(EncodeConsistencyProof(proof), ProofVerdict::kNotConsistent, "9 leaves with 5");
  }
  SECTION("two roots of one size") {
    proof.checkpoints.first = Sample().SignHead(9, TestHash(1));
    proof.path.clear();
    Expect(EncodeConsistencyProof(proof), ProofVerdict::kNotConsistent, "a fork: two roots of 9");
  }
}

TEST_CASE("both checkpoints need a quorum", "[proof]") {
  ConsistencyProof proof = DecodeConsistencyProof(FileOf(5, 9)).value();
  const Checkpoint newer = DecodeSignedCheckpoint(proof.checkpoints.second)->checkpoint;
  const Checkpoint older = DecodeSignedCheckpoint(proof.checkpoints.first)->checkpoint;
  ProofSample::Signers two;
  two.witness_count = 2;
  SECTION("the older one") {
    proof.checkpoints.first = Sample().SignHead(older.size, older.root, two);
    Expect(EncodeConsistencyProof(proof), ProofVerdict::kQuorumShort, "older checkpoint of 5");
  }
  SECTION("the newer one") {
    proof.checkpoints.second = Sample().SignHead(newer.size, newer.root, two);
    Expect(EncodeConsistencyProof(proof), ProofVerdict::kQuorumShort, "newer checkpoint of 9");
  }
  SECTION("in a known epoch") {
    two.witness_count = 4;
    two.epoch = 3;
    proof.checkpoints.second = Sample().SignHead(newer.size, newer.root, two);
    Expect(EncodeConsistencyProof(proof), ProofVerdict::kUnknownEpoch, "epoch 3");
  }
}

TEST_CASE("checkpoints of two logs are not consistent though one policy lists both", "[proof]") {
  ConsistencyProof proof = DecodeConsistencyProof(FileOf(9, 9)).value();
  const Checkpoint newer = DecodeSignedCheckpoint(proof.checkpoints.second)->checkpoint;
  ProofSample::Signers other;
  other.origin = CheckpointOrigin("other", TestHash(1));
  proof.checkpoints.second = Sample().SignHead(newer.size, newer.root, other);
  std::string text;
  uint32_t number = 0;
  for (const std::string& origin : {Sample().origin(), other.origin}) {
    // A policy takes a public key once: the second log is signed by nobody here.
    const NoteKey key{origin, NoteKeyType::kEd25519,
                      Sample().network().key(absl::StrCat("log/", number++)).public_key()};
    absl::StrAppend(&text, "log ", EncodeNoteKey(key), "\n");
  }
  SignedNote note = DecodeNote(proof.checkpoints.second).value();
  note.signatures = {SignNote(Sample().network().key("log/1"), other.origin, note.text)};
  proof.checkpoints.second = EncodeNote(note);
  const Policy policy = ParsePolicy(text + "quorum none\n").value();
  const ConsistencyReport report = VerifyConsistencyProof(policy, EncodeConsistencyProof(proof));
  CHECK(report.verdict == ProofVerdict::kNotConsistent);
  CHECK(absl::StrContains(report.reason, "two logs"));
}

TEST_CASE("the builder refuses checkpoints that the tiles do not lead to", "[proof]") {
  const TileSource& tiles = Sample().tiles();
  const std::string head = Sample().HeadAt(9);
  CHECK(absl::IsDataLoss(
      BuildConsistencyProof(tiles, Sample().SignHead(5, TestHash(1)), head).status()));
  CHECK(absl::IsInvalidArgument(BuildConsistencyProof(tiles, head, Sample().HeadAt(5)).status()));
  CHECK(absl::IsInvalidArgument(BuildConsistencyProof(tiles, "no note", head).status()));
  ProofSample::Signers other;
  other.origin = CheckpointOrigin("other", TestHash(1));
  CHECK(absl::IsInvalidArgument(
      BuildConsistencyProof(tiles, Sample().SignHead(5, TestHash(1), other), head).status()));
}

}  // namespace vigil::ledger
