// Where batches of events go: the seam between reading logs and sending them.
//
// Submitter (client/lib/submitter.h) signs, spools and sends; tests put something simpler here.
#ifndef VIGIL_CLIENT_LIB_BATCH_SINK_H_
#define VIGIL_CLIENT_LIB_BATCH_SINK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace vigil::client {

// A mark beyond this size is refused before anything is signed.
inline constexpr size_t kSourceMarkBytesMax = 1024 * 1024;

// Events to be signed together. Within the limits of a batch (client/lib/batch_builder.h).
struct EventBatch {
  std::vector<std::string> events;
  uint64_t first_time_unix_nano = 0;
  uint64_t last_time_unix_nano = 0;
  // Where the source stands once these events are safe. Opaque to the sink, which keeps it beside
  // the batch and hands it to the SourceMarkKeeper.
  std::string source_mark;
};

// Makes marks durable, in the order of their batches. When it returns OK the marks have been
// synced: the sink then forgets the batches. A later mark replaces earlier ones of the same source.
using SourceMarkKeeper = std::function<absl::Status(const std::vector<std::string>& marks)>;

// What a sink has done since it was made.
struct DeliveryStats {
  uint64_t batches_delivered = 0;  // Acknowledged at the level that was asked for.
  uint64_t events_delivered = 0;
  uint64_t duplicates = 0;      // Of those: batches that the chain already had.
  uint64_t events_spooled = 0;  // Signed and synced here.
  uint64_t bytes_spooled = 0;
  uint64_t events_dropped = 0;  // Refused for want of spool space, and recorded in a gap.
  uint64_t retries = 0;
  uint64_t last_height = 0;  // Of the newest acknowledgement.
};

// Belongs to one thread.
class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // Takes over `batch`: when it returns OK, the events will be delivered exactly once, also after a
  // crash. Blocks while there is no room.
  // Errors: kInvalidArgument: the mark is too large; nothing was signed. kFailedPrecondition and
  // kPermissionDenied cannot be retried; kUnavailable means that no
  // validator could be reached for as long as the sink was told to try; others as the disk gives.
  virtual absl::Status Submit(EventBatch batch) = 0;
  // Sends and receives what can be without waiting.
  virtual absl::Status Poll() = 0;
  // Waits until everything taken has been acknowledged. Errors as Submit.
  virtual absl::Status Flush() = 0;
  virtual DeliveryStats stats() const = 0;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_BATCH_SINK_H_
