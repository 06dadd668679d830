#include "client/ingest/event_builder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ingest/value_parsers.h"
#include "ledger/base/limits.h"
#include "ledger/crypto/sha256.h"

namespace vigil::client {
namespace {

// Caps of proto/vigil/v1/event.proto.
constexpr int kPairsMax = 32;
constexpr size_t kPairBytesMax = 8 * 1024;
constexpr size_t kPairKeyBytesMax = 128;
constexpr size_t kPairValueBytesMax = 2048;
constexpr int kObservablesMax = 32;
constexpr size_t kObservableBytesMax = 1024;
constexpr int kMetricsMax = 32;
constexpr size_t kMetricKeyBytesMax = 64;
constexpr int kAttacksMax = 16;
constexpr size_t kAttackBytesMax = 16;
constexpr size_t kRawBytesMax = 8192;

// Room kept for the two pairs that the builder adds itself.
constexpr int kOwnPairs = 2;
constexpr size_t kTruncatedBytesMax = 200;
constexpr size_t kOwnPairBytes = 320;
// Tags and lengths of one pair on the wire, at most.
constexpr size_t kPairOverheadBytes = 10;

}  // namespace

void EventBuilder::Reset() {
  event_.Clear();
  class_uid_ = 0;
  activity_id_ = 0;
  start_unix_nano_ = 0;
  unmapped_bytes_ = 0;
  truncated_.clear();
  repaired_ = false;
}

void EventBuilder::SetText(std::string* field, absl::string_view value, size_t size_max,
                           absl::string_view name) {
  const absl::string_view kept = TruncateUtf8(value, size_max);
  if (kept.size() != value.size()) MarkTruncated(name);
  field->assign(kept.data(), kept.size());
}

bool EventBuilder::TryAddPair(absl::string_view key, absl::string_view value, int pairs_max,
                              size_t bytes_max) {
  const size_t size = key.size() + value.size() + kPairOverheadBytes;
  if (event_.unmapped_size() >= pairs_max || unmapped_bytes_ + size > bytes_max) return false;
  unmapped_bytes_ += size;
  v1::Pair* const pair = event_.add_unmapped();
  pair->set_key(key.data(), key.size());
  pair->set_value(value.data(), value.size());
  return true;
}

void EventBuilder::AddUnmapped(absl::string_view key, absl::string_view value) {
  if (key.empty() || value.empty()) return;
  const absl::string_view kept_key = TruncateUtf8(key, kPairKeyBytesMax);
  const absl::string_view kept = TruncateUtf8(value, kPairValueBytesMax);
  if (kept.size() != value.size() || kept_key.size() != key.size()) MarkTruncated(kept_key);
  if (!TryAddPair(kept_key, kept, kPairsMax - kOwnPairs, kPairBytesMax - kOwnPairBytes)) {
    MarkTruncated("unmapped");
  }
}

void EventBuilder::AddObservable(uint32_t type_id, absl::string_view value) {
  if (value.empty()) return;
  const absl::string_view kept = TruncateUtf8(value, kObservableBytesMax);
  if (kept.size() != value.size()) MarkTruncated("observables");
  for (const v1::Observable& present : event_.observables()) {
    if (present.type_id() == type_id && present.value() == kept) return;
  }
  if (event_.observables_size() >= kObservablesMax) return MarkTruncated("observables");
  v1::Observable* const observable = event_.add_observables();
  observable->set_type_id(type_id);
  observable->set_value(kept.data(), kept.size());
}

void EventBuilder::AddMetric(absl::string_view key, int64_t value_e6) {
  const absl::string_view kept = TruncateUtf8(key, kMetricKeyBytesMax);
  if (kept.empty()) return;
  if (kept.size() != key.size()) MarkTruncated("metrics");
  if (event_.metrics_size() >= kMetricsMax) return MarkTruncated("metrics");
  v1::Metric* const metric = event_.add_metrics();
  metric->set_key(kept.data(), kept.size());
  metric->set_value_e6(value_e6);
}

void EventBuilder::AddAttack(absl::string_view technique) {
  if (technique.empty()) return;
  const absl::string_view kept = TruncateUtf8(technique, kAttackBytesMax);
  if (kept.size() != technique.size()) MarkTruncated("attacks");
  if (event_.attacks_size() >= kAttacksMax) return MarkTruncated("attacks");
  event_.add_attacks(kept.data(), kept.size());
}

void EventBuilder::MarkTruncated(absl::string_view name) {
  if (truncated_.size() + name.size() + 1 > kTruncatedBytesMax) return;
  if (truncated_.size() >= name.size() &&
      absl::string_view(truncated_).substr(truncated_.size() - name.size()) == name) {
    return;  // Already the last one named.
  }
  absl::StrAppend(&truncated_, truncated_.empty() ? "" : ",", name);
}

void EventBuilder::SetRaw(absl::string_view line, RawMode raw_mode) {
  if (raw_mode == RawMode::kNone || line.empty()) return;
  event_.set_raw_size(static_cast<uint32_t>(line.size()));
  if (raw_mode == RawMode::kKeep && line.size() <= kRawBytesMax) {
    event_.set_raw(line.data(), line.size());
    return;
  }
  const auto salt = salts_->Next();
  event_.set_salt(salt.data(), salt.size());
  const Hash commitment = ledger::Sha256({ByteSpan(salt.data(), salt.size()), AsBytes(line)});
  event_.set_raw_commitment(commitment.bytes.data(), Hash::size());
}

// The caps of the fields add up to more than an event may have: the raw line goes first (its
// commitment stays), then unmapped pairs from the last.
void EventBuilder::FitSize() {
  constexpr size_t kSpare = 512;
  if (event_.ByteSizeLong() + kSpare <= kEventBytesMax) return;
  if (!event_.raw().empty()) {
    const std::string line = std::exchange(*event_.mutable_raw(), std::string());
    MarkTruncated("raw");
    SetRaw(line, RawMode::kCommit);
  }
  while (event_.unmapped_size() > 0 && event_.ByteSizeLong() + kSpare > kEventBytesMax) {
    const v1::Pair& last = event_.unmapped(event_.unmapped_size() - 1);
    unmapped_bytes_ -= last.key().size() + last.value().size() + kPairOverheadBytes;
    event_.mutable_unmapped()->RemoveLast();
    MarkTruncated("unmapped");
  }
}

absl::StatusOr<EncodedEvent> EventBuilder::Finish(absl::string_view line, RawMode raw_mode) {
  event_.set_type_uid(uint64_t{class_uid_} * 100 + activity_id_);
  if (start_unix_nano_ != 0 && event_.duration_ns() == 0 &&
      event_.end_time_unix_nano() > start_unix_nano_) {
    event_.set_duration_ns(event_.end_time_unix_nano() - start_unix_nano_);
  }
  SetRaw(line, raw_mode);
  FitSize();
  if (repaired_) TryAddPair(kRepairedKey, "utf-8", kPairsMax, kPairBytesMax);
  if (truncated()) TryAddPair(kTruncatedKey, truncated_, kPairsMax, kPairBytesMax);
  return EncodeEvent(&event_, salts_);
}

}  // namespace vigil::client
