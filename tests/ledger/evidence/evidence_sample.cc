#include "tests/ledger/evidence/evidence_sample.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/evidence/evidence_facts.h"

namespace vigil::ledger {
namespace {

// The same as the one commitment that ProofSample has.
ModelCommitmentBody Model() {
  ModelCommitmentBody model;
  model.event_type = 1;
  model.period = 1;
  model.window_end = Height(2);
  model.model_digest = TestHash(9);
  model.row_count = 512;
  return model;
}

AlertBody AlertOn(uint32_t item, const Hash& leaf) {
  AlertBody body;
  body.event = {.record_index = ProofSample::kBatch, .item = ItemIndex(item)};
  body.event_type = 1;
  body.period = 1;
  body.model_digest = TestHash(9);
  body.score_q8 = 3000;
  body.component = 1;
  body.reasons = {{.feature = 2, .bits_q8 = 900}};
  body.event_leaf = leaf;
  return body;
}

AttestationBody Confirm(RecordIndex alert, uint32_t score_q8) {
  AttestationBody body;
  body.attestations = {{.alert_index = alert, .verdict = 1, .score_q8 = score_q8}};
  return body;
}

}  // namespace

EvidenceSample::EvidenceSample() {
  const TestNetwork& network = chain_.network();
  RecordIndex first_commitment;
  for (uint64_t i = 0; i < chain_.leaves().size(); ++i) {
    const absl::StatusOr<RecordView> record = DecodeRecord(AsBytes(chain_.leaves()[i]));
    if (!record.ok()) continue;
    if (record->kind == RecordKind::kModelCommitment) first_commitment = RecordIndex(i);
  }
  const RecordIndex second = CommitOne(network.Sign(Model(), "globex/v1"));
  activation = CommitOne(network.Sign(Model(), "acme/v2"));
  const std::string payload = chain_.Payload(ProofSample::kBatch).value();
  const std::vector<ByteSpan> events = SplitPayload(AsBytes(payload)).value();
  alert = CommitOne(network.Sign(AlertOn(0, LeafHash(events[0])), "acme/v0"));
  first_word = CommitOne(network.Sign(Confirm(alert, 3001), "globex/v1"));
  confirmation = CommitOne(network.Sign(Confirm(alert, 3000), "acme/v2"));
  alert_of_other_leaf = CommitOne(network.Sign(AlertOn(1, LeafHash(events[0])), "acme/v0"));
  for (int i = 0; i < 4; ++i) chain_.Commit({});
  of_alert = {ProofSample::kBatch, first_commitment, second, activation, alert,
              first_word,          confirmation};
  for (uint64_t i = 0; i < chain_.leaves().size(); ++i) {
    const absl::StatusOr<RecordView> record = DecodeRecord(AsBytes(chain_.leaves()[i]));
    if (!record.ok()) continue;
    const ProofReport report =
        VerifyProof(policy(), BuildRecordProof(chain_, chain_.Head(), RecordIndex(i)).value());
    if (IsVerified(report.verdict) && report.result->signer == "acme/fw-1")
      of_stream.push_back(RecordIndex(i));
  }
}

RecordIndex EvidenceSample::CommitOne(const Record& record) {
  const RecordIndex index = NextIndex();
  chain_.Commit({record});
  return index;
}

EvidenceWriter EvidenceSample::Writer(const EvidenceQuestion& question) const {
  return EvidenceWriter(question, chain_.Head(), genesis_file());
}

void EvidenceSample::Add(RecordIndex record, const std::set<uint32_t>& items,
                         EvidenceWriter* writer) const {
  const std::string proof = BuildRecordProof(chain_, chain_.Head(), record).value();
  absl::Status status = writer->AddRecord(record, proof);
  VIGIL_CHECK(status.ok(), status.message());
  if (items.empty()) return;
  status = writer->AddEvents(record, AsBytes(chain_.Payload(record).value()), items);
  VIGIL_CHECK(status.ok(), status.message());
}

void EvidenceSample::AddWhole(RecordIndex record, EvidenceWriter* writer) const {
  std::set<uint32_t> items;
  const std::string payload = chain_.Payload(record).value();
  const size_t count = payload.empty() ? 0 : SplitPayload(AsBytes(payload)).value().size();
  for (uint32_t i = 0; i < count; ++i) items.insert(i);
  Add(record, items, writer);
}

std::string EvidenceSample::EventFile() const {
  EvidenceQuestion question;
  question.event = {.record_index = ProofSample::kBatch, .item = ItemIndex(3)};
  EvidenceWriter writer = Writer(question);
  Add(ProofSample::kBatch, {3}, &writer);
  return writer.Finish();
}

std::string EvidenceSample::AlertFile() const { return AlertFileWithout({}); }

std::string EvidenceSample::AlertFileWithout(const std::set<RecordIndex>& left_out) const {
  EvidenceQuestion question;
  question.subject = EvidenceSubject::kAlert;
  question.alert = alert;
  EvidenceWriter writer = Writer(question);
  for (const RecordIndex record : of_alert) {
    if (left_out.contains(record)) continue;
    Add(record, record == ProofSample::kBatch ? std::set<uint32_t>{0} : std::set<uint32_t>(),
        &writer);
  }
  return writer.Finish();
}

std::string EvidenceSample::StreamFile() const {
  EvidenceQuestion question;
  question.subject = EvidenceSubject::kSpan;
  question.to_unix_nano = UINT64_MAX;
  EvidenceWriter writer = Writer(question);
  for (const RecordIndex record : of_stream) AddWhole(record, &writer);
  return writer.Finish();
}

const EvidenceSample& TheEvidence() {
  static const EvidenceSample* const sample = new EvidenceSample;
  return *sample;
}

std::string OneLine(const EvidenceReport& report) {
  std::string line(ProofVerdictName(report.verdict));
  for (const auto& [name, value] : EvidenceFacts(report))
    absl::StrAppend(&line, " ", name, "=", value);
  return line;
}

}  // namespace vigil::ledger
