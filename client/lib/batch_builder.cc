#include "client/lib/batch_builder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"

namespace vigil::client {
namespace {

// An entry of the payload's size table.
constexpr size_t kItemOverheadBytes = 4;
constexpr size_t kPayloadBytesLeast = 32 * 1024;

}  // namespace

absl::Status CheckBatchLimits(const BatchLimits& limits) {
  if (limits.items_max < 1 || limits.items_max > kBatchItemsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch of ", limits.items_max, " events, from 1 to ", kBatchItemsMax));
  }
  if (limits.payload_bytes_max < kPayloadBytesLeast ||
      limits.payload_bytes_max > kPayloadBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("batch of ", limits.payload_bytes_max,
                                                   " bytes, from ", kPayloadBytesLeast, " to ",
                                                   kPayloadBytesMax));
  }
  if (limits.delay_millis_max < 1 || limits.delay_millis_max > 3'600'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch delay of ", limits.delay_millis_max, " ms, from 1 to 3600000"));
  }
  return absl::OkStatus();
}

bool BatchBuilder::Fits(size_t size) const {
  return batch_.events.size() < limits_.items_max &&
         payload_bytes_ + kItemOverheadBytes + size <= limits_.payload_bytes_max;
}

void BatchBuilder::Add(EncodedEvent event) {
  VIGIL_CHECK(Fits(event.bytes.size()), "event of ", event.bytes.size(), " bytes after ",
              payload_bytes_, " of ", limits_.payload_bytes_max);
  const uint64_t time = event.time_unix_nano;
  if (batch_.events.empty()) {
    batch_.events.reserve(limits_.items_max);
    first_added_micros_ = clock_->MonotonicMicros();
    batch_.first_time_unix_nano = time;
    batch_.last_time_unix_nano = time;
  }
  batch_.first_time_unix_nano = std::min(batch_.first_time_unix_nano, time);
  batch_.last_time_unix_nano = std::max(batch_.last_time_unix_nano, time);
  payload_bytes_ += kItemOverheadBytes + event.bytes.size();
  batch_.events.push_back(std::move(event.bytes));
}

bool BatchBuilder::IsDue() const {
  if (batch_.events.empty()) return false;
  if (batch_.events.size() >= limits_.items_max) return true;
  return clock_->MonotonicMicros() - first_added_micros_ >= limits_.delay_millis_max * 1000;
}

EventBatch BatchBuilder::Take(std::string source_mark) {
  VIGIL_CHECK(!batch_.events.empty());
  EventBatch taken = std::exchange(batch_, EventBatch());
  taken.source_mark = std::move(source_mark);
  payload_bytes_ = 4;
  return taken;
}

}  // namespace vigil::client
