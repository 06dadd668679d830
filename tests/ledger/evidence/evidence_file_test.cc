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

}  // namespace vigil::ledger
