#include "tests/client/alert/alert_sample.h"

#include <set>

#include "detector/features/event_schema.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/sha256_bytes.h"
#include "tests/detector/support/synthetic.h"

namespace vigil::client {
namespace {

using ledger::ProofSample;

constexpr int kRows = 600;
constexpr uint64_t kPeriod = 2;

Hash DigestOf(const std::string& model_file) {
  Hash digest;
  digest.bytes = detector::Model::DigestOf(AsBytes(model_file), &ledger::Sha256Bytes);
  return digest;
}

detector::Model TrainFlows() {
  const detector::Schema& schema = detector::EventSchema(detector::EventType::kFlow);
  detector::RawTable rows(kRows, static_cast<Eigen::Index>(schema.field_count()));
  SplitMix64 random(7);
  for (int i = 0; i < kRows; ++i) {
    detector::testing::OwnedEvent event;
    detector::testing::FillEvent(&random, /*kind=*/0, &event);
    detector::RowBuffer buffer;
    const auto row =
        detector::ReadRow(event.view, detector::EventType::kFlow, &ledger::Sha256Bytes, &buffer);
    for (size_t f = 0; f < row.size(); ++f) rows(i, static_cast<Eigen::Index>(f)) = row[f];
  }
  return *detector::Model::Train(schema, rows, detector::Digest{1}, detector::Parameters(),
                                 &ledger::Sha256Bytes);
}

}  // namespace

const detector::Model& FlowModel() {
  static const detector::Model* const model = new detector::Model(TrainFlows());
  return *model;
}

std::string FlowModelFile() { return ToString(FlowModel().Serialize()); }

AlertSample::AlertSample(const std::string& model_file, uint32_t threshold_q8) {
  ledger::ModelCommitmentBody model;
  model.event_type = 1;
  model.period = kPeriod;
  model.window_end = Height(2);
  model.model_digest = DigestOf(model_file);
  model.row_count = kRows;
  model.threshold_q8 = threshold_q8;
  for (const char* validator : {"acme/v0", "globex/v1", "acme/v2"}) {
    activation_ = Commit(model, validator);
  }
}

ledger::AlertBody AlertSample::RightAlert() const {
  const std::string payload = chain_.Payload(ProofSample::kBatch).value();
  const ByteSpan bytes = ledger::SplitPayload(AsBytes(payload)).value()[0];
  EventView event;
  VIGIL_CHECK(ledger::ScanEvent(bytes, &event).ok(), "a canonical event");
  const detector::Score score = detector::ScoreEvent(FlowModel(), event, &ledger::Sha256Bytes);
  ledger::AlertBody body;
  body.event = {.record_index = ProofSample::kBatch, .item = ItemIndex(0)};
  body.event_type = 1;
  body.period = kPeriod;
  body.model_digest.bytes = FlowModel().digest();
  body.score_q8 = score.score_q8;
  body.threshold_q8 = FlowModel().threshold_q8();
  body.component = static_cast<uint32_t>(score.component);
  for (const detector::Reason& reason : score.reasons) {
    body.reasons.push_back({.feature = reason.feature, .bits_q8 = reason.bits_q8});
  }
  body.event_leaf = ledger::LeafHash(bytes);
  return body;
}

std::string AlertSample::File(RecordIndex alert, const std::string& model,
                              const std::vector<RecordIndex>& others, bool with_event) {
  // Results lie under a later seal.
  for (int i = 0; i < 4; ++i) chain_.Commit({});
  ledger::EvidenceQuestion question;
  question.subject = ledger::EvidenceSubject::kAlert;
  question.alert = alert;
  ledger::EvidenceWriter writer(question, chain_.Head(), "");
  std::set<RecordIndex> records = {ProofSample::kBatch, activation_, alert};
  records.insert(others.begin(), others.end());
  for (const RecordIndex record : records) {
    const std::string proof = ledger::BuildRecordProof(chain_, chain_.Head(), record).value();
    VIGIL_CHECK(writer.AddRecord(record, proof).ok(), "a proof");
  }
  const std::string payload = chain_.Payload(ProofSample::kBatch).value();
  if (with_event) {
    VIGIL_CHECK(writer.AddEvents(ProofSample::kBatch, AsBytes(payload), {0}).ok(), "an event");
  }
  if (!model.empty()) VIGIL_CHECK(writer.AddModel(model).ok(), "a model");
  return writer.Finish();
}

}  // namespace vigil::client
