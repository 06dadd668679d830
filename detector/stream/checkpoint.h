// A detector checkpoint: the windows at the end of a period, as bytes that every validator makes
// alike. Its digest goes on chain with the models of the period, so a quorum stands behind it, and
// whoever has the bytes goes on from there without the blocks before.
//
// Bytes (little-endian; docs/formats/detector_model.md):
//   "vigil-checkpoint" 00 | u16 format = 1 | chain id 32 | ten u32 parameters |
//   u64 height | u64 events | u64 period |
//   u16 sections | per section, ascending number: u16 number | u64 size | body
// Section 1, windows, per event type in ascending order:
//   u32 type | schema hash 32 | u32 rows | u64 event number per row | i64 per row and field
// Format 1 has exactly section 1; whoever does not know a section cannot go on from it, so a
// further one makes a new format.
//
// digest = hash("vigil/detector/checkpoint/v1" 00 | hash(bytes)).
#ifndef VIGIL_DETECTOR_STREAM_CHECKPOINT_H_
#define VIGIL_DETECTOR_STREAM_CHECKPOINT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "detector/features/hash.h"
#include "detector/model/parameters.h"
#include "detector/stream/event_window.h"

namespace vigil::detector {

// No checkpoint is larger: that many rows of the widest schema for every type.
inline constexpr size_t kCheckpointBytesMax = 64 * 1024 * 1024;

// The end of a period.
struct CheckpointPlace {
  uint64_t height = 0;  // That closed the window.
  uint64_t events = 0;  // Events up to that height, included.
  uint64_t period = 0;

  bool operator==(const CheckpointPlace&) const = default;
};

struct CheckpointContents {
  CheckpointPlace place;
  std::vector<EventWindow> windows;  // In the order of kEventTypes.
};

// REQUIRES: one window per event type, in the order of kEventTypes, without rows of events that lie
// further back than the windows reach.
std::vector<uint8_t> SerializeCheckpoint(const CheckpointPlace& place,
                                         std::span<const EventWindow* const> windows,
                                         const Digest& chain_id, const Parameters& parameters,
                                         Hash32 hash);

// Nothing unless the bytes are a checkpoint of this chain, these parameters and the schemas of this
// version, well-formed and within every limit; then SerializeCheckpoint() gives the same again.
std::optional<CheckpointContents> ParseCheckpoint(std::span<const uint8_t> bytes,
                                                  const Digest& chain_id,
                                                  const Parameters& parameters, Hash32 hash);

Digest CheckpointDigest(std::span<const uint8_t> bytes, Hash32 hash);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_STREAM_CHECKPOINT_H_
