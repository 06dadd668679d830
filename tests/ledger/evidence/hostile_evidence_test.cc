// Evidence files that are true in every part and yet would make a reader believe what is not so.
#include <string>

#include "tests/ledger/evidence/evidence_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

EvidenceReport SpanOf(uint64_t from, uint64_t to) {
  const EvidenceSample& sample = TheEvidence();
  EvidenceQuestion question;
  question.subject = EvidenceSubject::kSpan;
  question.from_unix_nano = from;
  question.to_unix_nano = to;
  EvidenceWriter writer = sample.Writer(question);
  for (const RecordIndex record : sample.of_stream) sample.AddWhole(record, &writer);
  static std::string file;
  file = writer.Finish();
  return VerifyEvidence(sample.policy(), file);
}

}  // namespace

TEST_CASE("evidence: events of another time are no evidence of a span", "[evidence]") {
  const EvidenceReport of_all = SpanOf(0, UINT64_MAX);
  REQUIRE(of_all.verdict == ProofVerdict::kVerified);
  CHECK(SpanOf(0, 1).verdict == ProofVerdict::kNotIncluded);
  CHECK(SpanOf(UINT64_MAX - 1, UINT64_MAX).verdict == ProofVerdict::kNotIncluded);
}

TEST_CASE("evidence: a validator cosigned when its key did whatever the policy calls it",
          "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.EventFile();
  Policy policy = sample.policy();
  for (PolicyWitness& witness : policy.witnesses)
    witness.name = "w" + witness.name.substr(witness.name.size() - 1);
  for (PolicyGroup& group : policy.groups)
    for (std::string& member : group.members) member = "w" + member.substr(member.size() - 1);
  const EvidenceReport whole = VerifyEvidence(sample.policy(), file);
  const EvidenceReport report = VerifyEvidence(policy, file);
  INFO(report.reason);
  REQUIRE(report.verdict == ProofVerdict::kVerified);
  CHECK(report.validators == whole.validators);
}

TEST_CASE("evidence: what a sensor says it lost is not passed over", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.StreamFile();
  const EvidenceReport report = VerifyEvidence(sample.policy(), file);
  REQUIRE(report.streams.size() == 1);
  CHECK(OneLine(report).find("lost 7") != std::string::npos);
}

TEST_CASE("evidence: a file cut anywhere is malformed", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.AlertFile();
  for (size_t size = 0; size < file.size(); size += size < 64 ? 1 : 17)
    REQUIRE(VerifyEvidence(sample.policy(), file.substr(0, size)).verdict ==
            ProofVerdict::kMalformed);
  CHECK(VerifyEvidence(sample.policy(), file + '\0').verdict == ProofVerdict::kMalformed);
}

TEST_CASE("evidence: parts of two files do not make a third that says more", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string alert_file = sample.AlertFile();
  const std::string event_file = sample.EventFile();
  Evidence alert = DecodeEvidence(alert_file).value();
  const Evidence event = DecodeEvidence(event_file).value();
  // The alert is over event 0; event 3 of the same batch takes its place.
  for (EvidencePart& part : alert.parts)
    if (!part.events.empty()) part.events = event.parts[0].events;
  CHECK(VerifyEvidence(sample.policy(), EncodeEvidence(alert)).verdict ==
        ProofVerdict::kPayloadMissing);
  for (EvidencePart& part : alert.parts)
    if (!part.events.empty()) part.events[0].item = ItemIndex(0);
  CHECK(VerifyEvidence(sample.policy(), EncodeEvidence(alert)).verdict ==
        ProofVerdict::kPayloadMismatch);
}

TEST_CASE("evidence: one content is one file", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  for (const std::string& file : {sample.EventFile(), sample.AlertFile(), sample.StreamFile()})
    CHECK(EncodeEvidence(DecodeEvidence(file).value()) == file);
}

}  // namespace vigil::ledger
