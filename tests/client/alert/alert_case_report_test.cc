#include "client/alert/alert_case_report.h"

#include "ledger/crypto/sha256.h"
#include "ledger/evidence/evidence_facts.h"
#include "tests/client/alert/alert_sample.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

using ledger::AlertBody;
using ledger::AlertFault;

std::string FactOf(const AlertReport& report, const std::string& wanted) {
  for (const auto& [name, value] : ledger::EvidenceFacts(report.evidence)) {
    if (name == wanted) return value;
  }
  return "";
}

AlertReport Verify(const AlertSample& sample, const std::string& file) {
  return VerifyAlert(sample.policy(), file);
}

}  // namespace

TEST_CASE("a right alert is verified offline from its file alone", "[client]") {
  AlertSample sample;
  const AlertBody body = sample.RightAlert();
  REQUIRE(body.score_q8 >= body.threshold_q8);
  REQUIRE(!body.reasons.empty());
  const std::string file = sample.File(sample.Raise(body), FlowModelFile());
  const AlertReport report = Verify(sample, file);
  INFO(report.reason);
  CHECK(report.verdict == AlertVerdict::kVerified);
  CHECK(report.reason.empty());
  REQUIRE(report.recomputed.has_value());
  CHECK(report.recomputed->score_q8 == body.score_q8);
  REQUIRE(report.model.has_value());
  CHECK(report.model->digest() == FlowModel().digest());
  CHECK(!FaultOf(report.verdict).has_value());
  CHECK(FactOf(report, "model_bytes") == std::to_string(FlowModelFile().size()));
}

TEST_CASE("a forged score is proven by the file and names its author", "[client]") {
  AlertSample sample;
  AlertBody body = sample.RightAlert();
  const uint32_t right = body.score_q8;
  for (const uint32_t score : {right + 1, right + 4096, body.threshold_q8}) {
    AlertSample fresh;
    body.score_q8 = score;
    if (score == right) continue;
    const AlertReport report = Verify(fresh, fresh.File(fresh.Raise(body), FlowModelFile()));
    INFO(score << " instead of " << right << ": " << report.reason);
    CHECK(report.verdict == AlertVerdict::kScoreDiffers);
    CHECK(FaultOf(report.verdict) == AlertFault::kScore);
    REQUIRE(report.recomputed.has_value());
    CHECK(report.recomputed->score_q8 == right);
    CHECK(report.evidence.alert->proposer == "globex/v1");
  }
}

TEST_CASE("an ordinary event raised as strange is proven by the file", "[client]") {
  AlertSample sample;
  AlertBody body = sample.RightAlert();
  body.reasons.clear();
  const AlertReport report = Verify(sample, sample.File(sample.Raise(body), FlowModelFile()));
  CHECK(report.verdict == AlertVerdict::kExplanationDiffers);
  CHECK(FaultOf(report.verdict) == AlertFault::kExplanation);
}

TEST_CASE("reasons in another order or with other shares are another explanation", "[client]") {
  AlertSample sample;
  AlertBody body = sample.RightAlert();
  body.reasons.back().bits_q8 -= 1;
  CHECK(Verify(sample, sample.File(sample.Raise(body), FlowModelFile())).verdict ==
        AlertVerdict::kExplanationDiffers);
  AlertSample other;
  body = other.RightAlert();
  body.component = body.component % 3 + 1;
  CHECK(Verify(other, other.File(other.Raise(body), FlowModelFile())).verdict ==
        AlertVerdict::kExplanationDiffers);
}

TEST_CASE("a threshold that the model does not have is found even if a quorum stated it",
          "[client]") {
  AlertSample sample(FlowModelFile(), FlowModel().threshold_q8() - 1);
  AlertBody body = sample.RightAlert();
  body.threshold_q8 -= 1;
  const AlertReport report = Verify(sample, sample.File(sample.Raise(body), FlowModelFile()));
  CHECK(report.verdict == AlertVerdict::kThresholdDiffers);
  CHECK(FaultOf(report.verdict) == AlertFault::kThreshold);
}

TEST_CASE("an alert over other bytes than the chain has is a fault without any model", "[client]") {
  AlertSample sample;
  AlertBody body = sample.RightAlert();
  body.event_leaf = ledger::TestHash(0x33);
  const RecordIndex alert = sample.Raise(body);
  for (const std::string& model : {FlowModelFile(), std::string()}) {
    const AlertReport report = Verify(sample, sample.File(alert, model));
    CHECK(report.verdict == AlertVerdict::kEventDiffers);
    CHECK(FaultOf(report.verdict) == AlertFault::kEvent);
    CHECK(report.evidence.alert->proposer == "globex/v1");
  }
}

TEST_CASE("what is missing has verdicts of its own and accuses nobody", "[client]") {
  AlertSample sample;
  const RecordIndex alert = sample.Raise(sample.RightAlert());
  const AlertReport without_model = Verify(sample, sample.File(alert, ""));
  CHECK(without_model.verdict == AlertVerdict::kModelUnknown);
  CHECK(without_model.evidence.verdict == ledger::ProofVerdict::kVerified);
  const AlertReport without_event =
      Verify(sample, sample.File(alert, FlowModelFile(), {}, /*with_event=*/false));
  CHECK(without_event.verdict == AlertVerdict::kNotRederivable);
  CHECK(!without_event.recomputed.has_value());
  for (const AlertVerdict verdict :
       {AlertVerdict::kVerified, AlertVerdict::kModelDiffers, AlertVerdict::kModelUnknown,
        AlertVerdict::kNotRederivable, AlertVerdict::kEvidenceRefused}) {
    CHECK(!FaultOf(verdict).has_value());
  }
}

TEST_CASE("a model of another version is told apart from a wrong one", "[client]") {
  std::string later = FlowModelFile();
  later[12] = 99;  // The format, behind the tag.
  AlertSample sample(later);
  AlertBody body = sample.RightAlert();
  body.model_digest.bytes = detector::Model::DigestOf(
      AsBytes(later), [](std::span<const uint8_t> bytes) -> detector::Digest {
        return ledger::Sha256(bytes).bytes;
      });
  CHECK(Verify(sample, sample.File(sample.Raise(body), later)).verdict ==
        AlertVerdict::kNotRederivable);
}

TEST_CASE("no byte of the model in a file can be changed", "[client]") {
  AlertSample sample;
  const RecordIndex alert = sample.Raise(sample.RightAlert());
  const std::string right = sample.File(alert, FlowModelFile());
  const size_t model_begin = right.size() - FlowModelFile().size();
  const uint64_t seed = detector::testing::TestSeed(20261128);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (int round = 0; round < 40; ++round) {
    std::string changed = right;
    const size_t at = model_begin + random.Below(FlowModelFile().size());
    changed[at] = static_cast<char>(changed[at] ^ (1 << random.Below(8)));
    INFO("byte " << at);
    const AlertReport report = Verify(sample, changed);
    CHECK(report.verdict == AlertVerdict::kModelDiffers);
    CHECK(report.evidence.verdict == ledger::ProofVerdict::kPayloadMismatch);
    CHECK(!report.model.has_value());
  }
}

TEST_CASE("an event of another type has no score under the model", "[client]") {
  AlertSample sample;
  ledger::ModelCommitmentBody model;
  model.event_type = 2;
  model.period = 2;
  model.window_end = Height(2);
  model.model_digest.bytes = FlowModel().digest();
  model.row_count = 600;
  model.threshold_q8 = FlowModel().threshold_q8();
  RecordIndex activation;
  for (const char* validator : {"acme/v0", "globex/v1", "acme/v2"}) {
    activation = sample.Commit(model, validator);
  }
  AlertBody body = sample.RightAlert();
  body.event_type = 2;
  const AlertReport report =
      Verify(sample, sample.File(sample.Raise(body), FlowModelFile(), {activation}));
  CHECK(report.verdict == AlertVerdict::kScoreDiffers);
  CHECK(!report.recomputed.has_value());
}

TEST_CASE("evidence that does not hold or is of something else is refused", "[client]") {
  AlertSample sample;
  const RecordIndex alert = sample.Raise(sample.RightAlert());
  const std::string file = sample.File(alert, FlowModelFile());
  ledger::Policy strangers = sample.policy();
  strangers.logs.clear();
  CHECK(VerifyAlert(strangers, file).verdict == AlertVerdict::kEvidenceRefused);
  CHECK(Verify(sample, file.substr(0, file.size() - 1)).verdict == AlertVerdict::kEvidenceRefused);
  CHECK(Verify(sample, "").verdict == AlertVerdict::kEvidenceRefused);
  // Evidence about an event of the same batch.
  ledger::EvidenceQuestion question;
  question.event = {.record_index = ledger::ProofSample::kBatch, .item = ItemIndex(0)};
  ledger::EvidenceWriter writer(question, sample.chain().Head(), "");
  REQUIRE(writer
              .AddRecord(ledger::ProofSample::kBatch,
                         ledger::BuildRecordProof(sample.chain(), sample.chain().Head(),
                                                  ledger::ProofSample::kBatch)
                             .value())
              .ok());
  const std::string payload = sample.chain().Payload(ledger::ProofSample::kBatch).value();
  REQUIRE(writer.AddEvents(ledger::ProofSample::kBatch, AsBytes(payload), {0}).ok());
  CHECK(Verify(sample, writer.Finish()).verdict == AlertVerdict::kEvidenceRefused);
  // A model may stand in evidence of an alert alone.
  REQUIRE(writer.AddModel(FlowModelFile()).ok());
  const ledger::EvidenceReport with_model =
      ledger::VerifyEvidence(sample.policy(), writer.Finish());
  CHECK(with_model.verdict == ledger::ProofVerdict::kMalformed);
}

TEST_CASE("a fault proof on the chain is shown with the alert that it is about", "[client]") {
  AlertSample sample;
  AlertBody body = sample.RightAlert();
  const uint32_t right = body.score_q8;
  body.score_q8 += 500;
  const RecordIndex alert = sample.Raise(body);
  std::vector<RecordIndex> others;
  for (const char* validator : {"acme/v0", "acme/v2"}) {
    ledger::AttestationBody attestation;
    attestation.attestations = {{.alert_index = alert, .verdict = 2, .score_q8 = right}};
    others.push_back(sample.Commit(attestation, validator));
  }
  ledger::FaultProofBody fault;
  fault.alert_index = alert;
  fault.fault = static_cast<uint32_t>(AlertFault::kScore);
  fault.score_q8 = right;
  fault.threshold_q8 = body.threshold_q8;
  fault.component = body.component;
  others.push_back(sample.Commit(fault, "acme/v2"));
  const AlertReport report = Verify(sample, sample.File(alert, FlowModelFile(), others));
  INFO(report.reason);
  CHECK(report.verdict == AlertVerdict::kScoreDiffers);
  CHECK(report.evidence.alert->contested_by == others[1]);
  REQUIRE(report.evidence.alert->faults.size() == 1);
  CHECK(report.evidence.alert->faults[0].validator == "acme/v2");
  CHECK(report.evidence.alert->faults[0].score_q8 == right);
  CHECK(FactOf(report, "fault_proof") == "acme/v2 score score_q8 " + std::to_string(right) +
                                             " record " + std::to_string(others[2].value()));
}

}  // namespace vigil::client
