#include "ledger/evidence/stream_case.h"

#include "tests/ledger/evidence/evidence_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

EvidenceReport WithoutRecord(size_t which) {
  const EvidenceSample& sample = TheEvidence();
  EvidenceQuestion question;
  question.subject = EvidenceSubject::kSpan;
  question.to_unix_nano = UINT64_MAX;
  EvidenceWriter writer = sample.Writer(question);
  for (size_t i = 0; i < sample.of_stream.size(); ++i) {
    if (i != which) sample.AddWhole(sample.of_stream[i], &writer);
  }
  static std::string file;
  file = writer.Finish();
  return VerifyEvidence(sample.policy(), file);
}

}  // namespace

TEST_CASE("evidence: a stream without a gap is complete", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.StreamFile();
  const EvidenceReport report = VerifyEvidence(sample.policy(), file);
  INFO(report.reason);
  REQUIRE(report.verdict == ProofVerdict::kVerified);
  REQUIRE(report.streams.size() == 1);
  const StreamCase& stream = report.streams[0];
  CHECK(stream.sensor == "acme/fw-1");
  CHECK(stream.stream == "conn");
  CHECK(stream.first_sequence == 1);
  CHECK(stream.last_sequence == stream.records);
  CHECK(stream.events_shown == 7);
  CHECK(stream.events_held == 7);
  CHECK(stream.IsComplete());
}

TEST_CASE("evidence: a record left out breaks its stream and nobody calls it complete",
          "[evidence]") {
  const size_t count = TheEvidence().of_stream.size();
  REQUIRE(count > 10);
  for (size_t which = 1; which + 1 < count; which += 40) {
    INFO("without record " << which);
    const EvidenceReport report = WithoutRecord(which);
    REQUIRE(report.streams.size() == 1);
    CHECK_FALSE(report.streams[0].IsComplete());
    CHECK(report.streams[0].breaks ==
          std::vector<std::pair<uint64_t, uint64_t>>{{which, which + 2}});
  }
}

TEST_CASE("evidence: a batch of which only some events are shown is not complete", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.EventFile();
  const EvidenceReport report = VerifyEvidence(sample.policy(), file);
  REQUIRE(report.streams.size() == 1);
  CHECK(report.streams[0].events_shown == 1);
  CHECK(report.streams[0].events_held == 5);
  CHECK_FALSE(report.streams[0].IsComplete());
}

}  // namespace vigil::ledger
