// What a stream must remember over a restart, as small bytes: where it stands, which periods still
// wait for a model, and from which height the windows can be rebuilt.
//
// Bytes (little-endian):
//   "vigil-stream" 00 | u16 format = 5 | chain id 32 | ten u32 parameters |
//   u64 height | u64 events | u64 period | u64 period end | u64 events at period end |
//   u64 height of the stored entities | u64 events up to it |
//   five u64: events of each type since the period's end |
//   u16 marks | per mark: u64 height, u64 events before |
//   u8 pending | per period: u64 period, u64 window end, u64 events, window digest 32,
//                            hash of its entities section 32,
//                            five u64: events of each type in it,
//                            u8 types left (bit = type), u8 reveals, reveals 32 each
#ifndef VIGIL_DETECTOR_STREAM_BOOKKEEPING_H_
#define VIGIL_DETECTOR_STREAM_BOOKKEEPING_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "detector/features/event_type.h"
#include "detector/features/hash.h"
#include "detector/model/parameters.h"

namespace vigil::detector {

// At most so many marks; they are reach / kMarksPerReach events apart.
inline constexpr uint64_t kMarksPerReach = 512;
inline constexpr size_t kMarksMax = 8192;
// Periods that wait: one for its reveals, the others for the host to train them.
inline constexpr size_t kPendingPeriodsMax = 3;

// In the order of kEventTypes.
using EventCounts = std::array<uint64_t, kEventTypes.size()>;

// A height, and how many events came before it.
struct HeightMark {
  uint64_t height = 1;
  uint64_t events_before = 0;

  bool operator==(const HeightMark&) const = default;
};

// A window that has closed and whose models are not all there.
struct PendingPeriod {
  uint64_t period = 0;
  uint64_t window_end = 0;      // Height that closed the window.
  uint64_t events = 0;          // Events up to that height, included.
  Digest window_digest{};       // Of the checkpoint at that height.
  Digest entities_hash{};       // Of that checkpoint's section of entities.
  EventCounts event_counts{};   // In the period, by type.
  uint8_t types_left = 0;       // Bit (1 << type): not trained yet.
  std::vector<Digest> reveals;  // Of the heights window_end + 1 ...; complete at seed_reveals.

  bool operator==(const PendingPeriod&) const = default;
};

struct Bookkeeping {
  uint64_t height = 0;             // Last height that was processed; 0: none.
  uint64_t events = 0;             // Events up to that height.
  uint64_t period = 0;             // Last period that ended; 0: none.
  uint64_t period_end = 0;         // Its height.
  uint64_t period_end_events = 0;  // Events up to its end.
  uint64_t entities_height = 0;    // Whose entities the host has stored; 0: none, begin at block 1.
  uint64_t entities_events = 0;    // Events up to it.
  EventCounts event_counts{};      // Since the last period's end, by type.
  std::vector<HeightMark> marks = {HeightMark{}};  // Ascending; the first covers ReplayFrom().
  std::vector<PendingPeriod> pending;              // Ascending.

  bool operator==(const Bookkeeping&) const = default;
};

std::vector<uint8_t> SerializeBookkeeping(const Bookkeeping& bookkeeping, const Digest& chain_id,
                                          const Parameters& parameters);

// Nothing when the bytes are damaged, contradict themselves, or belong to another chain or to other
// parameters.
std::optional<Bookkeeping> ParseBookkeeping(std::span<const uint8_t> bytes, const Digest& chain_id,
                                            const Parameters& parameters);

// The lowest height that a restart may have to read again.
uint64_t RestartHeight(const Bookkeeping& bookkeeping);

// The latest mark from which a replay sees every event from number `event` on.
HeightMark MarkFor(const Bookkeeping& bookkeeping, uint64_t event);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_STREAM_BOOKKEEPING_H_
