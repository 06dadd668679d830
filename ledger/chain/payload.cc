#include "ledger/chain/payload.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/scanner.h"
#include "ledger/log/merkle.h"

namespace vigil::ledger {
namespace {

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("payload: ", parts...));
}

// Scans every event and compares the span of their times with the batch's.
absl::Status CheckEvents(const EventBatchBody& batch, const std::vector<ByteSpan>& events,
                         std::vector<EventView>* views) {
  EventView local;
  uint64_t first = std::numeric_limits<uint64_t>::max();
  uint64_t last = 0;
  if (views != nullptr) views->resize(events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    EventView* const view = views != nullptr ? &(*views)[i] : &local;
    const absl::Status status = ScanEvent(events[i], view);
    if (!status.ok()) return Annotate(status, absl::StrCat("payload: item ", i));
    first = std::min(first, view->time_unix_nano);
    last = std::max(last, view->time_unix_nano);
  }
  if (first != batch.first_time_unix_nano || last != batch.last_time_unix_nano) {
    return Invalid("events from ", first, " to ", last, " ns, the batch says ",
                   batch.first_time_unix_nano, " to ", batch.last_time_unix_nano);
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodePayload(const std::vector<std::string>& events) {
  std::string payload;
  size_t size = 4 + 4 * events.size();
  for (const std::string& event : events) size += event.size();
  payload.reserve(size);
  ByteWriter writer(&payload);
  writer.U32(static_cast<uint32_t>(events.size()));
  for (const std::string& event : events) writer.U32(static_cast<uint32_t>(event.size()));
  for (const std::string& event : events) writer.Raw(event);
  return payload;
}

absl::StatusOr<std::vector<ByteSpan>> SplitPayload(ByteSpan payload) {
  if (payload.size() > kPayloadBytesMax) {
    return Invalid(payload.size(), " bytes, at most ", kPayloadBytesMax);
  }
  ByteReader reader(payload);
  const uint32_t count = reader.U32();
  if (!reader.ok()) return Invalid(payload.size(), " bytes, at least 4");
  if (count == 0 || count > kBatchItemsMax) {
    return Invalid(count, " items, from 1 to ", kBatchItemsMax);
  }
  ByteReader sizes(reader.Raw(size_t{4} * count));
  if (!reader.ok()) return Invalid("ends inside the size table of ", count, " items");
  std::vector<ByteSpan> events;
  events.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t size = sizes.U32();
    if (size == 0 || size > kEventBytesMax) {
      return Invalid("item ", i, ": ", size, " bytes, from 1 to ", kEventBytesMax);
    }
    const size_t left = reader.remaining();
    events.push_back(reader.Raw(size));
    if (!reader.ok()) return Invalid("item ", i, ": ", size, " bytes, only ", left, " left");
  }
  RETURN_IF_ERROR(reader.Finish("payload"));
  return events;
}

Hash ItemsRoot(const std::vector<ByteSpan>& events) {
  std::vector<Hash> leaves;
  leaves.reserve(events.size());
  for (ByteSpan event : events) leaves.push_back(LeafHash(event));
  return MerkleRoot(leaves);
}

absl::Status CheckEventLeaves(const EventBatchBody& batch, ByteSpan event_leaves) {
  if (event_leaves.size() != size_t{batch.item_count} * Hash::size()) {
    return Invalid(event_leaves.size(), " bytes of event hashes, the batch says ", batch.item_count,
                   " items");
  }
  std::vector<Hash> leaves;
  leaves.reserve(batch.item_count);
  ByteReader reader(event_leaves);
  for (uint32_t i = 0; i < batch.item_count; ++i) leaves.push_back(reader.ReadHash());
  const Hash root = MerkleRoot(leaves);
  if (root == batch.items_root) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("payload: items root ", root.ToHex(),
                                          " of the event hashes, the batch says ",
                                          batch.items_root.ToHex()));
}

absl::Status CheckPayload(const EventBatchBody& batch, ByteSpan payload,
                          std::vector<EventView>* views) {
  if (payload.size() != batch.payload_bytes) {
    return Invalid(payload.size(), " bytes, the batch says ", batch.payload_bytes);
  }
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, SplitPayload(payload));
  if (events.size() != batch.item_count) {
    return Invalid(events.size(), " items, the batch says ", batch.item_count);
  }
  const Hash root = ItemsRoot(events);
  if (root != batch.items_root) {
    return absl::DataLossError(absl::StrCat("payload: items root ", root.ToHex(),
                                            ", the batch says ", batch.items_root.ToHex()));
  }
  return CheckEvents(batch, events, views);
}

}  // namespace vigil::ledger
