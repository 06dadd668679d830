#include "ledger/evidence/evidence_file.h"

#include "tests/ledger/evidence/evidence_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {

TEST_CASE("evidence: one content has one file", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  for (const std::string& file : {sample.EventFile(), sample.AlertFile(), sample.StreamFile()}) {
    CHECK(LooksLikeEvidence(file));
    const absl::StatusOr<Evidence> evidence = DecodeEvidence(file);
    REQUIRE(evidence.ok());
    CHECK(EncodeEvidence(*evidence) == file);
  }
}

TEST_CASE("evidence: each part is a standard proof file with the checkpoint behind it",
          "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.AlertFile();
  const Evidence evidence = DecodeEvidence(file).value();
  REQUIRE(evidence.parts.size() == sample.of_alert.size());
  for (size_t i = 0; i < evidence.parts.size(); ++i) {
    CHECK(WholeProof(evidence, evidence.parts[i]) ==
          BuildRecordProof(sample.chain(), sample.chain().Head(), sample.of_alert[i]).value());
  }
}

TEST_CASE("evidence: what is cut short or goes on is refused", "[evidence]") {
  const std::string file = TheEvidence().EventFile();
  for (size_t size = 0; size < file.size(); ++size) {
    INFO("cut to " << size);
    REQUIRE_FALSE(DecodeEvidence(absl::string_view(file).substr(0, size)).ok());
  }
  CHECK_FALSE(DecodeEvidence(file + std::string(1, '\0')).ok());
  CHECK_FALSE(DecodeEvidence("").ok());
}

TEST_CASE("evidence: a writer takes only proofs of its own checkpoint and record", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const ProofSample& chain = sample.chain();
  EvidenceWriter writer = sample.Writer({});
  const std::string older = chain.HeadAt(chain.leaves().size() - 4);
  CHECK(absl::IsInvalidArgument(writer.AddRecord(
      ProofSample::kBatch, BuildRecordProof(chain, older, ProofSample::kBatch).value())));
  const std::string proof = BuildRecordProof(chain, chain.Head(), ProofSample::kBatch).value();
  CHECK(absl::IsInvalidArgument(writer.AddRecord(ProofSample::kSingle, proof)));
  REQUIRE(writer.AddRecord(ProofSample::kBatch, proof).ok());
  const std::string payload = chain.Payload(ProofSample::kBatch).value();
  CHECK(absl::IsNotFound(writer.AddEvents(ProofSample::kBatch, AsBytes(payload), {5})));
  CHECK(absl::IsInvalidArgument(writer.AddEvents(ProofSample::kBatch, AsBytes("xyz"), {0})));
}

TEST_CASE("evidence: a writer counts each byte of the file that it makes", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const ProofSample& chain = sample.chain();
  const std::string payload = chain.Payload(ProofSample::kBatch).value();
  const auto proof = [&](RecordIndex index) {
    return BuildRecordProof(chain, chain.Head(), index).value();
  };
  const std::string genesis = "a genesis file";
  const auto make = [&](size_t bytes_max) {
    return EvidenceWriter({}, chain.Head(), genesis, bytes_max);
  };
  EvidenceWriter writer = make(kEvidenceBytesMax);
  std::vector<size_t> sizes;  // After each step.
  const auto check = [&](const EvidenceWriter& made) {
    sizes.push_back(made.bytes());
    CHECK(made.bytes() == made.Finish().size());
  };
  check(writer);
  REQUIRE(writer.AddRecord(ProofSample::kSingle, proof(ProofSample::kSingle)).ok());
  REQUIRE(writer.AddRecord(ProofSample::kBatch, proof(ProofSample::kBatch)).ok());
  check(writer);
  REQUIRE(writer.AddRecord(ProofSample::kBatch, proof(ProofSample::kBatch)).ok());
  check(writer);
  CHECK(sizes[1] == sizes[2]);
  // Some with paths; one of them again; at last all, and none has a path.
  for (const std::set<uint32_t>& items :
       {std::set<uint32_t>{0}, {3}, {0, 3}, {1}, {0, 1, 2, 3, 4}}) {
    REQUIRE(writer.AddEvents(ProofSample::kBatch, AsBytes(payload), items).ok());
    check(writer);
  }
  // A file of exactly so many bytes may be made, of one less not.
  EvidenceWriter small = make(sizes[3]);
  REQUIRE(small.AddRecord(ProofSample::kSingle, proof(ProofSample::kSingle)).ok());
  REQUIRE(small.AddRecord(ProofSample::kBatch, proof(ProofSample::kBatch)).ok());
  REQUIRE(small.AddEvents(ProofSample::kBatch, AsBytes(payload), {0}).ok());
  CHECK(absl::IsResourceExhausted(small.AddEvents(ProofSample::kBatch, AsBytes(payload), {3})));
  check(small);
  EvidenceWriter smaller = make(sizes[3] - 1);
  REQUIRE(smaller.AddRecord(ProofSample::kSingle, proof(ProofSample::kSingle)).ok());
  REQUIRE(smaller.AddRecord(ProofSample::kBatch, proof(ProofSample::kBatch)).ok());
  CHECK(absl::IsResourceExhausted(smaller.AddEvents(ProofSample::kBatch, AsBytes(payload), {0})));
  EvidenceWriter least = make(sizes[0]);
  CHECK(absl::IsResourceExhausted(
      least.AddRecord(ProofSample::kSingle, proof(ProofSample::kSingle))));
}

}  // namespace vigil::ledger
