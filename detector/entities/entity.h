// What is remembered of one entity: counts over 2 s, 60 s and 1 h, who and what it had to do with,
// when it was seen first and last.
//
// Time is the event's, but never later than its block's: whoever's clock is ahead cannot age what
// others reported. A window ends at the latest time of the entity, so logs of last year are judged
// by their own time. An event that comes late counts where it belongs while that is still in a
// window, and only in the totals after that: order of arrival does not matter inside a window.
//
// Windows slide in eighths: a window of length W covers the eighth with the latest time and the
// seven before it. What lies within 7/8 W of the latest time is always counted, what lies W or more
// back never. Distinct counts are of exactly W, at most the capacity of the set. Counters stop at
// their largest value.
//
// Integers only; a function of the events in their order. Belongs to one thread.
#ifndef VIGIL_DETECTOR_ENTITIES_ENTITY_H_
#define VIGIL_DETECTOR_ENTITIES_ENTITY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "detector/entities/distinct_set.h"
#include "detector/entities/entity_key.h"
#include "detector/features/codec.h"

namespace vigil::detector {

// Stored: never renumber.
enum class Span : uint8_t { kTwoSeconds = 0, kMinute = 1, kHour = 2 };
inline constexpr std::array<Span, 3> kSpans = {Span::kTwoSeconds, Span::kMinute, Span::kHour};
inline constexpr size_t kSlots = 8;
// Milliseconds of a slot; eight of them are the window.
inline constexpr std::array<uint64_t, 3> kSlotMillis = {250, 7'500, 450'000};
inline constexpr uint64_t MillisOf(Span span) {
  return kSlots * kSlotMillis[static_cast<size_t>(span)];
}
// Intervals kept of a pair.
inline constexpr size_t kIntervals = 16;
// What comes closer together is one visit.
inline constexpr uint64_t kIntervalMillisMin = 1'000;
// Rules that may concern one kind of entity.
inline constexpr size_t kRulesPerKindMax = 8;

// What an event says of one of its entities.
struct Sighting {
  uint64_t millis = 0;  // Clamped to the block's.
  uint32_t count = 1;   // Events it stands for.
  bool failed = false;
  bool logon_failed = false;
  uint64_t bytes_out = 0;
  int64_t peer = 0;  // Tokens; kMissing: none.
  int64_t port = 0;
  int64_t name = 0;  // A long name that was asked for.
};

// Sizes of an entity's sets, by kind.
struct SetCapacities {
  uint16_t peers = 0;
  uint16_t ports = 0;
  uint16_t names = 0;
};
SetCapacities CapacitiesOf(EntityKind kind);

// One window as numbers.
struct WindowCounts {
  uint64_t events = 0;
  uint64_t failed = 0;
  uint64_t logon_failures = 0;
  uint64_t bytes_out = 0;
  uint32_t peers = 0;
  uint32_t ports = 0;
  uint32_t names = 0;
  bool operator==(const WindowCounts&) const = default;
};

// How even the last intervals between visits were.
struct Rhythm {
  uint32_t intervals = 0;      // Known, up to kIntervals.
  uint32_t median_millis = 0;  // Of them; the upper one of an even number.
  uint32_t regular = 0;        // Of them: within an eighth of the median.
  bool operator==(const Rhythm&) const = default;
};

// The last time a rule matched an entity, and by which event.
struct RuleMark {
  uint32_t rule = 0;
  uint64_t millis = 0;
  uint64_t record_index = 0;
  uint32_t item = 0;
  bool operator==(const RuleMark&) const = default;
};

class Entity {
 public:
  explicit Entity(EntityKind kind) : kind_(kind) {}

  void Add(const Sighting& sighting);

  EntityKind kind() const { return kind_; }
  uint64_t first_millis() const { return first_millis_; }
  uint64_t latest_millis() const { return latest_millis_; }
  // Of all times. `sightings` counts events, `events` what they stand for.
  uint64_t sightings() const { return sightings_; }
  uint64_t events() const { return events_; }
  uint64_t failed() const { return failed_; }
  uint64_t bytes_out() const { return bytes_out_; }
  WindowCounts Window(Span span) const;
  Rhythm rhythm() const;
  // Whether the last sighting was of a peer that was never seen before, as far as is known, and how
  // long there had been no new one then; 0 for the first.
  bool peer_was_new() const { return peer_was_new_; }
  uint64_t new_peer_after_millis() const { return new_peer_after_millis_; }
  size_t known_peers() const { return peers_.size(); }

  const std::vector<RuleMark>& marks() const { return marks_; }  // Ascending rule.
  // REQUIRES: at most kRulesPerKindMax different rules.
  void SetMark(const RuleMark& mark);
  // Forgets what rules matched it.
  void ClearMarks() { marks_.clear(); }

  void Serialize(LittleEndianWriter* writer) const;
  // False for bytes that Serialize() does not make of an entity of this kind.
  bool Parse(LittleEndianReader* reader);

 private:
  struct Slot {
    uint32_t events = 0;
    uint32_t failed = 0;
    uint32_t logon_failures = 0;
    uint64_t bytes_out = 0;
    bool operator==(const Slot&) const = default;
  };
  using Ring = std::array<Slot, kSlots>;  // A slot of tick t at t % kSlots.

  void MoveTo(uint64_t millis);
  void AddToRings(const Sighting& sighting);
  void AddInterval(uint64_t millis);
  void AddPeer(const Sighting& sighting);
  bool ParseRings(LittleEndianReader* reader);
  bool ParseMarks(LittleEndianReader* reader);

  EntityKind kind_;
  uint64_t first_millis_ = 0;
  uint64_t latest_millis_ = 0;
  uint64_t sightings_ = 0;
  uint64_t events_ = 0;
  uint64_t failed_ = 0;
  uint64_t bytes_out_ = 0;
  std::array<Ring, kSpans.size()> rings_{};
  DistinctSet peers_;
  DistinctSet ports_;
  DistinctSet names_;
  uint64_t new_peer_millis_ = 0;     // When the last new peer came.
  uint64_t visit_millis_ = 0;        // Begin of the last visit.
  std::vector<uint32_t> intervals_;  // Oldest first.
  std::vector<RuleMark> marks_;
  // Of the last sighting alone, not stored.
  bool peer_was_new_ = false;
  uint64_t new_peer_after_millis_ = 0;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_ENTITIES_ENTITY_H_
