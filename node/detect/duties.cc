#include "node/detect/duties.h"

#include <algorithm>

#include "ledger/crypto/sha256.h"

namespace vigil::node {
namespace {

constexpr uint16_t kFormat = 5;

Hash OrderKey(const Hash& block_hash, const ledger::EventRef& event, uint32_t validator) {
  std::string bytes;
  ByteWriter(&bytes)
      .Fixed(block_hash)
      .U64(event.record_index.value())
      .U32(event.item.value())
      .U32(validator);
  return ledger::Sha256(AsBytes(bytes));
}

}  // namespace

uint32_t ProposerRank(const Hash& block_hash, const ledger::EventRef& event, ValidatorIndex self,
                      uint32_t validator_count) {
  const Hash own = OrderKey(block_hash, event, self.value());
  uint32_t rank = 0;
  for (uint32_t other = 0; other < validator_count; ++other) {
    if (other != self.value() && OrderKey(block_hash, event, other) < own) ++rank;
  }
  return rank;
}

bool Duties::IsFull(Height height) const {
  if (judgements.size() >= kDutiesMax) return true;
  if (proposals.size() < kDutiesMax) return false;
  // What is not due yet waits for further blocks, so it must not keep them out.
  const auto due = std::count_if(proposals.begin(), proposals.end(), [&](const auto& proposal) {
    return proposal.second.due <= height;
  });
  return static_cast<size_t>(due) >= kDutiesMax;
}

std::string Duties::Encode() const {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U16(kFormat).U32(static_cast<uint32_t>(proposals.size()));
  for (const auto& [key, duty] : proposals) {
    writer.U64(key.event.record_index.value()).U32(key.event.item.value());
    writer.Fixed(key.model_digest).U64(duty.height.value()).U64(duty.due.value());
    writer.U32(duty.event_type).U64(duty.period).U32(duty.rule);
  }
  writer.U32(static_cast<uint32_t>(judgements.size()));
  for (const auto& [alert, duty] : judgements) {
    writer.U64(alert.value()).U64(duty.height.value());
  }
  writer.U32(static_cast<uint32_t>(commitments.size()));
  for (const auto& [key, duty] : commitments) {
    writer.U64(key.period).U32(key.event_type).U64(duty.window_end.value());
    writer.Fixed(duty.model_digest)
        .Fixed(duty.window_digest)
        .U32(duty.row_count)
        .U32(duty.threshold_q8)
        .U64(duty.event_count)
        .U64(duty.drift_period)
        .U8(static_cast<uint8_t>(duty.drifted.size()));
    for (const ledger::DriftedFeature& drifted : duty.drifted) {
      writer.U32(drifted.feature).U32(drifted.psi_q8);
    }
  }
  writer.U32(static_cast<uint32_t>(accusations.size()));
  for (const auto& [alert, duty] : accusations) {
    writer.U64(alert.value()).U64(duty.height.value()).U64(duty.due.value());
  }
  return bytes;
}

std::optional<Duties> Duties::Decode(absl::string_view bytes) {
  ByteReader reader(bytes);
  Duties duties;
  if (reader.U16() != kFormat) return std::nullopt;
  for (uint32_t left = reader.U32(); left > 0 && reader.ok(); --left) {
    ProposeKey key;
    key.event.record_index = RecordIndex(reader.U64());
    key.event.item = ItemIndex(reader.U32());
    key.model_digest = reader.ReadHash();
    ProposeDuty& duty = duties.proposals[key];
    duty.height = Height(reader.U64());
    duty.due = Height(reader.U64());
    duty.event_type = reader.U32();
    duty.period = reader.U64();
    duty.rule = reader.U32();
  }
  for (uint32_t left = reader.U32(); left > 0 && reader.ok(); --left) {
    const RecordIndex alert(reader.U64());
    duties.judgements[alert].height = Height(reader.U64());
  }
  for (uint32_t left = reader.U32(); left > 0 && reader.ok(); --left) {
    CommitKey key;
    key.period = reader.U64();
    key.event_type = reader.U32();
    CommitDuty& duty = duties.commitments[key];
    duty.window_end = Height(reader.U64());
    duty.model_digest = reader.ReadHash();
    duty.window_digest = reader.ReadHash();
    duty.row_count = reader.U32();
    duty.threshold_q8 = reader.U32();
    duty.event_count = reader.U64();
    duty.drift_period = reader.U64();
    for (uint32_t drifted = reader.U8(); drifted > 0 && reader.ok(); --drifted) {
      const uint32_t feature = reader.U32();
      duty.drifted.push_back({.feature = feature, .psi_q8 = reader.U32()});
    }
  }
  for (uint32_t left = reader.U32(); left > 0 && reader.ok(); --left) {
    AccuseDuty& duty = duties.accusations[RecordIndex(reader.U64())];
    duty.height = Height(reader.U64());
    duty.due = Height(reader.U64());
  }
  if (!reader.Finish("duties").ok()) return std::nullopt;
  return duties;
}

}  // namespace vigil::node
