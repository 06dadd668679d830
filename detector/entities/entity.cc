#include "detector/entities/entity.h"

#include <algorithm>
#include <limits>

#include "detector/features/require.h"
#include "detector/features/schema.h"

namespace vigil::detector {
namespace {

template <typename Number>
void AddUpTo(Number* sum, uint64_t more) {
  constexpr uint64_t kMax = std::numeric_limits<Number>::max();
  *sum = more > kMax - *sum ? static_cast<Number>(kMax) : static_cast<Number>(*sum + more);
}

}  // namespace

SetCapacities CapacitiesOf(EntityKind kind) {
  switch (kind) {
    case EntityKind::kSource:
      return {.peers = 64, .ports = 64, .names = 64};
    case EntityKind::kDestination:
    case EntityKind::kPort:
    case EntityKind::kHost:
      return {.peers = 64, .ports = 64, .names = 0};
    case EntityKind::kPair:
      return {.peers = 16, .ports = 64, .names = 0};
    case EntityKind::kUser:
      break;
  }
  return {.peers = 64, .ports = 16, .names = 0};
}

void Entity::Add(const Sighting& sighting) {
  if (sightings_ == 0) {
    first_millis_ = latest_millis_ = visit_millis_ = sighting.millis;
  } else {
    AddInterval(sighting.millis);
  }
  first_millis_ = std::min(first_millis_, sighting.millis);
  MoveTo(sighting.millis);
  AddUpTo(&sightings_, 1);
  AddUpTo(&events_, sighting.count);
  if (sighting.failed) AddUpTo(&failed_, sighting.count);
  AddUpTo(&bytes_out_, sighting.bytes_out);
  AddToRings(sighting);
  AddPeer(sighting);
  const SetCapacities capacities = CapacitiesOf(kind_);
  if (sighting.port != kMissing) ports_.Touch(sighting.port, sighting.millis, capacities.ports);
  if (sighting.name != kMissing && capacities.names > 0) {
    names_.Touch(sighting.name, sighting.millis, capacities.names);
  }
}

// Empties the slots that the windows leave behind when they come to end at `millis`.
void Entity::MoveTo(uint64_t millis) {
  if (millis <= latest_millis_) return;
  for (size_t span = 0; span < kSpans.size(); ++span) {
    const uint64_t from = latest_millis_ / kSlotMillis[span];
    const uint64_t steps = std::min<uint64_t>(millis / kSlotMillis[span] - from, kSlots);
    for (uint64_t step = 1; step <= steps; ++step) rings_[span][(from + step) % kSlots] = Slot();
    if (steps == kSlots) rings_[span] = Ring{};
  }
  latest_millis_ = millis;
}

void Entity::AddToRings(const Sighting& sighting) {
  for (size_t span = 0; span < kSpans.size(); ++span) {
    const uint64_t tick = sighting.millis / kSlotMillis[span];
    const bool is_late = tick + kSlots <= latest_millis_ / kSlotMillis[span];
    if (is_late) continue;
    Slot& slot = rings_[span][tick % kSlots];
    AddUpTo(&slot.events, sighting.count);
    if (sighting.failed) AddUpTo(&slot.failed, sighting.count);
    if (sighting.logon_failed) AddUpTo(&slot.logon_failures, sighting.count);
    AddUpTo(&slot.bytes_out, sighting.bytes_out);
  }
}

// Only what comes in order has an interval.
void Entity::AddInterval(uint64_t millis) {
  if (kind_ != EntityKind::kPair || millis < visit_millis_ + kIntervalMillisMin) return;
  const uint64_t interval =
      std::min<uint64_t>(millis - visit_millis_, std::numeric_limits<uint32_t>::max());
  if (intervals_.size() == kIntervals) intervals_.erase(intervals_.begin());
  intervals_.push_back(static_cast<uint32_t>(interval));
  visit_millis_ = millis;
}

void Entity::AddPeer(const Sighting& sighting) {
  peer_was_new_ = false;
  new_peer_after_millis_ = 0;
  if (sighting.peer == kMissing) return;
  const bool is_first = peers_.size() == 0;
  const DistinctSet::Seen seen =
      peers_.Touch(sighting.peer, sighting.millis, CapacitiesOf(kind_).peers);
  if (seen == DistinctSet::Seen::kKnown) return;
  peer_was_new_ = seen == DistinctSet::Seen::kNew;
  if (peer_was_new_ && !is_first && sighting.millis > new_peer_millis_) {
    new_peer_after_millis_ = sighting.millis - new_peer_millis_;
  }
  new_peer_millis_ = std::max(new_peer_millis_, sighting.millis);
}

WindowCounts Entity::Window(Span span) const {
  WindowCounts counts;
  for (const Slot& slot : rings_[static_cast<size_t>(span)]) {
    counts.events += slot.events;
    counts.failed += slot.failed;
    counts.logon_failures += slot.logon_failures;
    AddUpTo(&counts.bytes_out, slot.bytes_out);
  }
  const uint64_t length = MillisOf(span);
  if (latest_millis_ < length) {
    // Before the window's length after 1970 nothing is too old.
    counts.peers = static_cast<uint32_t>(peers_.size());
    counts.ports = static_cast<uint32_t>(ports_.size());
    counts.names = static_cast<uint32_t>(names_.size());
    return counts;
  }
  counts.peers = peers_.CountAfter(latest_millis_ - length);
  counts.ports = ports_.CountAfter(latest_millis_ - length);
  counts.names = names_.CountAfter(latest_millis_ - length);
  return counts;
}

Rhythm Entity::rhythm() const {
  Rhythm rhythm;
  if (intervals_.empty()) return rhythm;
  std::vector<uint32_t> sorted = intervals_;
  std::sort(sorted.begin(), sorted.end());
  const uint32_t median = sorted[sorted.size() / 2];
  rhythm.intervals = static_cast<uint32_t>(sorted.size());
  rhythm.median_millis = median;
  for (const uint32_t interval : sorted) {
    const uint32_t apart = interval > median ? interval - median : median - interval;
    if (apart <= median / 8) ++rhythm.regular;
  }
  return rhythm;
}

void Entity::SetMark(const RuleMark& mark) {
  const auto at =
      std::lower_bound(marks_.begin(), marks_.end(), mark.rule,
                       [](const RuleMark& other, uint32_t rule) { return other.rule < rule; });
  if (at != marks_.end() && at->rule == mark.rule) {
    *at = mark;
    return;
  }
  Require(marks_.size() < kRulesPerKindMax, "few enough rules for a kind of entity");
  marks_.insert(at, mark);
}

void Entity::Serialize(LittleEndianWriter* writer) const {
  writer->U64(first_millis_).U64(latest_millis_).U64(sightings_).U64(events_);
  writer->U64(failed_).U64(bytes_out_).U64(new_peer_millis_).U64(visit_millis_);
  for (const Ring& ring : rings_) {
    uint8_t used = 0;
    for (size_t i = 0; i < kSlots; ++i) {
      if (ring[i] != Slot()) used = static_cast<uint8_t>(used | 1u << i);
    }
    writer->U8(used);
    for (const Slot& slot : ring) {
      if (slot == Slot()) continue;
      writer->U32(slot.events).U32(slot.failed).U32(slot.logon_failures).U64(slot.bytes_out);
    }
  }
  peers_.Serialize(writer);
  ports_.Serialize(writer);
  names_.Serialize(writer);
  writer->U8(static_cast<uint8_t>(intervals_.size()));
  for (const uint32_t interval : intervals_) writer->U32(interval);
  writer->U8(static_cast<uint8_t>(marks_.size()));
  for (const RuleMark& mark : marks_) {
    writer->U32(mark.rule).U64(mark.millis).U64(mark.record_index).U32(mark.item);
  }
}

bool Entity::Parse(LittleEndianReader* reader) {
  first_millis_ = reader->U64();
  latest_millis_ = reader->U64();
  sightings_ = reader->U64();
  events_ = reader->U64();
  failed_ = reader->U64();
  bytes_out_ = reader->U64();
  new_peer_millis_ = reader->U64();
  visit_millis_ = reader->U64();
  if (first_millis_ > latest_millis_ || sightings_ == 0 || events_ < sightings_ ||
      failed_ > events_ || new_peer_millis_ > latest_millis_ || visit_millis_ > latest_millis_) {
    return false;
  }
  const SetCapacities capacities = CapacitiesOf(kind_);
  return ParseRings(reader) && peers_.Parse(reader, capacities.peers, latest_millis_) &&
         ports_.Parse(reader, capacities.ports, latest_millis_) &&
         names_.Parse(reader, capacities.names, latest_millis_) && ParseMarks(reader);
}

bool Entity::ParseRings(LittleEndianReader* reader) {
  for (Ring& ring : rings_) {
    const uint8_t used = reader->U8();
    for (size_t i = 0; i < kSlots; ++i) {
      if ((used >> i & 1) == 0) continue;
      ring[i].events = reader->U32();
      ring[i].failed = reader->U32();
      ring[i].logon_failures = reader->U32();
      ring[i].bytes_out = reader->U64();
      if (ring[i] == Slot()) return false;
    }
  }
  return reader->ok();
}

bool Entity::ParseMarks(LittleEndianReader* reader) {
  const size_t intervals = reader->U8();
  const size_t intervals_max = kind_ == EntityKind::kPair ? kIntervals : 0;
  if (intervals > intervals_max || !reader->CanHold(intervals, 4)) return false;
  for (size_t i = 0; i < intervals; ++i) {
    intervals_.push_back(reader->U32());
    if (intervals_.back() < kIntervalMillisMin) return false;
  }
  const size_t marks = reader->U8();
  if (marks > kRulesPerKindMax) return false;
  for (size_t i = 0; i < marks; ++i) {
    const RuleMark mark{.rule = reader->U32(),
                        .millis = reader->U64(),
                        .record_index = reader->U64(),
                        .item = reader->U32()};
    if (mark.rule == 0 || mark.millis > latest_millis_) return false;
    if (i > 0 && mark.rule <= marks_.back().rule) return false;
    marks_.push_back(mark);
  }
  return reader->ok();
}

}  // namespace vigil::detector
