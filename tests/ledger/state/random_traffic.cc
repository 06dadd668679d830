#include "tests/ledger/state/random_traffic.h"

#include "ledger/log/merkle.h"

namespace vigil::ledger {

RandomTraffic::RandomTraffic(const TestNetwork* network, uint64_t seed)
    : network_(network), random_(seed), identities_({"acme/fw-1", "acme/fw-2", "globex/ids-1"}) {
  for (const std::string& identity : identities_) {
    streams_.emplace_back(network, identity, "conn");
  }
}

Record RandomTraffic::StreamRecord(TestStream* stream) {
  const uint64_t choice = random_.Below(100);
  if (choice < 60) return stream->Batch(static_cast<uint32_t>(1 + random_.Below(4)));
  if (choice < 70) return stream->Heartbeat();
  if (choice < 75) return stream->Gap(1 + random_.Below(100));
  if (choice < 85 && !sent_.empty()) return sent_[random_.Below(sent_.size())];
  // A sequence of its own choosing, not remembered.
  TestStream fork = *stream;
  const uint64_t sequence = random_.Below(stream->sequence() + 3);
  const uint8_t previous = static_cast<uint8_t>(random_.Below(255) + 1);
  fork.Seek(sequence, sequence == 0 ? Hash{} : TestHash(previous));
  return fork.MakeBatch(1);
}

Record RandomTraffic::Reset(size_t stream) {
  StreamResetBody body;
  body.identity = identities_[stream];
  body.stream = "conn";
  body.head_sequence = streams_[stream].sequence();
  body.reason = "disk lost";
  const Record record = network_->Sign(body, random_.Chance(800) ? "acme/root" : "globex/root");
  // The first record of a stream names no previous one.
  if (random_.Chance(700) && streams_[stream].sequence() > 0) {
    streams_[stream].Seek(streams_[stream].sequence(), LeafHash(AsBytes(record.leaf)));
  }
  return record;
}

Record RandomTraffic::Alert() {
  AlertBody body;
  body.event = {RecordIndex(random_.Below(40)), ItemIndex(static_cast<uint32_t>(random_.Below(3)))};
  body.event_type = 1;
  body.period = 1 + random_.Below(period_);
  body.model_digest = TestHash(static_cast<uint8_t>(body.period));
  body.score_q8 = 3000;
  body.threshold_q8 = 2048;
  body.component = 1;
  body.reasons = {{3, 900}, {1, 40}};
  body.event_leaf = TestHash(9);
  const uint32_t count = static_cast<uint32_t>(network_->genesis().validators.size());
  return network_->Sign(body, network_->validator(static_cast<uint32_t>(random_.Below(count))));
}

Record RandomTraffic::Attestation(const Tip& tip) {
  AttestationBody body;
  RecordIndex index(random_.Below(5));
  // Alerts of this very block are left out: what a test computes from two states would miss a row
  // that comes and goes within one block.
  while (index.value() < tip.tree.size() && body.attestations.size() < 40) {
    body.attestations.push_back(
        {.alert_index = index, .verdict = random_.Chance(700) ? 1u : 2u, .score_q8 = 2900});
    index = index + 1 + random_.Below(3);
  }
  body.attestations.push_back({.alert_index = RecordIndex(1'000'000), .verdict = 1, .score_q8 = 1});
  const uint32_t count = static_cast<uint32_t>(network_->genesis().validators.size());
  return network_->Sign(body, network_->validator(static_cast<uint32_t>(random_.Below(count))));
}

Record RandomTraffic::Model() {
  ModelCommitmentBody body;
  body.event_type = 1;
  if (random_.Chance(200)) ++period_;
  body.period = period_;
  body.window_end = Height(1);
  body.model_digest = TestHash(static_cast<uint8_t>(random_.Chance(900) ? body.period : 200));
  body.row_count = 4096;
  body.threshold_q8 = 2048;
  const uint32_t count = static_cast<uint32_t>(network_->genesis().validators.size());
  return network_->Sign(body, network_->validator(static_cast<uint32_t>(random_.Below(count))));
}

std::vector<Record> RandomTraffic::ForBlock(const Tip& tip) {
  std::vector<Record> records;
  const uint64_t count = random_.Below(8);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t choice = random_.Below(100);
    const size_t stream = random_.Below(streams_.size());
    if (choice < 65) {
      records.push_back(StreamRecord(&streams_[stream]));
    } else if (choice < 70) {
      records.push_back(Reset(stream));
    } else if (choice < 80) {
      records.push_back(Model());
    } else if (choice < 92) {
      records.push_back(Alert());
    } else if (choice < 98) {
      records.push_back(Attestation(tip));
    } else {
      HeartbeatBody body;
      body.stream = "conn";
      body.sequence = 1;
      records.push_back(network_->Sign(body, "acme/eve"));  // No sensor.
    }
    sent_.push_back(records.back());
  }
  return records;
}

}  // namespace vigil::ledger
