#include "ledger/evidence/alert_case.h"

#include "absl/strings/match.h"
#include "tests/ledger/evidence/evidence_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {

TEST_CASE("evidence: an alert comes with its model and with who recomputed it", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.AlertFile();
  const EvidenceReport report = VerifyEvidence(sample.policy(), file);
  INFO(report.reason);
  REQUIRE(report.verdict == ProofVerdict::kVerified);
  REQUIRE(report.alert.has_value());
  const AlertCase& alert = *report.alert;
  CHECK(alert.proposer == "acme/v0");
  CHECK(alert.event == EventRef{ProofSample::kBatch, ItemIndex(0)});
  CHECK(alert.score_q8 == 3000);
  CHECK(alert.reasons.size() == 1);
  CHECK(alert.activated_by == sample.activation);
  CHECK(alert.confirmed_by == sample.confirmation);
  CHECK_FALSE(alert.contested_by.has_value());
  CHECK(alert.model_committers == std::vector<std::string>{"acme/v0", "globex/v1", "acme/v2"});
  REQUIRE(alert.words.size() == 2);
  CHECK(alert.words[0] == AlertWord{.record = sample.first_word,
                                    .validator = "globex/v1",
                                    .confirms = true,
                                    .score_q8 = 3001});
  REQUIRE(report.validators.size() == 4);
  CHECK(report.validators[1].organisation == "Globex");
  CHECK(report.validators[1].cosigned);
}

TEST_CASE("evidence: without the confirmation an alert is not called confirmed", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const std::string file = sample.AlertFileWithout({sample.confirmation});
  const EvidenceReport report = VerifyEvidence(sample.policy(), file);
  REQUIRE(report.verdict == ProofVerdict::kVerified);
  CHECK_FALSE(report.alert->confirmed_by.has_value());
}

TEST_CASE("evidence: an alert needs its record and event and an active model", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  const auto verdict = [&](RecordIndex without, absl::string_view reason) {
    const std::string file = sample.AlertFileWithout({without});
    const EvidenceReport report = VerifyEvidence(sample.policy(), file);
    INFO(report.reason);
    CHECK(absl::StrContains(report.reason, reason));
    CHECK_FALSE(report.alert.has_value());
    return report.verdict;
  };
  CHECK(verdict(sample.alert, "is not in the file") == ProofVerdict::kNotIncluded);
  CHECK(verdict(sample.activation, "model was active") == ProofVerdict::kNotIncluded);
  CHECK(verdict(ProofSample::kBatch, "batch of the alert's event") == ProofVerdict::kNotIncluded);
}

TEST_CASE("evidence: another event than the alert names does not stand for it", "[evidence]") {
  const EvidenceSample& sample = TheEvidence();
  EvidenceQuestion question;
  question.subject = EvidenceSubject::kAlert;
  question.alert = sample.alert;
  SECTION("another item of the batch") {
    EvidenceWriter writer = sample.Writer(question);
    for (const RecordIndex record : sample.of_alert) {
      sample.Add(record,
                 record == ProofSample::kBatch ? std::set<uint32_t>{1} : std::set<uint32_t>(),
                 &writer);
    }
    const std::string file = writer.Finish();
    CHECK(VerifyEvidence(sample.policy(), file).verdict == ProofVerdict::kPayloadMissing);
  }
  SECTION("an alert whose proposer named another leaf") {
    question.alert = sample.alert_of_other_leaf;
    EvidenceWriter writer = sample.Writer(question);
    for (const RecordIndex record : sample.of_alert) {
      sample.Add(record,
                 record == ProofSample::kBatch ? std::set<uint32_t>{0, 1} : std::set<uint32_t>(),
                 &writer);
    }
    sample.Add(sample.alert_of_other_leaf, {}, &writer);
    const std::string file = writer.Finish();
    CHECK(VerifyEvidence(sample.policy(), file).verdict == ProofVerdict::kPayloadMismatch);
  }
  SECTION("a record that is no alert") {
    question.alert = sample.confirmation;
    EvidenceWriter writer = sample.Writer(question);
    sample.Add(sample.confirmation, {}, &writer);
    const std::string file = writer.Finish();
    CHECK(VerifyEvidence(sample.policy(), file).verdict == ProofVerdict::kNotIncluded);
  }
}

}  // namespace vigil::ledger
