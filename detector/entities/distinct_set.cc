#include "detector/entities/distinct_set.h"

#include <algorithm>

namespace vigil::detector {

DistinctSet::Seen DistinctSet::Touch(int64_t token, uint64_t millis, size_t capacity) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [token](const Entry& entry) { return entry.token == token; });
  if (found != entries_.end()) {
    found->millis = std::max(found->millis, millis);
    return Seen::kKnown;
  }
  const Seen seen = dropped_ ? Seen::kUnknown : Seen::kNew;
  const Entry entry{millis, token};
  if (entries_.size() < capacity) {
    entries_.push_back(entry);
    return seen;
  }
  dropped_ = true;
  const auto least = std::min_element(entries_.begin(), entries_.end());
  if (least != entries_.end() && *least < entry) *least = entry;
  return seen;
}

uint32_t DistinctSet::CountAfter(uint64_t after_millis) const {
  return static_cast<uint32_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [=](const Entry& entry) { return entry.millis > after_millis; }));
}

void DistinctSet::Serialize(LittleEndianWriter* writer) const {
  std::vector<Entry> sorted = entries_;
  std::sort(sorted.begin(), sorted.end());
  writer->U8(dropped_ ? 1 : 0).U16(static_cast<uint16_t>(sorted.size()));
  for (const Entry& entry : sorted) writer->U64(entry.millis).I64(entry.token);
}

bool DistinctSet::Parse(LittleEndianReader* reader, size_t capacity, uint64_t latest_millis) {
  const uint8_t dropped = reader->U8();
  const size_t count = reader->U16();
  if (dropped > 1 || count > capacity || !reader->CanHold(count, 16)) return false;
  // Something is dropped only from a full set.
  if (dropped == 1 && count != capacity) return false;
  dropped_ = dropped == 1;
  entries_.clear();
  std::vector<int64_t> tokens;
  for (size_t i = 0; i < count; ++i) {
    const Entry entry{reader->U64(), reader->I64()};
    if (i > 0 && !(entries_.back() < entry)) return false;
    if (entry.millis > latest_millis) return false;
    entries_.push_back(entry);
    tokens.push_back(entry.token);
  }
  std::sort(tokens.begin(), tokens.end());
  return std::adjacent_find(tokens.begin(), tokens.end()) == tokens.end() && reader->ok();
}

}  // namespace vigil::detector
