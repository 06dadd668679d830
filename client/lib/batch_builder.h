// Packs encoded events into batches: up to a number, a size, or an age.
//
// Pure but for the clock; belongs to one thread.
#ifndef VIGIL_CLIENT_LIB_BATCH_BUILDER_H_
#define VIGIL_CLIENT_LIB_BATCH_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/lib/batch_sink.h"
#include "client/lib/event_encoder.h"
#include "ledger/base/clock.h"
#include "ledger/base/limits.h"

namespace vigil::client {

struct BatchLimits {
  uint32_t items_max = 1000;              // 1 to kBatchItemsMax.
  size_t payload_bytes_max = 512 * 1024;  // With the size table; 32 KiB to kPayloadBytesMax.
  int64_t delay_millis_max = 500;         // Age of the oldest event that makes a batch due.
};

// Errors: kInvalidArgument naming the limit and its range.
absl::Status CheckBatchLimits(const BatchLimits& limits);

class BatchBuilder {
 public:
  // REQUIRES: CheckBatchLimits(limits).ok(). `clock` must outlive the builder.
  BatchBuilder(const BatchLimits& limits, const Clock* clock) : limits_(limits), clock_(clock) {}

  // Whether an event of `size` bytes still fits; if not, Take() first.
  bool Fits(size_t size) const;
  // REQUIRES: Fits(event.bytes.size()).
  void Add(EncodedEvent event);

  bool empty() const { return batch_.events.empty(); }
  size_t size() const { return batch_.events.size(); }
  // True when the number is reached or the oldest event has waited long enough.
  bool IsDue() const;
  // The batch so far; the builder starts afresh. REQUIRES: !empty().
  EventBatch Take(std::string source_mark);

 private:
  const BatchLimits limits_;
  const Clock* const clock_;
  EventBatch batch_;
  size_t payload_bytes_ = 4;
  int64_t first_added_micros_ = 0;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_BATCH_BUILDER_H_
