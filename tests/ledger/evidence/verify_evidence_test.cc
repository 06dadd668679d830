#include "ledger/evidence/verify_evidence.h"

#include "ledger/chain/genesis.h"
#include "tests/ledger/evidence/evidence_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

ProofVerdict VerdictOf(const Evidence& evidence) {
  return VerifyEvidence(TheEvidence().policy(), EncodeEvidence(evidence)).verdict;
}

// A flipped bit may cost a file the cosignature of one witness, or turn the question into another
// that the file answers as well; everything else that it then still proves is the same.
void FlipEveryByte(const std::string& file, size_t step) {
  const EvidenceSample& sample = TheEvidence();
  const EvidenceReport whole = VerifyEvidence(sample.policy(), file);
  REQUIRE(whole.verdict == ProofVerdict::kVerified);
  for (size_t at = 0; at < file.size(); at += step) {
    std::string altered = file;
    altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 8)));
    EvidenceReport report = VerifyEvidence(sample.policy(), altered);
    if (!IsVerified(report.verdict)) continue;
    INFO("byte " << at);
    const bool other_question = report.question != whole.question;
    const size_t witnesses = report.head->witnesses.size();
    CHECK(other_question != (witnesses + 1 == whole.head->witnesses.size()));
    report.question = whole.question;
    report.head = whole.head;
    report.validators = whole.validators;
    CHECK(OneLine(report) == OneLine(whole));
  }
}

}  // namespace

TEST_CASE("evidence: an event is shown with its record and nothing else", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.EventFile();
  const EvidenceReport report = VerifyEvidence(sample.policy(), file);
  INFO(report.reason);
  REQUIRE(report.verdict == ProofVerdict::kVerified);
  REQUIRE(report.records.size() == 1);
  CHECK(report.records[0].signer() == "acme/fw-1");
  REQUIRE(report.records[0].events.size() == 1);
  CHECK(report.records[0].events[0].Fields().source == "zeek.conn");
  CHECK(report.events_shown() == 1);
}

TEST_CASE("evidence: a flipped bit never passes with the same claim", "[evidence]") {
  FlipEveryByte(TheEvidence().EventFile(), 3);
  FlipEveryByte(TheEvidence().AlertFile(), 29);
}

TEST_CASE("evidence: parts of two moments do not mix", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const ProofSample& chain = sample.chain();
  const std::string file = sample.EventFile();
  Evidence evidence = DecodeEvidence(file).value();
  const std::string older = chain.HeadAt(chain.leaves().size() - 4);
  const std::string proof = BuildRecordProof(chain, older, ProofSample::kBatch).value();
  SECTION("a proof under an older checkpoint") {
    evidence.parts[0].proof = ProofWithoutCheckpoint(proof).value();
    CHECK(VerdictOf(evidence) == ProofVerdict::kNotIncluded);
  }
  SECTION("an older checkpoint") {
    evidence.checkpoint = older;
    CHECK(VerdictOf(evidence) == ProofVerdict::kNotIncluded);
  }
}

TEST_CASE("evidence: a checkpoint without a quorum proves nothing", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const ProofSample& chain = sample.chain();
  const std::string file = sample.EventFile();
  Evidence evidence = DecodeEvidence(file).value();
  ProofSample::Signers signers;
  signers.witness_count = 2;
  const SignedCheckpoint head = DecodeSignedCheckpoint(chain.Head()).value();
  const std::string note = chain.SignHead(chain.leaves().size(), head.checkpoint.root, signers);
  evidence.checkpoint = note;
  CHECK(VerdictOf(evidence) == ProofVerdict::kQuorumShort);
}

TEST_CASE("evidence: events that the batch does not hold are refused", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  EvidenceQuestion question;
  question.event = {.record_index = ProofSample::kBatch, .item = ItemIndex(0)};
  EvidenceWriter writer = sample.Writer(question);
  sample.AddWhole(ProofSample::kBatch, &writer);
  const std::string file = writer.Finish();
  Evidence evidence = DecodeEvidence(file).value();
  REQUIRE(VerdictOf(evidence) == ProofVerdict::kVerified);
  std::vector<EvidenceEvent>& events = evidence.parts[0].events;
  const std::string other = TestEvent(4711);
  SECTION("another event") {
    events[2].bytes = other;
    CHECK(VerdictOf(evidence) == ProofVerdict::kPayloadMismatch);
  }
  SECTION("two events exchanged") {
    std::swap(events[1].bytes, events[2].bytes);
    CHECK(VerdictOf(evidence) == ProofVerdict::kPayloadMismatch);
  }
  SECTION("one too few, without paths") {
    events.pop_back();
    CHECK(VerdictOf(evidence) == ProofVerdict::kPayloadMismatch);
  }
  SECTION("one that the batch has no place for") {
    events.push_back({.item = ItemIndex(5), .bytes = other, .path = {}});
    CHECK(VerdictOf(evidence) == ProofVerdict::kPayloadMismatch);
  }
  SECTION("a path where all are shown") {
    events[0].path.push_back(TestHash(1));
    CHECK(VerdictOf(evidence) == ProofVerdict::kMalformed);
  }
  SECTION("the event in question left out") {
    evidence.question.event.item = ItemIndex(9);
    CHECK(VerdictOf(evidence) == ProofVerdict::kPayloadMissing);
  }
  SECTION("the record in question left out") {
    evidence.question.event.record_index = ProofSample::kSingle;
    CHECK(VerdictOf(evidence) == ProofVerdict::kNotIncluded);
  }
}

TEST_CASE("evidence: the genesis file must be that of the log", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.EventFile();
  Evidence evidence = DecodeEvidence(file).value();
  const std::string other = WriteGenesis(TestNetwork(3).genesis());
  evidence.genesis = other;
  CHECK(VerdictOf(evidence) == ProofVerdict::kNotIncluded);
  evidence.genesis = "{}";
  CHECK(VerdictOf(evidence) == ProofVerdict::kMalformed);
  evidence.genesis = "";
  CHECK(VerdictOf(evidence) == ProofVerdict::kVerified);
}

TEST_CASE("evidence: records stand once and in order", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.StreamFile();
  Evidence evidence = DecodeEvidence(file).value();
  SECTION("out of order") { std::swap(evidence.parts[1], evidence.parts[2]); }
  SECTION("twice") { evidence.parts[2] = evidence.parts[1]; }
  CHECK(VerdictOf(evidence) == ProofVerdict::kMalformed);
}

TEST_CASE("evidence: a proof of an event or a block is no proof of a record", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.EventFile();
  Evidence evidence = DecodeEvidence(file).value();
  std::string proof;
  SECTION("event") {
    proof = BuildEventProof(sample.chain(), sample.chain().Head(), ProofSample::kBatch,
                            ItemIndex(3), EventBytes::kInclude)
                .value();
  }
  SECTION("block") {
    proof = BuildBlockProof(sample.chain(), sample.chain().Head(), Height(1)).value();
  }
  evidence.parts[0].proof = ProofWithoutCheckpoint(proof).value();
  CHECK(VerdictOf(evidence) == ProofVerdict::kMalformed);
}

TEST_CASE("evidence: a record that the chain rejected is not evidence", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  EvidenceQuestion question;
  question.subject = EvidenceSubject::kSpan;
  question.to_unix_nano = 1;
  EvidenceWriter writer = sample.Writer(question);
  sample.Add(ProofSample::kDuplicate, {}, &writer);
  const std::string file = writer.Finish();
  CHECK(VerifyEvidence(sample.policy(), file).verdict == ProofVerdict::kNotIncluded);
}

}  // namespace vigil::ledger
