#include "node/mempool/mempool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"

namespace vigil::node {
namespace {

using ledger::kLaneCount;
using RecordPtr = std::shared_ptr<const ledger::Record>;

// What a record costs in memory besides its bytes.
constexpr size_t kEntryBytes = 512;
// Share of a block that a lane may fill before lanes below it had theirs, in 1/1000. What is left
// over goes to whoever has more, highest lane first.
constexpr std::array<size_t, kLaneCount> kLaneSharePermille = {100, 300, 600};
constexpr uint32_t kForwardBackoffShiftMax = 4;

}  // namespace

std::string StreamName(absl::string_view identity, absl::string_view stream) {
  return absl::StrCat(identity, absl::string_view("\0", 1), stream);
}

Mempool::Mempool(const MempoolLimits& limits, HeadSource executed_head)
    : limits_(limits), executed_head_(std::move(executed_head)) {}

AddOutcome Mempool::Add(PoolRecord record, int64_t now_micros) {
  const auto known = tickets_.find(record.leaf_hash);
  if (known != tickets_.end()) {
    Entry& entry = entries_.at(known->second);
    // A client of ours sent what a peer had forwarded: from now on it is ours to see through.
    if (record.local && !entry.pooled.local) {
      entry.pooled.local = true;
      unsent_.insert(known->second);
    }
    return AddOutcome::kDuplicate;
  }
  const size_t bytes = record.record->leaf.size() + record.record->payload.size() + kEntryBytes;
  const auto lane = static_cast<size_t>(record.lane);
  if (lane_bytes_[lane] + bytes > limits_.lane_bytes_max[lane]) return AddOutcome::kLaneFull;

  const uint64_t ticket = next_ticket_;
  if (record.place.has_value()) {
    const AddOutcome outcome = AddToStream(record, ticket);
    if (outcome != AddOutcome::kAdded) return outcome;
  }
  ++next_ticket_;
  lane_bytes_[lane] += bytes;
  waiting_bytes_ += bytes;
  tickets_[record.leaf_hash] = ticket;
  if (record.local) unsent_.insert(ticket);
  Entry entry;
  entry.pooled = std::move(record);
  entry.bytes = bytes;
  entry.arrived_micros = now_micros;
  const Entry& added = entries_.emplace(ticket, std::move(entry)).first->second;
  if (added.pooled.place.has_value()) {
    RefreshReady(added.pooled.place->name);
  } else {
    ready_[lane].insert(ticket);
  }
  return AddOutcome::kAdded;
}

StreamQueue* Mempool::QueueOf(const std::string& stream) {
  auto found = streams_.find(stream);
  if (found == streams_.end()) {
    found = streams_.emplace(stream, StreamQueue(executed_head_(stream))).first;
  }
  return &found->second;
}

AddOutcome Mempool::AddToStream(const PoolRecord& record, uint64_t ticket) {
  const StreamPlace& place = *record.place;
  StreamQueue* queue = QueueOf(place.name);
  const uint64_t head = queue->executed().sequence;
  AddOutcome outcome = AddOutcome::kAdded;
  if (place.sequence <= head) {
    outcome = AddOutcome::kPassed;
  } else if (place.sequence - head > limits_.stream_ahead_max) {
    outcome = AddOutcome::kTooFar;
  } else if (place.sequence == head + 1 && place.previous != queue->executed().leaf_hash) {
    outcome = AddOutcome::kConflict;
  } else if (!queue->Add(
                 place.sequence,
                 {.ticket = ticket, .leaf_hash = record.leaf_hash, .previous = place.previous})) {
    outcome = AddOutcome::kConflict;
  }
  if (outcome != AddOutcome::kAdded) RefreshReady(place.name);
  return outcome;
}

void Mempool::RefreshReady(const std::string& stream) {
  const auto queue = streams_.find(stream);
  const StreamQueue::Item* next = queue == streams_.end() ? nullptr : queue->second.Next();
  const auto listed = ready_of_stream_.find(stream);
  if (listed != ready_of_stream_.end() && (next == nullptr || listed->second != next->ticket)) {
    for (std::set<uint64_t>& lane : ready_) lane.erase(listed->second);
    ready_of_stream_.erase(listed);
  }
  if (next != nullptr) {
    ready_[static_cast<size_t>(entries_.at(next->ticket).pooled.lane)].insert(next->ticket);
    ready_of_stream_[stream] = next->ticket;
  }
  if (queue != streams_.end() && queue->second.items().empty()) streams_.erase(queue);
}

bool Mempool::has_ready() const {
  return std::any_of(ready_.begin(), ready_.end(), [](const auto& lane) { return !lane.empty(); });
}

std::vector<RecordPtr> Mempool::TakeForBlock(size_t bytes_max, size_t count_max,
                                             size_t overhead_bytes) {
  std::vector<RecordPtr> taken;
  size_t bytes_left = bytes_max;
  for (size_t lane = 0; lane < kLaneCount; ++lane) {
    const size_t share = bytes_max / 1000 * kLaneSharePermille[lane];
    TakeLane(lane, share, overhead_bytes, count_max, &bytes_left, &taken);
  }
  for (size_t lane = 0; lane < kLaneCount; ++lane) {
    TakeLane(lane, bytes_left, overhead_bytes, count_max, &bytes_left, &taken);
  }
  return taken;
}

void Mempool::TakeLane(size_t lane, size_t lane_bytes_max, size_t overhead_bytes, size_t count_max,
                       size_t* bytes_left, std::vector<RecordPtr>* taken) {
  size_t lane_bytes = 0;
  // A record larger than the lane's share still goes, alone, if the block has room.
  while (!ready_[lane].empty() && taken->size() < count_max) {
    Entry& entry = entries_.at(*ready_[lane].begin());
    const ledger::Record& record = *entry.pooled.record;
    const size_t bytes = record.leaf.size() + record.payload.size() + overhead_bytes;
    if (bytes > *bytes_left || (lane_bytes > 0 && lane_bytes + bytes > lane_bytes_max)) return;
    lane_bytes += bytes;
    *bytes_left -= bytes;
    taken->push_back(entry.pooled.record);
    MarkInFlight(&entry);
  }
}

void Mempool::MarkInFlight(Entry* entry) {
  entry->in_flight = true;
  waiting_bytes_ -= entry->bytes;
  const PoolRecord& pooled = entry->pooled;
  ready_[static_cast<size_t>(pooled.lane)].erase(tickets_.at(pooled.leaf_hash));
  if (pooled.place.has_value()) {
    ready_of_stream_.erase(pooled.place->name);
    streams_.at(pooled.place->name).Advance();
    RefreshReady(pooled.place->name);
  }
  if (!pooled.resets.empty()) {
    const auto stream = streams_.find(pooled.resets);
    if (stream != streams_.end()) {
      stream->second.Freeze();
      RefreshReady(pooled.resets);
    }
  }
}

void Mempool::ResetInFlight() {
  for (auto& [ticket, entry] : entries_) {
    if (!entry.in_flight) continue;
    entry.in_flight = false;
    waiting_bytes_ += entry.bytes;
    if (!entry.pooled.place.has_value()) {
      ready_[static_cast<size_t>(entry.pooled.lane)].insert(ticket);
    }
  }
  std::vector<std::string> names;
  for (auto& [name, queue] : streams_) {
    queue.Rewind();
    names.push_back(name);
  }
  for (const std::string& name : names) RefreshReady(name);
}

void Mempool::Erase(Entries::iterator entry) {
  const uint64_t ticket = entry->first;
  const PoolRecord& pooled = entry->second.pooled;
  lane_bytes_[static_cast<size_t>(pooled.lane)] -= entry->second.bytes;
  if (!entry->second.in_flight) waiting_bytes_ -= entry->second.bytes;
  tickets_.erase(pooled.leaf_hash);
  unsent_.erase(ticket);
  sent_.erase({entry->second.forward_expires_micros, ticket});
  ready_[static_cast<size_t>(pooled.lane)].erase(ticket);
  const std::optional<StreamPlace> place = pooled.place;
  entries_.erase(entry);
  if (!place.has_value()) return;
  const auto listed = ready_of_stream_.find(place->name);
  if (listed != ready_of_stream_.end() && listed->second == ticket) ready_of_stream_.erase(listed);
  const auto queue = streams_.find(place->name);
  if (queue == streams_.end()) return;
  const StreamQueue::Item* item = queue->second.Find(place->sequence);
  if (item != nullptr && item->ticket == ticket) queue->second.Remove(place->sequence);
  RefreshReady(place->name);
}

void Mempool::Evict(const std::vector<StreamQueue::Item>& items, const StreamHeadAt& head,
                    std::vector<EvictedRecord>* evicted) {
  for (const StreamQueue::Item& item : items) {
    const auto entry = entries_.find(item.ticket);
    if (entry == entries_.end()) continue;
    evicted->push_back({.why = EvictedRecord::Why::kConflict,
                        .leaf_hash = item.leaf_hash,
                        .sequence = entry->second.pooled.place->sequence,
                        .local = entry->second.pooled.local,
                        .head = head});
    Erase(entry);
  }
}

void Mempool::MoveHead(const std::string& stream, const StreamHeadAt& head, bool reset,
                       std::vector<EvictedRecord>* evicted) {
  const auto queue = streams_.find(stream);
  if (queue == streams_.end()) return;
  if (reset) queue->second.OnReset(head);
  std::vector<StreamQueue::Item> impossible = queue->second.OnExecuted(head);
  // What names another previous record than the new head can never follow it.
  const StreamQueue::Item* next = queue->second.Find(head.sequence + 1);
  if (next != nullptr && next->previous != head.leaf_hash) impossible.push_back(*next);
  Evict(impossible, head, evicted);
  RefreshReady(stream);
}

std::vector<EvictedRecord> Mempool::OnExecuted(const std::vector<ExecutedRecord>& records) {
  std::vector<EvictedRecord> evicted;
  for (const ExecutedRecord& record : records) {
    Remove(record.leaf_hash);
    if (record.place.has_value()) {
      const StreamHeadAt head = {.sequence = record.place->sequence, .leaf_hash = record.leaf_hash};
      MoveHead(record.place->name, head, /*reset=*/false, &evicted);
    }
    if (!record.resets.empty()) {
      MoveHead(record.resets, executed_head_(record.resets), /*reset=*/true, &evicted);
    }
  }
  return evicted;
}

void Mempool::DropForeign() {
  std::vector<uint64_t> foreign;
  for (const auto& [ticket, entry] : entries_) {
    if (!entry.pooled.local) foreign.push_back(ticket);
  }
  for (const uint64_t ticket : foreign) Erase(entries_.find(ticket));
}

bool Mempool::Remove(const Hash& leaf_hash) {
  const auto known = tickets_.find(leaf_hash);
  if (known == tickets_.end()) return false;
  Erase(entries_.find(known->second));
  return true;
}

std::vector<EvictedRecord> Mempool::ExpireHeld(int64_t now_micros) {
  std::vector<EvictedRecord> evicted;
  std::vector<uint64_t> expired;
  for (const auto& [name, queue] : streams_) {
    uint64_t last_expired = 0;
    for (const auto& [sequence, item] : queue.items()) {
      const Entry& entry = entries_.at(item.ticket);
      if (entry.in_flight || entry.arrived_micros + limits_.hold_micros_max > now_micros) continue;
      // Only what has a hole before it: the predecessor is neither executed nor here.
      const bool follows = queue.Find(sequence - 1) != nullptr && sequence - 1 != last_expired;
      if (sequence <= queue.branch().sequence + 1 || follows) continue;
      evicted.push_back({.why = EvictedRecord::Why::kGap,
                         .leaf_hash = item.leaf_hash,
                         .sequence = sequence,
                         .local = entry.pooled.local,
                         .head = queue.executed()});
      expired.push_back(item.ticket);
      last_expired = sequence;
    }
  }
  for (const uint64_t ticket : expired) Erase(entries_.find(ticket));
  return evicted;
}

std::vector<RecordPtr> Mempool::PeekForwards(size_t bytes_max, size_t count_max) const {
  std::vector<RecordPtr> records;
  size_t bytes = 0;
  for (const uint64_t ticket : unsent_) {
    const RecordPtr& record = entries_.at(ticket).pooled.record;
    bytes += record->leaf.size() + record->payload.size();
    if (!records.empty() && bytes > bytes_max) break;
    if (records.size() == count_max) break;
    records.push_back(record);
  }
  return records;
}

void Mempool::MarkForwarded(size_t count, int64_t now_micros) {
  for (size_t i = 0; i < count; ++i) {
    VIGIL_CHECK(!unsent_.empty(), "forwarded ", count, " records, ", i, " were waiting");
    const uint64_t ticket = *unsent_.begin();
    unsent_.erase(unsent_.begin());
    Entry& entry = entries_.at(ticket);
    const uint32_t shift = std::min(entry.forward_count++, kForwardBackoffShiftMax);
    entry.forward_expires_micros = now_micros + (limits_.forward_retry_micros << shift);
    sent_.insert({entry.forward_expires_micros, ticket});
  }
}

void Mempool::ExpireForwards(int64_t now_micros) {
  while (!sent_.empty() && sent_.begin()->first <= now_micros) {
    const uint64_t ticket = sent_.begin()->second;
    sent_.erase(sent_.begin());
    entries_.at(ticket).forward_expires_micros = 0;
    unsent_.insert(ticket);
  }
}

void Mempool::ResetForwards() {
  for (const auto& [expiry, ticket] : sent_) {
    Entry& entry = entries_.at(ticket);
    entry.forward_expires_micros = 0;
    entry.forward_count = 0;
    unsent_.insert(ticket);
  }
  sent_.clear();
}

std::optional<int64_t> Mempool::NextForwardExpiry() const {
  if (sent_.empty()) return std::nullopt;
  return sent_.begin()->first;
}

}  // namespace vigil::node
