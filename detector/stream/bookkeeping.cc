#include "detector/stream/bookkeeping.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "detector/features/codec.h"
#include "detector/features/event_type.h"
#include "detector/stream/stream_head.h"

namespace vigil::detector {
namespace {

constexpr std::string_view kMagic = "vigil-stream";
constexpr uint16_t kFormat = 5;
constexpr uint8_t kTypesMask = 0b111110;  // Bits 1 to 5.
static_assert(kEventTypes.size() == 5);

bool ReadMarks(LittleEndianReader* reader, Bookkeeping* b) {
  const size_t count = reader->U16();
  if (count < 1 || count > kMarksMax || !reader->CanHold(count, 16)) return false;
  b->marks.clear();
  for (size_t i = 0; i < count; ++i) {
    const HeightMark mark{reader->U64(), reader->U64()};
    const bool rises = i == 0 || (mark.height > b->marks.back().height &&
                                  mark.events_before > b->marks.back().events_before);
    const bool within =
        mark.height >= 1 && mark.height <= b->height + 1 && mark.events_before <= b->events;
    if (!rises || !within) return false;
    b->marks.push_back(mark);
  }
  return true;
}

bool ReadPending(LittleEndianReader* reader, uint32_t seed_reveals, Bookkeeping* b) {
  const size_t count = reader->U8();
  if (count > kPendingPeriodsMax) return false;
  for (size_t i = 0; i < count; ++i) {
    PendingPeriod pending;
    pending.period = reader->U64();
    pending.window_end = reader->U64();
    pending.events = reader->U64();
    pending.window_digest = reader->ReadDigest();
    pending.entities_hash = reader->ReadDigest();
    for (uint64_t& count : pending.event_counts) count = reader->U64();
    pending.types_left = reader->U8();
    const size_t reveals = reader->U8();
    const bool rises = i == 0 || (pending.period > b->pending.back().period &&
                                  pending.window_end > b->pending.back().window_end &&
                                  pending.events >= b->pending.back().events);
    const bool within = pending.period >= 1 && pending.period <= b->period &&
                        pending.window_end >= 1 && pending.window_end <= b->height &&
                        pending.events <= b->events;
    const bool types = pending.types_left != 0 && (pending.types_left & ~kTypesMask) == 0;
    // A reveal comes with every height until there are enough.
    const bool timely =
        within && reveals == std::min<uint64_t>(seed_reveals, b->height - pending.window_end);
    if (!rises || !within || !types || !timely || !reader->CanHold(reveals, 32)) return false;
    for (size_t r = 0; r < reveals; ++r) pending.reveals.push_back(reader->ReadDigest());
    b->pending.push_back(std::move(pending));
  }
  return true;
}

}  // namespace

std::vector<uint8_t> SerializeBookkeeping(const Bookkeeping& b, const Digest& chain_id,
                                          const Parameters& parameters) {
  LittleEndianWriter writer;
  WriteStreamHead(kMagic, kFormat, chain_id, parameters, &writer);
  writer.U64(b.height).U64(b.events).U64(b.period).U64(b.period_end).U64(b.period_end_events);
  writer.U64(b.entities_height).U64(b.entities_events);
  for (const uint64_t count : b.event_counts) writer.U64(count);
  writer.U16(static_cast<uint16_t>(b.marks.size()));
  for (const HeightMark& mark : b.marks) writer.U64(mark.height).U64(mark.events_before);
  writer.U8(static_cast<uint8_t>(b.pending.size()));
  for (const PendingPeriod& pending : b.pending) {
    writer.U64(pending.period).U64(pending.window_end).U64(pending.events);
    writer.Raw(pending.window_digest).Raw(pending.entities_hash);
    for (const uint64_t count : pending.event_counts) writer.U64(count);
    writer.U8(pending.types_left).U8(static_cast<uint8_t>(pending.reveals.size()));
    for (const Digest& reveal : pending.reveals) writer.Raw(reveal);
  }
  return writer.Take();
}

std::optional<Bookkeeping> ParseBookkeeping(std::span<const uint8_t> bytes, const Digest& chain_id,
                                            const Parameters& parameters) {
  LittleEndianReader reader(bytes);
  Bookkeeping b;
  if (!ReadStreamHead(kMagic, kFormat, chain_id, parameters, &reader)) return std::nullopt;
  b.height = reader.U64();
  b.events = reader.U64();
  b.period = reader.U64();
  b.period_end = reader.U64();
  b.period_end_events = reader.U64();
  b.entities_height = reader.U64();
  b.entities_events = reader.U64();
  if (b.entities_height > b.height || b.entities_events > b.events ||
      (b.entities_height == 0 && b.entities_events != 0)) {
    return std::nullopt;
  }
  for (uint64_t& count : b.event_counts) count = reader.U64();
  const uint64_t counted =
      std::accumulate(b.event_counts.begin(), b.event_counts.end(), uint64_t{0});
  if (counted != b.events - b.period_end_events) return std::nullopt;
  if (b.period_end > b.height || b.period_end_events > b.events ||
      (b.period == 0) != (b.period_end == 0)) {
    return std::nullopt;
  }
  if (!ReadMarks(&reader, &b) || !ReadPending(&reader, parameters.seed_reveals, &b) ||
      !reader.AtEnd()) {
    return std::nullopt;
  }
  return b;
}

uint64_t RestartHeight(const Bookkeeping& bookkeeping) {
  return std::min(bookkeeping.marks.front().height, bookkeeping.entities_height + 1);
}

HeightMark MarkFor(const Bookkeeping& bookkeeping, uint64_t event) {
  HeightMark found = bookkeeping.marks.front();
  for (const HeightMark& mark : bookkeeping.marks) {
    if (mark.events_before <= event) found = mark;
  }
  return found;
}

}  // namespace vigil::detector
