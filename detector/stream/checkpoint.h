// A detector checkpoint: the windows at the end of a period, as bytes that every validator makes
// alike. Its digest goes on chain with the models of the period, so a quorum stands behind it, and
// whoever has the bytes goes on from there without the blocks before.
//
// Bytes (little-endian; docs/formats/detector_model.md):
//   "vigil-checkpoint" 00 | u16 format = 4 | chain id 32 | ten u32 parameters |
//   u64 height | u64 events | u64 period |
//   u16 sections | per section, ascending number: u16 number | u64 size | body
// Section 1, windows, per event type in ascending order:
//   u32 type | schema hash 32 | u64 events of the type in the period | u32 rows | u64 event number
//   per row | i64 per row and field and mark (row_marks.h)
// Section 2, entities: EntityTable::Serialize() | RuleMatcher::Serialize().
// Format 4 has exactly these two; whoever does not know a section cannot go on from it, so a
// further one makes a new format.
//
// digest = hash("vigil/detector/checkpoint/v2" 00 | hash(bytes before section 2's number) |
//               hash(the rest)).
// So a restart that has newer entities, but must rebuild older windows, can still tell whether it
// got them right.
#ifndef VIGIL_DETECTOR_STREAM_CHECKPOINT_H_
#define VIGIL_DETECTOR_STREAM_CHECKPOINT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "detector/features/hash.h"
#include "detector/model/parameters.h"
#include "detector/stream/bookkeeping.h"
#include "detector/stream/event_window.h"

namespace vigil::detector {

// No checkpoint is larger: that many rows of the widest schema for every type, and full tables of
// entities.
inline constexpr size_t kCheckpointBytesMax = 128 * 1024 * 1024;

// The end of a period.
struct CheckpointPlace {
  uint64_t height = 0;  // That closed the window.
  uint64_t events = 0;  // Events up to that height, included.
  uint64_t period = 0;
  EventCounts event_counts{};  // In the period, by type.

  bool operator==(const CheckpointPlace&) const = default;
};

struct CheckpointContents {
  CheckpointPlace place;
  std::vector<EventWindow> windows;   // In the order of kEventTypes.
  std::span<const uint8_t> entities;  // Body of section 2, not looked into; part of the input.
};

// The bytes before section 2. REQUIRES: one window per event type, in the order of kEventTypes,
// of marked rows, without rows of events that lie further back than the windows reach.
std::vector<uint8_t> SerializeWindows(const CheckpointPlace& place,
                                      std::span<const EventWindow* const> windows,
                                      const Digest& chain_id, const Parameters& parameters,
                                      Hash32 hash);
// The bytes from section 2 on.
std::vector<uint8_t> SerializeEntitiesSection(std::span<const uint8_t> body);

// Nothing unless the bytes are a checkpoint of this chain, these parameters and the schemas of this
// version, well-formed and within every limit; then the two functions above give the same again.
std::optional<CheckpointContents> ParseCheckpoint(std::span<const uint8_t> bytes,
                                                  const Digest& chain_id,
                                                  const Parameters& parameters, Hash32 hash);

// Also of bytes that are no checkpoint.
Digest CheckpointDigest(std::span<const uint8_t> bytes, Hash32 hash);
// The same of the hashes of both parts.
Digest CheckpointDigestOf(const Digest& windows, const Digest& entities, Hash32 hash);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_STREAM_CHECKPOINT_H_
